//! What the SOCKS 5 decoder reports.

use crate::evidence::Stamp;
use crate::protocol::content::FileContent;
use crate::protocol::xmpp::Login;

/// SOCKS 5 conversations.
#[derive(Debug, Clone)]
pub enum SocksEvent {
    /// A login with name and password (RFC 1929) reached its outcome, or the conversation ended before it did.
    Login(Login),
    /// A conversation ended: all that is known of it. Sighted in the client's direction.
    Session(Box<SocksSession>),
}

/// What is known of a conversation when it ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SocksSession {
    /// `none`, `password`, `gssapi`, `refused` or a number; `None` where the server's choice was not seen.
    pub method: Option<String>,
    /// Name that logged in.
    pub username: Option<String>,
    /// `connect`, `bind`, `udp-associate` or a number; `None` where nothing was asked.
    pub command: Option<String>,
    /// What was asked for: `host:port`, IPv6 in brackets.
    pub destination: Option<String>,
    /// The destination is a bytestream of XEP-0065: its forty digits, in lower case.
    pub bytestream: Option<String>,
    /// The server's answer, 0 for success (RFC 1928, 6).
    pub reply: Option<u8>,
    /// Bytes behind the handshake, from the client and from the server.
    pub bytes: [u64; 2],
    /// Bytes of a bytestream from the client, and from the server.
    pub streams: [Option<SocksStream>; 2],
}

/// One direction of a bytestream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocksStream {
    /// The bytes.
    pub content: FileContent,
    /// Bytes that were not captured.
    pub missing: u64,
    /// Frames of the first byte and of the last.
    pub frames: (Stamp, Stamp),
}
