//! What the XMPP decoder reports of files that do not move in band as bytestreams.

use crate::protocol::content::FileContent;
use std::net::IpAddr;

/// Negotiations and files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharingEvent {
    /// A bytestream or another transport is negotiated (XEP-0065, XEP-0166).
    Transport(Transport),
    /// A slot for an upload was given (XEP-0363). Sighted where the answer is.
    Slot(UploadSlot),
    /// A link to a file was sent (XEP-0066, XEP-0385, XEP-0447), or a link stands in a message's text.
    Link(FileLink),
    /// A file inside one stanza (XEP-0231, XEP-0084, XEP-0054).
    Inline(InlineFile),
}

/// A transport, as one stanza tells it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Transport {
    /// `bytestreams` for XEP-0065, `external-service` for XEP-0215, otherwise Jingle's name: `s5b`, `ibb`, `ice-udp`, `ice`, `raw-udp` ...
    pub kind: String,
    /// What it is for: `file-transfer`, `rtp` or another name of a Jingle application; `None` where it does not say.
    pub application: Option<String>,
    /// Jingle's action, or `offer`, `used` and `activate` for XEP-0065.
    pub action: String,
    /// Jingle session.
    pub session: Option<String>,
    /// Id of the bytestream.
    pub sid: Option<String>,
    /// Who speaks.
    pub from: Option<String>,
    /// To whom; for `activate`, who is the target of the bytestream.
    pub to: Option<String>,
    /// DST.ADDR as told, in lower case.
    pub dstaddr: Option<String>,
    /// Addresses offered.
    pub candidates: Vec<Candidate>,
}

/// An address offered for a transport.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Candidate {
    /// `proxy`, `direct`, `assisted`, `tunnel`, `host`, `srflx`, `prflx`, `relay`; for XEP-0065 `streamhost`; `stun`,
    /// `turn` and the like.
    pub kind: String,
    /// Address or name of the host.
    pub host: String,
    /// Port; `None` if it is left out.
    pub port: Option<u16>,
    /// JID of the host, for SOCKS 5.
    pub jid: Option<String>,
    /// `udp`, `tcp`.
    pub protocol: Option<String>,
    /// The address behind a reflexive or relayed one, with its port.
    pub related: Option<String>,
}

impl Candidate {
    /// `private`, `public`, or `name` for what is no address.
    pub fn scope(&self) -> &'static str {
        match self.host.trim_matches(['[', ']']).parse::<IpAddr>().map(|address| address.to_canonical()) {
            Err(_) => "name",
            Ok(IpAddr::V4(v4)) if v4.is_private() || v4.is_loopback() || v4.is_link_local() => "private",
            Ok(IpAddr::V4(v4)) if matches!(v4.octets(), [100, 64..=127, _, _]) => "private",
            Ok(IpAddr::V6(v6)) if v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() => "private",
            Ok(_) => "public",
        }
    }
}

/// A transport with one of its addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The transport; its addresses are left out.
    pub transport: Transport,
    /// The address; `None` for a transport that has none.
    pub candidate: Option<Candidate>,
}

/// A slot for an upload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UploadSlot {
    /// Full JID of who asked, where known.
    pub requester: Option<String>,
    /// Name, size and type as asked for; `None` if the request was not seen.
    pub name: Option<String>,
    /// Size in bytes.
    pub size: Option<u64>,
    /// Media type.
    pub media_type: Option<String>,
    /// Where the file goes.
    pub put: String,
    /// Where it can be got.
    pub get: String,
}

/// A link to a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileLink {
    /// As sent.
    pub url: String,
    /// `oob`, `sims`, `sfs`, `jingle-pub`; `body` for a link in a text.
    pub via: &'static str,
    /// Who sent it.
    pub from: Option<String>,
    /// To whom.
    pub to: Option<String>,
    /// Name of the file as told.
    pub name: Option<String>,
    /// Size as told.
    pub size: Option<u64>,
}

/// A file inside a stanza.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlineFile {
    /// How.
    pub kind: InlineKind,
    /// Who sends it, or publishes it.
    pub from: Option<String>,
    /// Who gets it; `None` for what is published.
    pub to: Option<String>,
    /// `id` of the stanza: a relayed one has it on each connection.
    pub id: Option<String>,
    /// Name by which it is known: a content id, an item id.
    pub name: Option<String>,
    /// The bytes.
    pub content: FileContent,
}

/// How a file lies in a stanza.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InlineKind {
    /// Bits of binary (XEP-0231).
    Bob,
    /// User avatar (XEP-0084).
    Avatar,
    /// Photo of a vCard (XEP-0054, XEP-0153).
    VcardPhoto,
}
