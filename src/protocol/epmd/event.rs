//! What the EPMD decoder reports.

/// One exchange, or bytes that are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EpmdEvent {
    /// A request with its answer, if one was seen. Sighted in the asking direction.
    Exchange {
        /// What was asked.
        request: EpmdRequest,
        /// What was answered; `None` if the connection ended without.
        answer: Option<EpmdAnswer>,
    },
    /// The connection that registered a name ended: the name is free again.
    Unregistered {
        /// Node name without host.
        name: String,
        /// Distribution port.
        port: u16,
    },
    /// Not EPMD.
    Malformed {
        /// Why, e.g. `length 5 but NAMES_REQ carries nothing`.
        reason: String,
    },
}

/// Requests (erts distribution protocol, "EPMD Protocol").
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EpmdRequest {
    /// ALIVE2_REQ: register a node.
    Alive2 {
        /// Node name without host.
        name: String,
        /// Distribution port.
        port: u16,
        /// 77 for a normal node, 72 for a hidden one.
        node_type: u8,
        /// Highest distribution version.
        highest: u16,
        /// Lowest distribution version.
        lowest: u16,
    },
    /// PORT_PLEASE2_REQ: where does this node listen?
    PortPlease2 {
        /// Node name without host.
        name: String,
    },
    /// NAMES_REQ: which nodes are there?
    Names,
    /// DUMP_REQ: everything EPMD knows.
    Dump,
    /// KILL_REQ.
    Kill,
    /// STOP_REQ: drop a registration.
    Stop {
        /// Node name.
        name: String,
    },
}

/// Answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EpmdAnswer {
    /// ALIVE2_RESP or ALIVE2_X_RESP.
    Alive2 {
        /// 0 for success.
        result: u8,
        /// Creation of the node.
        creation: u32,
    },
    /// PORT2_RESP for a known node.
    Port {
        /// Distribution port.
        port: u16,
        /// 77 normal, 72 hidden.
        node_type: u8,
        /// Highest and lowest distribution version.
        versions: (u16, u16),
        /// Name as answered.
        name: String,
    },
    /// PORT2_RESP with an error result: no such node.
    NoSuchNode {
        /// Result code.
        result: u8,
    },
    /// NAMES_RESP or DUMP_RESP: EPMD's own port and its text.
    Listing {
        /// EPMD's port.
        epmd_port: u32,
        /// `name NAME at port PORT` lines.
        text: String,
    },
    /// KILL and STOP answer with words: `OK`, `NO`, `STOPPED`, `NOEXIST`.
    Word(String),
}
