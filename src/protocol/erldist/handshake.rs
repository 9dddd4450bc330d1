//! The handshake that opens a connection (erts "Distribution Handshake"): one frame in, one message out, and what all
//! of them say together.
//!
//! Frames have a length of two bytes, inside TLS of four (`inet_tls_dist` leaves the framing to `ssl`). Version 5 speaks `n`, version 6 `N`; a node that does not know its peer may open
//! with `n` and be answered with `N`, after which a complement `c` brings what `n` has no room for.

use super::event::{Handshake, HandshakeOutcome};
use super::flags::NAME_ME;
use crate::evidence::{Direction, Stamp};

/// No message of a handshake is longer: 24 bytes and a node name, which is an atom, and room for what later releases
/// may append.
pub const MAX_FRAME: usize = 2048;

/// Bytes of a frame's length. No frame is empty, nor so long that the upper half of four bytes says anything.
pub fn length_width(bytes: &[u8]) -> usize {
    if bytes.starts_with(&[0, 0]) { 4 } else { 2 }
}

/// Takes the length of so many bytes off a frame.
pub fn split_length(bytes: &[u8], width: usize) -> Option<(usize, &[u8])> {
    let (length, body) = bytes.split_at_checked(width)?;
    Some((length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), body))
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The initiator's name.
    Name { version: u8, flags: u64, name: String },
    /// The acceptor's status.
    Status { text: String },
    /// The acceptor's challenge.
    Challenge { version: u8, flags: u64, challenge: u32, name: String },
    /// What the initiator's old form of name had no room for: upper flags.
    Complement { flags_high: u32 },
    /// The initiator's challenge and digest.
    Reply { challenge: u32, digest: [u8; 16] },
    /// The acceptor's digest.
    Ack { digest: [u8; 16] },
}

/// Who a frame is from, as far as that is known. It matters for one message only, the old `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It opened the connection.
    Initiator,
    /// It answered.
    Acceptor,
    /// The capture does not tell yet.
    Unknown,
}

/// Parses the body of a frame; `None` if it is no message of a handshake.
pub fn parse(body: &[u8], role: Role) -> Option<Message> {
    let (tag, rest) = body.split_first()?;
    match tag {
        b'N' => parse_new_name(rest),
        b'n' => parse_old_name(rest, role),
        b's' => parse_status(rest),
        b'c' => {
            let (flags_high, rest) = u32_of(rest)?;
            (rest.len() == 4).then_some(Message::Complement { flags_high })
        }
        b'r' => {
            let (challenge, rest) = u32_of(rest)?;
            Some(Message::Reply { challenge, digest: rest.try_into().ok()? })
        }
        b'a' => Some(Message::Ack { digest: rest.try_into().ok()? }),
        _ => None,
    }
}

/// `N`: name and challenge differ by the four bytes of the challenge, which the length of the name tells.
fn parse_new_name(rest: &[u8]) -> Option<Message> {
    let (flags, after) = rest.split_first_chunk().map(|(flags, after)| (u64::from_be_bytes(*flags), after))?;
    if let Some(name) = after.get(4..).and_then(counted_name).and_then(|(name, rest)| rest.is_empty().then_some(name)) {
        let plausible = is_node_name(name) || (flags & NAME_ME != 0 && is_host(name));
        if plausible {
            return Some(Message::Name { version: 6, flags, name: name.to_owned() });
        }
    }
    let (challenge, after) = u32_of(after)?;
    // Later releases may append to a challenge; what follows the name is left alone.
    let (name, _) = counted_name(after.get(4..)?)?;
    is_node_name(name).then(|| Message::Challenge { version: 6, flags, challenge, name: name.to_owned() })
}

fn parse_old_name(rest: &[u8], role: Role) -> Option<Message> {
    let (version, after) = rest.split_first_chunk().map(|(version, after)| (u16::from_be_bytes(*version), after))?;
    let version = u8::try_from(version).ok().filter(|version| (1..=16).contains(version))?;
    let (flags, after) = u32_of(after)?;
    let flags = u64::from(flags);
    let as_name = || {
        let name = std::str::from_utf8(after).ok().filter(|name| is_node_name(name))?;
        Some(Message::Name { version, flags, name: name.to_owned() })
    };
    let as_challenge = || {
        let (challenge, name) = u32_of(after)?;
        let name = std::str::from_utf8(name).ok().filter(|name| is_node_name(name))?;
        Some(Message::Challenge { version, flags, challenge, name: name.to_owned() })
    };
    match role {
        Role::Initiator => as_name(),
        Role::Acceptor => as_challenge(),
        // A challenge of four letters is one in a thousand, a name that begins with four other bytes is none.
        Role::Unknown => as_name().or_else(as_challenge),
    }
}

fn parse_status(rest: &[u8]) -> Option<Message> {
    if let Some(given) = rest.strip_prefix(b"named:") {
        let (name, _) = counted_name(given)?;
        return is_node_name(name).then(|| Message::Status { text: format!("named:{name}") });
    }
    let text = std::str::from_utf8(rest).ok()?;
    STATUSES.contains(&text).then(|| Message::Status { text: text.to_owned() })
}

/// What a status can be; `true` and `false` are the initiator's answer to `alive`.
const STATUSES: &[&str] = &["ok", "ok_simultaneous", "nok", "not_allowed", "alive", "true", "false"];

