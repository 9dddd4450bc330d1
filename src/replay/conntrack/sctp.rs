//! SCTP associations: `net/netfilter/nf_conntrack_proto_sctp.c`, RFC 9260 section 8.5.

use super::settings::{SctpTimeouts, Settings};
use super::{Conn, Seen, Step, status};

/// State of an association (`enum sctp_conntrack`), in the kernel's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    None,
    Closed,
    CookieWait,
    CookieEchoed,
    Established,
    ShutdownSent,
    ShutdownRecd,
    ShutdownAckSent,
    HeartbeatSent,
}

/// Chunk types.
mod chunk {
    pub const DATA: u8 = 0;
    pub const INIT: u8 = 1;
    pub const INIT_ACK: u8 = 2;
    pub const HEARTBEAT: u8 = 4;
    pub const HEARTBEAT_ACK: u8 = 5;
    pub const ABORT: u8 = 6;
    pub const SHUTDOWN: u8 = 7;
    pub const SHUTDOWN_ACK: u8 = 8;
    pub const ERROR: u8 = 9;
    pub const COOKIE_ECHO: u8 = 10;
    pub const COOKIE_ACK: u8 = 11;
    pub const SHUTDOWN_COMPLETE: u8 = 14;
    /// Types whose packets carry a tag that is judged chunk by chunk, if at all.
    pub const OWN_TAG: [u8; 7] = [INIT, SHUTDOWN_COMPLETE, COOKIE_ECHO, ABORT, SHUTDOWN_ACK, HEARTBEAT, HEARTBEAT_ACK];
    /// Types that begin nothing.
    pub const NEVER_FIRST: [u8; 3] = [ABORT, SHUTDOWN_COMPLETE, COOKIE_ACK];
}

/// What the tracker keeps of an association.
#[derive(Debug, Clone, Default)]
pub(super) struct Association {
    state: State,
    /// Verification tags of packets in the original and the reply direction.
    tags: [u32; 2],
    /// Direction whose heartbeat had another tag: the answer may bring new ones.
    stray_heartbeat: Option<bool>,
    /// Directions that have sent an INIT.
    inits: [bool; 2],
}

/// A chunk of a packet.
#[derive(Clone, Copy)]
struct Chunk<'p> {
    kind: u8,
    flags: u8,
    value: &'p [u8],
}

/// `nf_conntrack_sctp_packet`.
pub(super) fn packet(conn: &mut Conn, association: &mut Association, seen: &Seen<'_>, settings: &Settings) -> Step {
    judge(conn, association, seen, settings).unwrap_or(Step::Invalid)
}

/// `None`: INVALID.
fn judge(conn: &mut Conn, association: &mut Association, seen: &Seen<'_>, settings: &Settings) -> Option<Step> {
    let head = seen.payload.first_chunk::<12>()?;
    let tag = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
    if !seen.checksum_is_right(settings) {
        return None;
    }
    let kinds = kinds(seen.payload)?;
    if conn.status & status::CONFIRMED == 0 {
        if chunk::NEVER_FIRST.iter().any(|kind| kinds.has(*kind)) {
            return None;
        }
        *association = Association::begun(seen.payload, tag)?;
    }
    let has_own_tag = chunk::OWN_TAG.iter().any(|kind| kinds.has(*kind));
    if !has_own_tag && tag != association.tag(seen.reply) {
        return None;
    }
    let mut keep_timeout = false;
    let mut now = State::None;
    for chunk in chunks(seen.payload) {
        match association.accepts(chunk, tag, seen.reply, keep_timeout || kinds.has(chunk::DATA)) {
            Tag::Right => {}
            Tag::Stray => {
                keep_timeout = true;
                continue;
            }
            Tag::Wrong => return None,
        }
        let old = association.state;
        now = next(old, chunk.kind, seen.reply)?;
        association.note_tag(chunk, seen.reply)?;
        let repeated_init = chunk.kind == chunk::INIT && (old, now) == (State::Closed, State::Closed);
        keep_timeout |= repeated_init && conn.status & status::CONFIRMED != 0;
        association.state = now;
        if old != now && now == State::Established {
            conn.status |= status::ASSURED;
        }
    }
    Some(if keep_timeout { Step::Keep } else { Step::Refresh(settings.timeouts.sctp.of(now)) })
}

/// What a verification tag says.
enum Tag {
    Right,
    /// Of another path perhaps.
    Stray,
    Wrong,
}

