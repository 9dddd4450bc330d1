//! What the XMPP decoder reports beside stanzas.

pub use super::sharing_event::*;

use crate::evidence::Stamp;
use crate::protocol::content::{Beginning, FileContent};
use std::net::SocketAddr;

/// Streams, logins, transfers.
#[derive(Debug, Clone)]
pub enum XmppEvent {
    /// A login reached its outcome, or the stream ended before it did.
    Login(Login),
    /// A stream ended: all that is known of it. One a TCP connection; restarts do not end it.
    Stream(Box<StreamSummary>),
    /// A file was offered, by SI (XEP-0095/0096) or Jingle (XEP-0234).
    Offer(FileOffer),
    /// In-band bytes (XEP-0047) as they crossed one connection: a relayed file crosses two or more.
    Ibb(Box<IbbTransfer>),
    /// Files that move by other ways, and what is negotiated for them.
    Sharing(Box<SharingEvent>),
    /// Something that XMPP forbids, or that is no XML: once a direction of a stream and flaw. Sighted in the direction
    /// of who sent it.
    Defect(Box<StreamDefect>),
    /// A stanza that could not be put together, or that the other side refused for its size.
    Oversized(Box<OversizedStanza>),
    /// Stanzas of one sender on one connection within a short time, where they are many.
    Burst(Box<Burst>),
    /// A text that one sender says to several, or that fits a signature of the policy: one addressee of it.
    Mailing(Box<Mailing>),
    /// A step by which one server comes to trust another (XEP-0220, XEP-0178, XEP-0288).
    Federation(Box<FederationStep>),
    /// Two clients negotiate a session, as it crossed one connection.
    Signal(Box<Signal>),
    /// A call (XEP-0167), as told by all signals.
    Call(Box<Call>),
    /// A stanza inside another: a carbon, a message of an archive.
    Copy(Box<super::CopiedStanza>),
    /// An address that was given away: the first time that it crossed.
    Endpoint(Box<Endpoint>),
    /// A session of a client or component is over, as told by all streams that carried it.
    Session(Box<SessionSummary>),
    /// An ad-hoc command (XEP-0050) reached its end, or the stream ended before it did.
    Command(Box<Command>),
}

/// What a server says of another's right to speak for a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FederationStepKind {
    /// `db:result`: a key is shown, or the verdict on it.
    Result,
    /// `db:verify`: the key is asked about where the domain lives, or the answer.
    Verify,
    /// SASL EXTERNAL: the certificate is to speak for the domain.
    External,
    /// Stanzas will go both ways (XEP-0288).
    Bidi,
}

impl FederationStepKind {
    /// Name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Result => "dialback-result",
            Self::Verify => "dialback-verify",
            Self::External => "external",
            Self::Bidi => "bidi",
        }
    }
}

/// One step between two servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederationStep {
    /// Which step.
    pub kind: FederationStepKind,
    /// The domain that is to be believed.
    pub originating: String,
    /// The domain that is to believe.
    pub receiving: String,
    /// Stream that a `db:verify` asks about.
    pub stream_id: Option<String>,
    /// Dialback key; some servers send it back with the verdict.
    pub key: Option<String>,
    /// `valid`, `invalid`, `error`; `success` or `failure` of EXTERNAL; `None` for what asks.
    pub verdict: Option<String>,
}

/// An ad-hoc command from its first request to its end. The [`crate::evidence::Sighting`] runs over all its stanzas, in
/// the direction of who commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Node: the name of the command.
    pub node: String,
    /// Full JID of who commands, where known.
    pub jid: Option<String>,
    /// Who is to do it.
    pub to: Option<String>,
    /// `id` of the first request.
    pub id: String,
    /// Accounts that the form names.
    pub accounts: Vec<String>,
    /// Completed, or refused and cancelled.
    pub outcome: Outcome,
}

/// Kind of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// Client to server.
    C2s,
    /// Server to server.
    S2s,
    /// External component (XEP-0114).
    Component,
}

impl StreamKind {
    /// `c2s`, `s2s`, `component`.
    pub fn name(self) -> &'static str {
        match self {
            Self::C2s => "c2s",
            Self::S2s => "s2s",
            Self::Component => "component",
        }
    }
}

/// How a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The server accepted it.
    Success,
    /// The server refused it, or the client aborted.
    Failure,
    /// The capture does not show.
    Unknown,
}

impl Outcome {
    /// `success`, `failure`, `unknown`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Unknown => "unknown",
        }
    }
}

/// What a login gave away to who reads along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disclosure {
    /// The password itself.
    Password(String),
    /// Challenge and response: a password can be tried against them.
    Guessable,
    /// A bearer token.
    Token(String),
    /// Nothing of use (EXTERNAL, ANONYMOUS).
    Nothing,
}

