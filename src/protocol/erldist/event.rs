//! What the distribution decoder reports.

use super::term::Term;
use crate::evidence::Direction;

/// Handshakes and messages.
#[derive(Debug, Clone)]
pub enum DistEvent {
    /// A handshake ended, well or not. Sighted in the initiator's direction.
    Handshake(Box<Handshake>),
    /// A message after the handshake (ticks are only counted). Sighted in the sender's direction.
    Message(Box<Message>),
    /// A command of `ejabberdctl`, or a function behind one, with its result. Sighted in the direction of who asked.
    Ejabberdctl(Box<CtlCommand>),
}

/// How a handshake ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HandshakeOutcome {
    /// The acceptor acknowledged the initiator's digest.
    Success,
    /// The acceptor closed after the initiator's digest: wrong cookie.
    Rejected,
    /// It went no further for another reason (status `nok`, connection lost, capture begins or ends inside).
    Unfinished,
}

/// A distribution handshake (erts "Distribution Protocol", 13.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// Full name of the connecting node; empty if the capture begins after it was sent.
    pub initiator: String,
    /// Full name of the node connected to, if it was sent.
    pub acceptor: Option<String>,
    /// Protocol version: 5, or 6 with 32-bit creations.
    pub version: u8,
    /// Capability flags of the initiator.
    pub initiator_flags: u64,
    /// Capability flags of the acceptor.
    pub acceptor_flags: u64,
    /// `ok`, `ok_simultaneous`, `nok`, `not_allowed`, `alive`, `named:…`.
    pub status: Option<String>,
    /// The acceptor's challenge and the initiator's digest: MD5(cookie ++ decimal challenge).
    pub initiator_proof: Option<(u32, [u8; 16])>,
    /// The initiator's challenge and the acceptor's digest.
    pub acceptor_proof: Option<(u32, [u8; 16])>,
    /// How it ended.
    pub outcome: HandshakeOutcome,
}

/// A control message with its payload.
#[derive(Debug, Clone)]
pub struct Message {
    /// Node that sent it, where the handshake or a pid tells.
    pub node: Option<String>,
    /// Node that received it.
    pub peer: Option<String>,
    /// Which side opened the connection.
    pub initiator: Direction,
    /// Name of the control message: `SEND`, `REG_SEND`, `SPAWN_REQUEST`, `PAYLOAD_MONITOR_P_EXIT` …
    pub operation: &'static str,
    /// Bytes that control message and payload took, as they were sent.
    pub size: usize,
    /// The control tuple.
    pub control: Term,
    /// The payload, cut where it is larger than the decoder keeps.
    pub payload: Option<Term>,
    /// A call that the message makes, if it is one.
    pub call: Option<Call>,
    /// A result that the message brings, paired with its call where that was seen.
    pub reply: Option<Reply>,
}

/// A function call sent to another node.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// `spawn-request`, `rex`, `gen-call`, `gen-cast`, `spawn`, `group-leader`, `remote-shell`, `message` …
    pub via: &'static str,
    /// Module as called (of an erpc or rpc: the inner one, not `erpc:execute_call`).
    pub module: String,
    /// Function.
    pub function: String,
    /// Argument list as a term.
    pub arguments: Term,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The call it answers, if that was seen.
    pub call: Option<Call>,
    /// Its value or reason.
    pub value: Term,
}

impl Message {
    /// The identifier of the sending process, where the control message has one.
    pub fn sender(&self) -> Option<&Term> {
        super::control::sender(&self.control)
    }

    /// Whom the message is for: a pid, a registered name or an alias; of a request to spawn, nobody yet.
    pub fn receiver(&self) -> Option<&Term> {
        super::control::receiver(&self.control)
    }
}

/// An administration command of ejabberd.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CtlCommand {
    /// Node that runs it.
    pub node: Option<String>,
    /// Node that asked.
    pub by: Option<String>,
    /// Name as given, or `module:function`.
    pub name: String,
    /// Arguments as text, passwords among them.
    pub arguments: Vec<String>,
    /// Accounts with passwords among the words.
    pub secrets: Vec<CtlSecret>,
    /// Exit status: 0 for success; `None` if it was not captured.
    pub status: Option<i64>,
    /// What it printed.
    pub output: String,
}

/// An account and its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CtlSecret {
    /// Local part.
    pub user: String,
    /// Domain.
    pub host: String,
    /// Password.
    pub password: String,
}