impl Association {
    /// From a first packet (`sctp_new`).
    fn begun(payload: &[u8], tag: u32) -> Option<Self> {
        let mut begun = Self::default();
        for chunk in chunks(payload) {
            if next(State::None, chunk.kind, false)? == State::None {
                return None;
            }
            match chunk.kind {
                chunk::INIT if tag != 0 => return None,
                chunk::INIT => begun.set_tag(true, chunk.init_tag()?),
                chunk::HEARTBEAT | chunk::HEARTBEAT_ACK => begun.set_tag(false, tag),
                _ => begun.set_tag(true, tag), // out of the blue: an answer will carry the same
            }
        }
        Some(begun)
    }

    fn tag(&self, reply: bool) -> u32 {
        let [original, answering] = self.tags;
        if reply { answering } else { original }
    }

    fn set_tag(&mut self, reply: bool, tag: u32) {
        let [original, answering] = &mut self.tags;
        *(if reply { answering } else { original }) = tag;
    }

    fn has_init(&self, reply: bool) -> bool {
        let [original, answering] = self.inits;
        if reply { answering } else { original }
    }

    fn set_init(&mut self, reply: bool, seen: bool) {
        let [original, answering] = &mut self.inits;
        *(if reply { answering } else { original }) = seen;
    }

    /// The tag's rules by chunk. `with_others`: the packet has data, or a heartbeat was stray already.
    fn accepts(&mut self, chunk: Chunk<'_>, tag: u32, reply: bool, with_others: bool) -> Tag {
        let own = self.tag(reply);
        let right = match chunk.kind {
            chunk::INIT => tag == 0,
            chunk::ABORT | chunk::SHUTDOWN_COMPLETE if chunk.flags & 1 != 0 => tag == self.tag(!reply),
            chunk::ABORT | chunk::SHUTDOWN_COMPLETE | chunk::COOKIE_ECHO => tag == own,
            chunk::HEARTBEAT | chunk::HEARTBEAT_ACK if own == 0 => {
                self.set_tag(reply, tag);
                true
            }
            chunk::HEARTBEAT | chunk::HEARTBEAT_ACK if tag == own => {
                self.stray_heartbeat = None;
                true
            }
            chunk::HEARTBEAT => {
                if with_others {
                    return Tag::Wrong;
                }
                self.stray_heartbeat = Some(reply);
                return Tag::Stray;
            }
            chunk::HEARTBEAT_ACK => {
                if with_others || self.stray_heartbeat != Some(!reply) {
                    return Tag::Wrong;
                }
                self.stray_heartbeat = None;
                self.set_tag(reply, tag);
                self.set_tag(!reply, 0);
                true
            }
            chunk::COOKIE_ACK => {
                self.inits = [false; 2];
                true
            }
            _ => true,
        };
        if right { Tag::Right } else { Tag::Wrong }
    }

    /// Learns the tag that an INIT or its answer asks for. Both sides may have begun at once.
    fn note_tag(&mut self, chunk: Chunk<'_>, reply: bool) -> Option<()> {
        match chunk.kind {
            chunk::INIT => {
                let asked = chunk.init_tag()?;
                if self.has_init(reply) && self.has_init(!reply) {
                    self.set_init(!reply, false);
                }
                self.set_init(reply, true);
                self.set_tag(!reply, asked);
            }
            chunk::INIT_ACK => {
                let (asked, known) = (chunk.init_tag()?, self.tag(!reply));
                let unasked = !self.has_init(!reply) && known != 0;
                let collided = self.has_init(reply) && self.has_init(!reply);
                if (unasked || collided) && known != asked {
                    return None;
                }
                self.set_tag(!reply, asked);
            }
            _ => {}
        }
        Some(())
    }
}

impl Chunk<'_> {
    /// Initiate tag of a whole INIT or INIT ACK header.
    fn init_tag(&self) -> Option<u32> {
        let [a, b, c, d, ..] = *self.value.first_chunk::<16>()?;
        Some(u32::from_be_bytes([a, b, c, d]))
    }
}

/// Chunks of a packet, up to one that is cut or says that it is empty. A chunk's value reaches to the packet's end.
fn chunks(payload: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = payload.get(12..).unwrap_or_default();
    std::iter::from_fn(move || {
        let ([kind, flags, high, low], value) = rest.split_first_chunk::<4>()?;
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        if len == 0 {
            return None;
        }
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(Chunk { kind: *kind, flags: *flags, value })
    })
}

/// Which chunk types a packet has.
struct Kinds([u128; 2]);

impl Kinds {
    fn has(&self, kind: u8) -> bool {
        let [low, high] = self.0;
        let half = if kind < 128 { low } else { high };
        half >> (kind & 127) & 1 == 1
    }
}

