//! TCP connections: `net/netfilter/nf_conntrack_proto_tcp.c`.
//!
//! A segment goes through three sieves: its header and flags (`segment`), the state it leads to (`states`), and the
//! window (`window`). What the tracker cannot judge because it may be out of step with the two hosts, it lets through
//! without believing it, and remembers it: the answer shows who was right.

mod segment;
mod states;
mod window;

pub use states::TcpState;

use super::settings::{Settings, TcpTimeouts};
use super::{Conn, Seen, Step, status};
use segment::{RST, SYN, Segment, before};
use states::{Kind, Next};
use window::Window;

/// What is known of a side (`IP_CT_TCP_FLAG_*`).
mod flag {
    pub const WINDOW_SCALE: u8 = 1;
    pub const SACK_PERMITTED: u8 = 2;
    /// It closed first.
    pub const CLOSE_INIT: u8 = 4;
    /// The connection was picked up in the middle: its window scale is not known.
    pub const LIBERAL: u8 = 8;
    pub const UNACKNOWLEDGED: u8 = 16;
    pub const MAX_ACK_SET: u8 = 32;
    /// A SYN was ignored in LAST_ACK: an acknowledgement that follows may be a challenge (RFC 5961).
    pub const EXPECT_CHALLENGE: u8 = 64;
    pub const SIMULTANEOUS_OPEN: u8 = 128;
}

/// Responses to a FIN or RST out of the window shorten a life that is longer than this.
const LONG_LIFE_NS: i64 = 120_000_000_000;

/// What the tracker keeps of a connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Connection {
    pub state: TcpState,
    /// The opener's, and the other's.
    sides: [Side; 2],
    last: Last,
    /// How often the last acknowledgement came again.
    repetitions: u8,
}

/// What one side sent.
#[derive(Debug, Clone, Default)]
struct Side {
    /// Sequence number after what it sent.
    end: u32,
    /// Sequence number up to which it may send.
    max_end: u32,
    /// Largest window that it offered; 0 until it has sent.
    max_window: u32,
    /// Highest acknowledgement that it sent.
    max_ack: u32,
    scale: u8,
    flags: u8,
}

/// The last segment that told something, and what an ignored SYN offered.
#[derive(Debug, Clone, Default)]
struct Last {
    kind: Kind,
    reply: bool,
    seq: u32,
    ack: u32,
    end: u32,
    window: u16,
    scale: u8,
    flags: u8,
}

impl Last {
    /// Counts equal acknowledgements in a row (`retrans`).
    fn count_repetition(&mut self, segment: &Segment<'_>, seq: u32, end: u32, ack: u32, reply: bool, count: &mut u8) {
        let now = (reply, seq, ack, end, segment.window);
        if now == (self.reply, self.seq, self.ack, self.end, self.window) {
            *count = count.wrapping_add(1);
        } else {
            (self.reply, self.seq, self.ack, self.end, self.window) = now;
            *count = 0;
        }
    }
}

/// Takes a segment in (`nf_conntrack_tcp_packet`).
pub(super) fn packet(conn: &mut Conn, tcp: &mut Connection, seen: &Seen<'_>, settings: &Settings) -> Step {
    let Some(segment) = Segment::of(seen.payload, seen.len) else { return Step::Invalid };
    if !seen.checksum_is_right(settings) || !segment.has_valid_flags() {
        return Step::Invalid;
    }
    let kind = segment.kind();
    if conn.status & status::CONFIRMED == 0 {
        match Connection::begun(&segment, kind, settings) {
            Some(begun) => *tcp = begun,
            None => return Step::Invalid,
        }
    }
    let mut run = Run { segment, kind, reply: seen.reply, old: tcp.state };
    let next = states::next(tcp.state, kind, seen.reply);
    let state = match run.reconsider(conn, tcp, next, settings) {
        Course::Done(step) => return step,
        Course::Believe(state) => state,
        Course::Window(state) => match window::check(tcp, &run.segment, kind, seen.reply, settings.tcp_be_liberal) {
            Window::Inside => state,
            Window::Ignore => return Step::Keep,
            Window::Invalid => {
                run.distrust(conn, tcp, seen.now_ns, &settings.timeouts.tcp);
                return Step::Invalid;
            }
        },
    };
    tcp.last.kind = kind;
    tcp.last.reply = seen.reply;
    run.enter(conn, tcp, state, settings)
}

/// Whether the segment's new state is to be believed.
enum Course {
    /// The segment is judged already.
    Done(Step),
    /// If it lies in the window.
    Window(TcpState),
    /// Without asking the window.
    Believe(TcpState),
}

/// A segment under judgement.
struct Run<'p> {
    segment: Segment<'p>,
    kind: Kind,
    reply: bool,
    /// State before it.
    old: TcpState,
}