fn u32_of(bytes: &[u8]) -> Option<(u32, &[u8])> {
    bytes.split_first_chunk().map(|(value, rest)| (u32::from_be_bytes(*value), rest))
}

fn counted_name(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (name, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((std::str::from_utf8(name).ok()?, rest))
}

/// `name@host`, printable.
fn is_node_name(name: &str) -> bool {
    name.split_once('@').is_some_and(|(node, host)| !node.is_empty() && is_host(host)) && is_host(name)
}

fn is_host(host: &str) -> bool {
    !host.is_empty() && host.chars().all(|c| !c.is_control() && !c.is_whitespace())
}

/// All that was seen of one handshake.
#[derive(Debug, Default)]
pub struct Progress {
    initiator: Option<Direction>,
    initiator_name: Option<String>,
    acceptor_name: Option<String>,
    version: u8,
    initiator_flags: u64,
    acceptor_flags: u64,
    status: Option<String>,
    acceptor_challenge: Option<u32>,
    reply: Option<(u32, [u8; 16])>,
    ack: Option<[u8; 16]>,
    first: Option<Stamp>,
    last: Option<Stamp>,
    replied_at: Option<Stamp>,
    lost_bytes: bool,
    reported: bool,
}

impl Progress {
    /// Takes the next message of a direction.
    pub fn take(&mut self, message: Message, direction: Direction, at: Stamp) {
        self.first = self.first.or(Some(at));
        self.last = Some(at);
        match message {
            Message::Name { version, flags, name } => {
                self.initiator = Some(direction);
                self.version = self.version.max(version);
                self.initiator_flags |= flags;
                self.initiator_name = Some(name);
            }
            // The initiator's `true` or `false` answers `alive`, and changes nothing that is reported.
            Message::Status { text } if matches!(&*text, "true" | "false") => {}
            Message::Status { text } => {
                self.initiator = self.initiator.or(Some(direction.reversed()));
                if let Some(name) = text.strip_prefix("named:") {
                    self.initiator_name = Some(name.to_owned());
                }
                self.status = Some(text);
            }
            Message::Challenge { version, flags, challenge, name } => {
                self.initiator = self.initiator.or(Some(direction.reversed()));
                // An answer in the new form raises the version, one in the old form lowers it.
                self.version = version;
                self.acceptor_flags = flags;
                self.acceptor_challenge = Some(challenge);
                self.acceptor_name = Some(name);
            }
            Message::Complement { flags_high } => self.initiator_flags |= u64::from(flags_high) << 32,
            Message::Reply { challenge, digest } => {
                self.initiator = self.initiator.or(Some(direction));
                self.reply = Some((challenge, digest));
                self.replied_at = Some(at);
            }
            Message::Ack { digest } => {
                self.initiator = self.initiator.or(Some(direction.reversed()));
                self.ack = Some(digest);
            }
        }
    }

    /// Bytes of the acceptor are missing: an ack may be among them.
    pub fn lost(&mut self) {
        self.lost_bytes = true;
    }

    /// The direction of the initiator, as soon as it is known.
    pub fn initiator(&self) -> Option<Direction> {
        self.initiator
    }

    /// The role of the side that sends in `direction`.
    pub fn role(&self, direction: Direction) -> Role {
        match self.initiator {
            None => Role::Unknown,
            Some(initiator) if initiator == direction => Role::Initiator,
            Some(_) => Role::Acceptor,
        }
    }

    /// Name of the initiator and of the acceptor.
    pub fn names(&self) -> (Option<&str>, Option<&str>) {
        (self.initiator_name.as_deref(), self.acceptor_name.as_deref())
    }

    /// The handshake with its first and last frame, the first time that its end is known; `None` afterwards, and if
    /// nothing of it was seen.
    pub fn finish(&mut self, outcome: HandshakeOutcome) -> Option<(Handshake, Stamp, Stamp)> {
        let (first, last) = (self.first?, self.last?);
        if std::mem::replace(&mut self.reported, true) {
            return None;
        }
        let reply = self.reply;
        let handshake = Handshake {
            initiator: self.initiator_name.clone().unwrap_or_default(),
            acceptor: self.acceptor_name.clone(),
            version: self.version,
            initiator_flags: self.initiator_flags,
            acceptor_flags: self.acceptor_flags,
            status: self.status.clone(),
            initiator_proof: self.acceptor_challenge.zip(reply).map(|(challenge, (_, digest))| (challenge, digest)),
            acceptor_proof: reply.zip(self.ack).map(|((challenge, _), digest)| (challenge, digest)),
            outcome,
        };
        Some((handshake, first, last))
    }

    /// How a handshake ended that was not acknowledged, when the conversation's last frame was `end`.
    ///
    /// An acceptor that was seen to challenge, and after the digest sent nothing but its farewell, has refused. Where
    /// the digest is in the last frame of all, or the acceptor's bytes are incomplete, the capture just ends there.
    pub fn verdict(&self, end: Stamp) -> HandshakeOutcome {
        let closed_after_reply = self.replied_at.is_some_and(|reply| reply.order() < end.order());
        if closed_after_reply && self.acceptor_challenge.is_some() && self.ack.is_none() && !self.lost_bytes {
            HandshakeOutcome::Rejected
        } else {
            HandshakeOutcome::Unfinished
        }
    }
}
