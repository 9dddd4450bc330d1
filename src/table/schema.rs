//! Every column of every table. Scripts rely on names: add, do not rename.

/// What a column holds. Every column may hold nulls but `Time`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// UTF-8 text.
    Text,
    /// A whole number.
    Number,
    /// True or false.
    Flag,
    /// Nanoseconds since 1970-01-01 UTC.
    Time,
}

use ColumnKind::{Flag, Number, Text, Time};

/// Name and kind of a column.
pub type ColumnSpec = (&'static str, ColumnKind);

macro_rules! tables {
    ($($(#[$doc:meta])* $variant:ident = $name:literal [$($column:literal: $kind:ident),* $(,)?])*) => {
        /// A table of the case folder.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum TableId { $($(#[$doc])* $variant),* }

        impl TableId {
            /// All tables, in the order of their discriminants.
            pub const ALL: &'static [TableId] = &[$(TableId::$variant),*];

            /// File name without ending.
            pub fn name(self) -> &'static str {
                match self { $(TableId::$variant => $name),* }
            }

            /// Its columns, in order.
            pub fn columns(self) -> &'static [ColumnSpec] {
                match self { $(TableId::$variant => &[$(($column, $kind)),*]),* }
            }
        }
    };
}

tables! {
    /// Conversations.
    Flows = "flows" [
        "time": Time, "end_time": Time, "capture": Text, "first_frame": Number, "last_frame": Number, "flow": Text,
        "transport": Text, "protocol": Text, "src": Text, "dst": Text, "tunnel": Text, "state": Text,
        "packets_out": Number, "packets_in": Number, "bytes_out": Number, "bytes_in": Number,
        "payload_out": Number, "payload_in": Number, "flags_out": Text, "flags_in": Text,
        "missing_out": Number, "missing_in": Number, "retransmitted": Number, "conflicting_overlaps": Number,
        "duration_ns": Number, "ended_by": Text, "first_bytes": Text, "node": Text,
    ]
    /// XMPP streams.
    XmppStreams = "xmpp_streams" [
        "time": Time, "end_time": Time, "capture": Text, "first_frame": Number, "last_frame": Number, "flow": Text,
        "kind": Text, "client": Text, "server": Text, "domain": Text, "from_domain": Text, "jid": Text, "stream_id": Text,
        "tls": Text, "tls_version": Text, "compression": Text, "offered_starttls": Flag,
        "mechanism": Text, "outcome": Text, "stanzas_out": Number, "stanzas_in": Number, "error": Text,
        "software": Text, "resumable": Text, "resumes": Text, "ended": Text, "required_starttls": Flag,
    ]
    /// Sessions of clients and components: one stream, or several that were resumed one after another.
    Sessions = "sessions" [
        "time": Time, "end_time": Time, "capture": Text, "first_frame": Number, "last_frame": Number, "flow": Text,
        "kind": Text, "jid": Text, "account": Text, "resource": Text, "domain": Text, "client": Text, "server": Text,
        "addresses": Text, "software": Text, "mechanism": Text, "tls": Text, "compression": Text, "binding": Text,
        "streams": Number, "stanzas_out": Number, "stanzas_in": Number, "ended": Text, "error": Text,
    ]
    /// Who talked to whom, how much.
    Contacts = "contacts" [
        "time": Time, "end_time": Time, "capture": Text, "first_frame": Number, "last_frame": Number, "from": Text,
        "to": Text, "messages": Number, "groupchat": Number, "presences": Number, "iqs": Number, "encrypted": Number,
        "bytes": Number, "sent": Number, "between": Number, "delivered": Number,
    ]
    /// XMPP stanzas.
    Stanzas = "stanzas" [
        "time": Time, "capture": Text, "frame": Number, "flow": Text, "src": Text, "dst": Text,
        "kind": Text, "from": Text, "to": Text, "type": Text, "id": Text, "body": Text, "children": Text, "bytes": Number,
        "meaning": Text,
    ]
    /// Stanzas inside stanzas: carbons, messages of archives, what is forwarded.
    Copies = "copies" [
        "time": Time, "capture": Text, "frame": Number, "flow": Text, "src": Text, "dst": Text, "via": Text,
        "owner": Text, "from": Text, "to": Text, "type": Text, "id": Text, "body": Text, "said": Text,
    ]
    /// Links to files in stanzas, followed or not.
    Links = "links" [
        "time": Time, "capture": Text, "frame": Number, "flow": Text, "src": Text, "dst": Text, "from": Text, "to": Text,
        "via": Text, "url": Text, "name": Text, "size": Number,
    ]
    /// Calls.
    Calls = "calls" [
        "time": Time, "end_time": Time, "capture": Text, "first_frame": Number, "last_frame": Number, "flow": Text,
        "from": Text, "to": Text, "session": Text, "media": Text, "outcome": Text, "reason": Text,
        "duration_ns": Number,
    ]
    /// Steps by which servers come to trust each other.
    Federation = "federation" [
        "time": Time, "capture": Text, "frame": Number, "flow": Text, "src": Text, "dst": Text, "step": Text,
        "from": Text, "to": Text, "stream_id": Text, "key": Text, "verdict": Text, "encrypted": Flag,
    ]
    /// Ad-hoc commands.
    Commands = "commands" [
        "time": Time, "end_time": Time, "capture": Text, "first_frame": Number, "last_frame": Number, "flow": Text,
        "src": Text, "dst": Text, "jid": Text, "to": Text, "node": Text, "accounts": Text, "outcome": Text,
        "encrypted": Flag,
    ]
    /// Logins and other secrets seen, of any protocol.
    Credentials = "credentials" [
        "time": Time, "capture": Text, "frame": Number, "flow": Text, "src": Text, "dst": Text, "protocol": Text,
        "mechanism": Text, "username": Text, "jid": Text, "secret": Text, "outcome": Text, "encrypted": Flag,
    ]
    /// Files moved.
    Transfers = "transfers" [
        "time": Time, "capture": Text, "first_frame": Number, "last_frame": Number, "flow": Text,
        "method": Text, "name": Text, "size": Number, "offered_size": Number, "sha256": Text, "from": Text, "to": Text,
        "complete": Flag, "relay": Flag, "saved_as": Text, "media_type": Text, "safe_name": Text, "start": Text,
        "end": Text, "rate": Number, "src": Text, "dst": Text,
    ]
    /// Erlang port mapper requests with their answers.
    Epmd = "epmd" [
        "time": Time, "capture": Text, "frame": Number, "flow": Text, "src": Text, "dst": Text,
        "request": Text, "name": Text, "port": Number, "answer": Text, "detail": Text,
    ]
    /// Erlang distribution: handshakes and messages.
    ErlDist = "erldist" [
        "time": Time, "capture": Text, "frame": Number, "flow": Text, "src": Text, "dst": Text, "node": Text, "peer": Text,
        "operation": Text, "caller": Text, "target": Text, "module": Text, "function": Text, "arguments": Text,
        "result": Text, "term": Text,
    ]
    /// Administration commands of ejabberd that came over the distribution.
    Ejabberdctl = "ejabberdctl" [
        "time": Time, "capture": Text, "first_frame": Number, "last_frame": Number, "flow": Text, "src": Text, "dst": Text,
        "node": Text, "by": Text, "command": Text, "arguments": Text, "username": Text, "jid": Text, "secret": Text,
        "status": Text, "output": Text,
    ]
    /// DNS queries with their answers.
    Dns = "dns" [
        "time": Time, "capture": Text, "frame": Number, "answer_frame": Number, "flow": Text, "client": Text, "server": Text,
        "transport": Text, "id": Number, "opcode": Text, "name": Text, "type": Text, "rcode": Text, "flags": Text,
        "answers": Text, "authority": Text, "additional": Text, "edns": Text, "rtt_ns": Number,
    ]
    /// TLS handshakes.
    Tls = "tls" [
        "time": Time, "capture": Text, "first_frame": Number, "flow": Text, "src": Text, "dst": Text, "version": Text,
        "cipher": Text, "sni": Text, "alpn": Text, "subject": Text, "issuer": Text, "not_before": Text, "not_after": Text,
        "via_starttls": Flag, "ja4": Text, "names": Text,
    ]
    /// HTTP exchanges.
    Http = "http" [
        "time": Time, "capture": Text, "frame": Number, "flow": Text, "src": Text, "dst": Text, "method": Text, "host": Text,
        "path": Text, "status": Number, "user_agent": Text, "content_type": Text, "request_bytes": Number,
        "response_bytes": Number, "response_sha256": Text,
    ]
    /// Rules of replayed rulesets with what they counted.
    RuleHits = "rule_hits" [
        "ruleset": Text, "engine": Text, "mode": Text, "family": Text, "table": Text, "chain": Text, "n": Number,
        "text": Text, "file": Text, "line": Number, "packets": Number, "bytes": Number, "flows": Number,
        "first_frame": Number, "last_frame": Number, "findings": Number, "state": Text, "note": Text,
    ]
    /// Transports that stanzas negotiate, one row an address offered.
    Candidates = "candidates" [
        "time": Time, "capture": Text, "frame": Number, "flow": Text, "src": Text, "dst": Text, "from": Text, "to": Text,
        "application": Text, "action": Text, "session": Text, "transport": Text, "type": Text, "host": Text,
        "port": Number, "protocol": Text, "host_jid": Text, "scope": Text, "related": Text,
    ]
    /// SOCKS 5 requests with what went through.
    Socks = "socks" [
        "time": Time, "end_time": Time, "capture": Text, "first_frame": Number, "last_frame": Number, "flow": Text,
        "src": Text, "dst": Text, "auth": Text, "username": Text, "command": Text, "destination": Text, "reply": Number,
        "bytestream": Flag, "bytes_out": Number, "bytes_in": Number, "sha256_out": Text, "sha256_in": Text,
    ]
}