impl Run<'_> {
    /// The cases that the table is too coarse for.
    fn reconsider(&mut self, conn: &Conn, tcp: &mut Connection, next: Next, settings: &Settings) -> Course {
        match next {
            Next::Invalid => Course::Done(Step::Invalid),
            Next::Ignore => self.ignore(tcp),
            Next::To(TcpState::SynSent) if self.old >= TcpState::TimeWait => {
                let closed_by_us = (tcp.side(false).flags | tcp.side(true).flags) & flag::CLOSE_INIT != 0;
                let aborted = tcp.last.reply == self.reply && tcp.last.kind == Kind::Rst;
                if closed_by_us || aborted { Course::Done(Step::Reopen) } else { self.ignore(tcp) }
            }
            Next::To(TcpState::TimeWait) if self.is_challenge(tcp) => {
                tcp.last.flags &= !flag::EXPECT_CHALLENGE;
                Course::Done(Step::Keep)
            }
            Next::To(TcpState::SynSent2) => {
                tcp.last.flags |= flag::SIMULTANEOUS_OPEN;
                Course::Window(TcpState::SynSent2)
            }
            Next::To(TcpState::SynRecv)
                if self.reply && self.kind == Kind::Ack && tcp.last.flags & flag::SIMULTANEOUS_OPEN != 0 =>
            {
                Course::Window(TcpState::Established)
            }
            Next::To(TcpState::Close) if self.kind == Kind::Rst => self.reset(conn, tcp, settings),
            Next::To(state) => Course::Window(state),
        }
    }

    /// An acknowledgement in LAST_ACK that answers a SYN, not the FIN.
    fn is_challenge(&self, tcp: &Connection) -> bool {
        self.old == TcpState::LastAck
            && self.kind == Kind::Ack
            && tcp.last.reply != self.reply
            && tcp.last.kind == Kind::Syn
            && tcp.last.flags & flag::EXPECT_CHALLENGE != 0
    }

    /// Lets a segment through unjudged, and keeps what tells later whether the hosts are in step without us.
    fn ignore(&mut self, tcp: &mut Connection) -> Course {
        let segment = &self.segment;
        let answers_ignored_syn = self.kind == Kind::SynAck
            && tcp.last.kind == Kind::Syn
            && tcp.last.reply != self.reply
            && segment.ack == tcp.last.end;
        if answers_ignored_syn {
            self.old = TcpState::SynSent;
            tcp.resume();
            return Course::Window(TcpState::SynRecv);
        }
        let last = &mut tcp.last;
        last.kind = self.kind;
        last.reply = self.reply;
        last.seq = segment.seq;
        last.end = segment.end;
        last.window = segment.window;
        if self.kind == Kind::Syn && !self.reply {
            let offer = segment.offer();
            last.scale = offer.window_scale.unwrap_or_default();
            last.flags = 0;
            if offer.window_scale.is_some() {
                last.flags |= flag::WINDOW_SCALE;
            }
            if offer.sack {
                last.flags |= flag::SACK_PERMITTED;
            }
            if self.old == TcpState::LastAck {
                last.flags |= flag::EXPECT_CHALLENGE;
            }
        }
        if self.old == TcpState::SynSent && self.kind == Kind::Ack && self.reply {
            last.ack = segment.ack; // a reset to it will carry this number
        }
        Course::Done(Step::Keep)
    }

    /// A reset closes at once only if it hits the next expected byte exactly; hosts challenge others (RFC 5961).
    fn reset(&self, conn: &Conn, tcp: &Connection, settings: &Settings) -> Course {
        if tcp.state.is_closing() {
            return Course::Believe(TcpState::Close);
        }
        let (seq, last) = (self.segment.seq, &tcp.last);
        let assured = conn.status & status::ASSURED != 0;
        let established = assured && tcp.state == TcpState::Established;
        let other = tcp.side(!self.reply);
        let mut state = TcpState::Close;
        if other.flags & flag::MAX_ACK_SET != 0 && last.kind != Kind::Syn {
            if seq == 0 && !established {
                return Course::Window(state);
            }
            if before(seq, other.max_ack) && !settings.tcp_ignore_invalid_rst {
                return Course::Done(Step::Invalid);
            }
            let follows_data = last.kind == Kind::Ack && last.reply == self.reply && seq == last.end;
            if !established || seq == other.max_ack || follows_data {
                return Course::Window(state);
            }
            state = self.old; // the host may challenge it
        }
        let seen_reply = conn.status & status::SEEN_REPLY != 0;
        let last_was_syn = seen_reply && last.kind == Kind::Syn && last.reply != self.reply;
        let last_was_ack = !assured && last.kind == Kind::Ack;
        let answers_ignored = (last_was_syn || last_was_ack) && self.segment.ack == last.end;
        let answers_challenge =
            self.old == TcpState::SynSent && last.kind == Kind::Ack && last.reply && seq == last.ack;
        if answers_ignored || answers_challenge { Course::Believe(state) } else { Course::Window(state) }
    }

    /// Both sides ended outside the window: the tracker is out of step, the entry need not stay for days.
    fn distrust(&self, conn: &mut Conn, tcp: &mut Connection, now_ns: i64, timeouts: &TcpTimeouts) {
        let keeps_timeout = conn.status & status::FIXED_TIMEOUT != 0;
        if conn.status & status::ASSURED == 0 || keeps_timeout || !matches!(self.kind, Kind::Rst | Kind::Fin) {
            return;
        }
        if tcp.last.reply != self.reply && matches!(tcp.last.kind, Kind::Rst | Kind::Fin) {
            let left = conn.expires_ns.saturating_sub(now_ns);
            if left >= LONG_LIFE_NS && left > timeouts.unacknowledged {
                conn.expires_ns = now_ns.saturating_add(timeouts.unacknowledged);
            }
        } else {
            tcp.last.kind = self.kind;
            tcp.last.reply = self.reply;
        }
    }

    /// Takes the new state, and says how long the entry lives now.
    fn enter(&self, conn: &mut Conn, tcp: &mut Connection, state: TcpState, settings: &Settings) -> Step {
        tcp.state = state;
        if self.old != state && state == TcpState::FinWait {
            tcp.side_mut(self.reply).flags |= flag::CLOSE_INIT;
        }
        let timeouts = &settings.timeouts.tcp;
        let mut timeout = tcp.timeout(self.kind, settings);
        if conn.status & status::SEEN_REPLY == 0 {
            if self.segment.has(RST) {
                return Step::Die; // refused: nothing was established
            }
            if self.kind == Kind::Syn && self.old == TcpState::SynSent {
                return Step::Keep; // else a reused port would keep the entry for ever
            }
            if state == TcpState::Established {
                timeout = timeout.min(timeouts.unacknowledged);
            }
        } else if matches!(self.old, TcpState::SynRecv | TcpState::Established) && state == TcpState::Established {
            conn.status |= status::ASSURED;
        }
        Step::Refresh(timeout)
    }
}