/// A login attempt. The [`crate::evidence::Sighting`] runs from the attempt to its outcome, in the client's direction.
#[derive(Debug, Clone)]
pub struct Login {
    /// SASL name as on the wire, or `iq-auth`, `iq-auth-digest`, and so on as the contract names them.
    pub mechanism: String,
    /// Authentication identity as sent; `None` where the mechanism sends none.
    pub username: Option<String>,
    /// Bare JID it stands for, where it can be told (`username@domain of the stream`).
    pub jid: Option<String>,
    /// What was given away.
    pub disclosure: Disclosure,
    /// How it ended.
    pub outcome: Outcome,
    /// `true` inside TLS that was opened with keys.
    pub encrypted: bool,
}

/// What is known of a stream when it ends.
#[derive(Debug, Clone)]
pub struct StreamSummary {
    /// c2s, s2s, component.
    pub kind: StreamKind,
    /// The side that opened the stream, by content.
    pub client: SocketAddr,
    /// The other side.
    pub server: SocketAddr,
    /// The domain that was asked for (`to` of the client's header, or `from` of the server's).
    pub domain: Option<String>,
    /// `from` of an s2s opener's header.
    pub from_domain: Option<String>,
    /// Full JID bound to a c2s stream.
    pub jid: Option<String>,
    /// Stream id that the server gave last.
    pub stream_id: Option<String>,
    /// `starttls` or `direct`; `None` in clear.
    pub tls: Option<&'static str>,
    /// `TLSv1.2`, `TLSv1.3`, where seen.
    pub tls_version: Option<String>,
    /// `zlib`, if the stream is compressed.
    pub compression: Option<&'static str>,
    /// The features offered STARTTLS; `None` if no features were seen.
    pub offered_starttls: Option<bool>,
    /// The features said that the client must use it.
    pub required_starttls: bool,
    /// The client asked for it, and the server refused.
    pub refused_starttls: bool,
    /// Features from before the login were seen: there STARTTLS stands, if it is offered at all.
    pub login_offered: bool,
    /// Mechanism of the last login.
    pub mechanism: Option<String>,
    /// Outcome of the last login.
    pub outcome: Option<Outcome>,
    /// Stanzas in clear from client and from server.
    pub stanzas: [u64; 2],
    /// First stanza in clear, as evidence.
    pub first_stanza: Option<Stamp>,
    /// First frame with a byte of the stream.
    pub first: Stamp,
    /// Last frame.
    pub last: Stamp,
    /// Condition of a stream error, e.g. `not-authorized`.
    pub error: Option<String>,
    /// What the client calls itself: by its answer on its version, its abilities, or the node of its caps.
    pub software: Option<String>,
    /// Name by which the session can be resumed over another connection (XEP-0198).
    pub resumable: Option<String>,
    /// Name of the session that this stream resumed.
    pub resumes: Option<String>,
    /// Who ended it: `client` or `server` closed the stream, or `error`; `None` if the connection just ended.
    pub ended: Option<&'static str>,
}

/// A session as its user had it: one stream, or several that were resumed one after another (XEP-0198).
#[derive(Debug, Clone)]
pub struct SessionSummary {
    /// The streams in order of time; never empty, and all of one account.
    pub streams: Vec<StreamSummary>,
    /// `tcp`, `bosh` or `websocket`.
    pub binding: &'static str,
}

/// What is wrong with a stream, of which XMPP (RFC 6120, 11) takes the blame from no sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// A document type without entities.
    Doctype,
    /// A document type that declares entities.
    EntityDeclaration,
    /// A document type with an entity that is read from elsewhere.
    ExternalEntity,
    /// A reference to an entity that XML does not define.
    EntityReference,
    /// A processing instruction.
    Instruction,
    /// A comment.
    Comment,
    /// Elements nested deeper than any real stanza.
    Nesting,
    /// More attributes of one element than any real stanza has.
    Attributes,
    /// A longer attribute than any real stanza has.
    AttributeLength,
    /// Not XML.
    NotWellFormed,
    /// End tags that do not fit their start tags.
    MismatchedTags,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// A stream in UTF-16: servers may read it where others do not.
    Encoding,
    /// A prefix that nothing binds to a namespace.
    UndeclaredPrefix,
    /// An ampersand that begins no reference.
    BadReference,
    /// A stream header in a namespace that is not XMPP's.
    WrongNamespace,
    /// The other side says so, by this condition of a stream error.
    Refused(&'static str),
}

impl Flaw {
    /// `true` for what no honest software sends; the rest may be a fault.
    pub fn is_attack(self) -> bool {
        !matches!(
            self,
            Self::NotWellFormed
                | Self::MismatchedTags
                | Self::InvalidUtf8
                | Self::Encoding
                | Self::UndeclaredPrefix
                | Self::BadReference
                | Self::WrongNamespace
                | Self::Refused(_)
        )
    }