/// Types of the chunks. `None` if there are none, or some stand where they must not.
fn kinds(payload: &[u8]) -> Option<Kinds> {
    let (mut kinds, mut alone, mut count) = (Kinds([0, 0]), false, 0u32);
    for Chunk { kind, .. } in chunks(payload) {
        alone |= matches!(kind, chunk::INIT | chunk::INIT_ACK | chunk::SHUTDOWN_COMPLETE);
        let must_be_first = alone || matches!(kind, chunk::COOKIE_ACK | chunk::COOKIE_ECHO);
        if must_be_first && count != 0 {
            return None;
        }
        let [low, high] = &mut kinds.0;
        *(if kind < 128 { low } else { high }) |= 1 << (kind & 127);
        count += 1;
    }
    (count != 0).then_some(kinds)
}

const CL: State = State::Closed;
const CW: State = State::CookieWait;
const CE: State = State::CookieEchoed;
const ES: State = State::Established;
const SS: State = State::ShutdownSent;
const SR: State = State::ShutdownRecd;
const SA: State = State::ShutdownAckSent;
const HS: State = State::HeartbeatSent;

/// Columns: states in their order. In the reply direction NONE is impossible, and HEARTBEAT_SENT leads on by heartbeats
/// alone.
type Row = [State; 9];

/// Rows of both directions for a chunk type; `None` for types that change nothing.
#[rustfmt::skip]
fn rows(kind: u8) -> Option<(Row, Row)> {
    //       NO  CL  CW  CE  ES  SS  SR  SA  HS     NO  CL  CW  CE  ES  SS  SR  SA  HS
    Some(match kind {
        chunk::INIT =>
            ([CL, CL, CW, CE, ES, CL, CL, SA, CW], [CL, CL, CW, CE, ES, SS, SR, SA, CL]),
        chunk::INIT_ACK =>
            ([CL, CL, CW, CE, ES, SS, SR, SA, CL], [CL, CW, CW, CE, ES, SS, SR, SA, CL]),
        chunk::ABORT =>
            ([CL, CL, CL, CL, CL, CL, CL, CL, CL], [CL, CL, CL, CL, CL, CL, CL, CL, CL]),
        chunk::SHUTDOWN =>
            ([CL, CL, CW, CE, SS, SS, SR, SA, CL], [CL, CL, CW, CE, SR, SS, SR, SA, CL]),
        chunk::SHUTDOWN_ACK =>
            ([SA, CL, CW, CE, ES, SA, SA, SA, SA], [CL, CL, CW, CE, ES, SA, SA, SA, CL]),
        chunk::ERROR =>
            ([CL, CL, CW, CE, ES, SS, SR, SA, CL], [CL, CL, CW, CL, ES, SS, SR, SA, CL]),
        chunk::COOKIE_ECHO =>
            ([CL, CL, CE, CE, ES, SS, SR, SA, CL], [CL, CL, CW, CE, ES, SS, SR, SA, CL]),
        chunk::COOKIE_ACK =>
            ([CL, CL, CW, CE, ES, SS, SR, SA, CL], [CL, CL, CW, ES, ES, SS, SR, SA, CL]),
        chunk::SHUTDOWN_COMPLETE =>
            ([CL, CL, CW, CE, ES, SS, SR, CL, CL], [CL, CL, CW, CE, ES, SS, SR, CL, CL]),
        chunk::HEARTBEAT =>
            ([HS, CL, CW, CE, ES, SS, SR, SA, HS], [CL, CL, CW, CE, ES, SS, SR, SA, HS]),
        chunk::HEARTBEAT_ACK =>
            ([CL, CL, CW, CE, ES, SS, SR, SA, HS], [CL, CL, CW, CE, ES, SS, SR, SA, ES]),
        _ => return None,
    })
}

/// State after a chunk. `None` if it cannot be.
fn next(state: State, kind: u8, reply: bool) -> Option<State> {
    let Some((original, answering)) = rows(kind) else { return Some(state) };
    let is_heartbeat = matches!(kind, chunk::HEARTBEAT | chunk::HEARTBEAT_ACK);
    if reply && (state == State::None || (state == HS && !is_heartbeat)) {
        return None;
    }
    let row = if reply { answering } else { original };
    row.get(state as usize).copied()
}

impl SctpTimeouts {
    fn of(&self, state: State) -> i64 {
        match state {
            State::None | State::Closed => self.closed,
            State::CookieWait => self.cookie_wait,
            State::CookieEchoed => self.cookie_echoed,
            State::Established => self.established,
            State::ShutdownSent => self.shutdown_sent,
            State::ShutdownRecd => self.shutdown_recd,
            State::ShutdownAckSent => self.shutdown_ack_sent,
            State::HeartbeatSent => self.heartbeat_sent,
        }
    }
}