impl Connection {
    /// From a first segment (`tcp_new`). `None` if none begins with it.
    fn begun(segment: &Segment<'_>, kind: Kind, settings: &Settings) -> Option<Self> {
        let max_window = u32::from(segment.window).max(1);
        let mut first = Side { end: segment.end, max_end: segment.end, max_window, ..Side::default() };
        let mut second = Side::default();
        match states::next(TcpState::None, kind, false) {
            Next::To(TcpState::SynSent) => first.take_offer(segment),
            Next::To(_) if settings.tcp_loose && !segment.has(SYN) => {
                first.max_end = segment.end.wrapping_add(max_window);
                first.flags = flag::SACK_PERMITTED | flag::LIBERAL;
                second.flags = first.flags;
            }
            _ => return None,
        }
        Some(Self { sides: [first, second], ..Self::default() })
    }

    fn side(&self, reply: bool) -> &Side {
        let [original, answering] = &self.sides;
        if reply { answering } else { original }
    }

    fn side_mut(&mut self, reply: bool) -> &mut Side {
        let [original, answering] = &mut self.sides;
        if reply { answering } else { original }
    }

    /// The hosts agreed on a SYN that was ignored: their connection begins anew from it.
    fn resume(&mut self) {
        self.last.flags &= !flag::EXPECT_CHALLENGE;
        let Last { reply, end, window, scale, flags, .. } = self.last;
        let side = self.side_mut(reply);
        (side.end, side.max_end, side.max_window) = (end, end, u32::from(window).max(1));
        (side.scale, side.flags) = (scale, flags);
        let other = self.side_mut(!reply);
        *other = Side { flags: other.flags & flag::LIBERAL, ..Side::default() };
    }

    /// How long the entry lives, in its new state.
    fn timeout(&self, kind: Kind, settings: &Settings) -> i64 {
        let timeouts = &settings.timeouts.tcp;
        let full = timeouts.of(self.state);
        let unacknowledged = (self.side(false).flags | self.side(true).flags) & flag::UNACKNOWLEDGED != 0;
        if self.repetitions >= settings.tcp_max_retrans && full > timeouts.max_retrans {
            timeouts.max_retrans
        } else if kind == Kind::Rst {
            timeouts.close
        } else if unacknowledged && full > timeouts.unacknowledged {
            timeouts.unacknowledged
        } else if self.last.window == 0 && full > timeouts.max_retrans {
            timeouts.max_retrans
        } else {
            full
        }
    }

    /// The opener's sequence number went past another connection's (`nf_seq_has_advanced`).
    pub(super) fn is_past(&self, older: &Self) -> bool {
        segment::after(self.side(false).end, older.side(false).end)
    }
}

impl TcpTimeouts {
    /// Of a state. None has one of its own for NONE, in which no entry stays.
    pub(super) fn of(&self, state: TcpState) -> i64 {
        match state {
            TcpState::None | TcpState::SynSent | TcpState::SynSent2 => self.syn_sent,
            TcpState::SynRecv => self.syn_recv,
            TcpState::Established => self.established,
            TcpState::FinWait => self.fin_wait,
            TcpState::CloseWait => self.close_wait,
            TcpState::LastAck => self.last_ack,
            TcpState::TimeWait => self.time_wait,
            TcpState::Close => self.close,
        }
    }
}