    /// Name in findings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Doctype => "doctype",
            Self::EntityDeclaration => "entity-declaration",
            Self::ExternalEntity => "external-entity",
            Self::EntityReference => "entity-reference",
            Self::Instruction => "processing-instruction",
            Self::Comment => "comment",
            Self::Nesting => "nesting",
            Self::Attributes => "attributes",
            Self::AttributeLength => "attribute-length",
            Self::NotWellFormed => "not-well-formed",
            Self::MismatchedTags => "mismatched-tags",
            Self::InvalidUtf8 => "invalid-utf-8",
            Self::Encoding => "utf-16",
            Self::UndeclaredPrefix => "undeclared-prefix",
            Self::BadReference => "bad-reference",
            Self::WrongNamespace => "wrong-namespace",
            Self::Refused(condition) => condition,
        }
    }
}

/// Something that XMPP forbids, or that is no XML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamDefect {
    /// What is wrong.
    pub flaw: Flaw,
    /// The place in the stream, as far as it is of use. What may hold content of a stanza is a secret.
    pub quote: Option<String>,
}

/// A stanza that could not be put together, or that the other side refused for its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OversizedStanza {
    /// Its size, or what came of it.
    pub bytes: u64,
    /// Sender, as in [`super::Stanza::from`].
    pub from: Option<String>,
    /// Addressee.
    pub to: Option<String>,
    /// `id` as sent.
    pub id: Option<String>,
    /// The other side ended the stream over it.
    pub refused: bool,
}

/// Stanzas of one sender on one connection within a short time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Burst {
    /// Bare JID, or the address where no JID is bound.
    pub sender: String,
    /// Which part of their way it is.
    pub leg: super::Leg,
    /// Messages, presences, iqs.
    pub counts: [u32; 3],
}

/// One addressee of a text that goes to several, or that fits a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailing {
    /// Bare JID, or an occupant's where a room repeats him, or the address where no JID is bound.
    pub sender: String,
    /// Bare JID of the addressee.
    pub to: String,
    /// Hash of the text without what senders in bulk vary.
    pub text: u64,
    /// SHA-256 of the text as sent.
    pub body_sha256: [u8; 32],
    /// The signature that it fits.
    pub signature: Option<String>,
    /// A room repeats it to its occupants.
    pub repeated_by_room: bool,
}

/// A file offered for a later transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOffer {
    /// `si` or `jingle`.
    pub via: &'static str,
    /// Session: the SI id, or the Jingle session id.
    pub session: String,
    /// Bytestream that will carry it, where the negotiation names one apart from the session (Jingle transports).
    pub transport_sid: Option<String>,
    /// Full JID of who offers, where known.
    pub from: Option<String>,
    /// Full JID of who is offered.
    pub to: Option<String>,
    /// File name as offered.
    pub name: Option<String>,
    /// Size as offered, in bytes.
    pub size: Option<u64>,
    /// Hash as offered: its algorithm, a colon, hexadecimal digits.
    pub hash: Option<String>,
}

/// In-band bytes over one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IbbTransfer {
    /// Bytestream id.
    pub sid: String,
    /// Full JID of who sends the bytes, where known.
    pub from: Option<String>,
    /// Full JID of who receives them.
    pub to: Option<String>,
    /// The bytes, in sequence order.
    pub content: FileContent,
    /// Opening and closing were seen, and every block between them.
    pub complete: bool,
    /// Blocks missing from the sequence, as far as it shows.
    pub missing_blocks: u64,
    /// What joins it with what crossed another connection.
    pub part: Option<Box<IbbPart>>,
}

/// A part of an in-band bytestream that goes on over another connection, where a stream was resumed (XEP-0198).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IbbPart {
    /// From the opening on, without a hole.
    Beginning {
        /// The bytes.
        beginning: Beginning,
        /// Number of the block that would have come next.
        next: u16,
    },
    /// From amid the sequence on, without a hole.
    Rest {
        /// Number of the first block.
        first: u16,
        /// The blocks, one after the other.
        bytes: Vec<u8>,
        /// Where each block ends in `bytes`.
        ends: Vec<usize>,
        /// It was closed.
        closed: bool,
    },
}

/// What a stanza says on a session between two clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// Jingle's action or the message's element (XEP-0353), e.g. `session-initiate`, `propose`.
    pub action: String,
    /// Session id.
    pub session: String,
    /// Full JID of who says it, where known.
    pub from: Option<String>,
    /// Full JID of who is told.
    pub to: Option<String>,
    /// `audio`, `video`: media of a call.
    pub media: Vec<String>,
    /// Reason of an end, e.g. `decline`.
    pub reason: Option<String>,
}

/// A call between two clients. The [`crate::evidence::Sighting`] runs from its first signal to its last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Session id.
    pub session: String,
    /// Full JID of who calls, where known.
    pub from: Option<String>,
    /// Full JID of who is called, as far as it became known.
    pub to: Option<String>,
    /// `audio`, `video`.
    pub media: Vec<String>,
    /// When it was answered.
    pub answered: Option<Stamp>,
    /// When it ended.
    pub ended: Option<Stamp>,
    /// How it ended, e.g. `success`, `decline`, `cancel`.
    pub reason: Option<String>,
}
