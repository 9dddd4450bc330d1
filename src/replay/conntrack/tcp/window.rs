//! Whether a segment lies in the window: `tcp_in_window`, after Guido van Rooij, "Real Stateful TCP Packet Filtering in
//! IP Filter".
//!
//! Of each side the tracker keeps how far it sent, how far it may send, and the largest window it offered. A segment is
//! right if it begins before the end of what the receiver allows, ends after what the receiver may still miss, and
//! acknowledges something that was sent and not too long ago.

use super::segment::{ACK, Offer, RST, SYN, Segment, after, before};
use super::states::{Kind, TcpState};
use super::{Connection, Side, flag};

/// Acknowledgements may lag behind by this much at least.
const MIN_ACK_WINDOW: u32 = 66_000;

/// What the window says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    Inside,
    /// Outside, but harmless: an old retransmission, a delayed acknowledgement, a little too much.
    Ignore,
    Invalid,
}

/// Acknowledged, by number and with SACK.
#[derive(Clone, Copy)]
struct Acked {
    ack: u32,
    sack: u32,
}

/// Judges a segment and takes note of it.
pub(super) fn check(
    connection: &mut Connection,
    segment: &Segment<'_>,
    kind: Kind,
    reply: bool,
    liberal: bool,
) -> Window {
    let state = connection.state;
    let [original, answering] = &mut connection.sides;
    let (sender, receiver) = if reply { (answering, original) } else { (original, answering) };
    let sack = if receiver.flags & flag::SACK_PERMITTED != 0 { segment.highest_sack() } else { segment.ack };
    let mut acked = Acked { ack: segment.ack, sack };

    if sender.max_window == 0 {
        if segment.has(SYN) {
            sender.begin(receiver, segment, reply);
            if !segment.has(ACK) {
                return Window::Inside; // both open at once
            }
        } else {
            sender.join(receiver, segment, acked.sack);
        }
    } else if segment.has(SYN)
        && after(segment.end, sender.end)
        && matches!(state, TcpState::SynSent | TcpState::SynRecv)
    {
        sender.begin(receiver, segment, reply);
        if reply && !segment.has(ACK) {
            return Window::Inside;
        }
    }

    let empty_answer = segment.has(RST) && segment.has(ACK) && segment.ack == 0; // broken stacks
    if !segment.has(ACK) || empty_answer {
        acked = Acked { ack: receiver.end, sack: receiver.end };
    }
    let (mut seq, mut end) = (segment.seq, segment.end);
    if segment.has(RST) && seq == 0 && state == TcpState::SynSent {
        (seq, end) = (sender.end, sender.end); // a reset that answers a SYN
    }

    let verdict = bounds(sender, receiver, seq, end, acked.sack);
    let excused = liberal || sender.flags & flag::LIBERAL != 0;
    if verdict != Window::Inside {
        return if excused { Window::Inside } else { verdict };
    }
    note(sender, receiver, segment, end, acked);
    if kind == Kind::Ack {
        connection.last.count_repetition(segment, seq, end, acked.ack, reply, &mut connection.repetitions);
    }
    Window::Inside
}

/// The four bounds.
fn bounds(sender: &mut Side, receiver: &Side, seq: u32, end: u32, sack: u32) -> Window {
    let ack_window = sender.max_window.max(MIN_ACK_WINDOW);
    let ack_not_too_old = after(sack, receiver.end.wrapping_sub(ack_window).wrapping_sub(1));
    let ack_was_sent = before(sack, receiver.end.wrapping_add(1));
    let ends_in_window = after(end, sender.end.wrapping_sub(receiver.max_window).wrapping_sub(1));

    if !before(seq, sender.max_end.wrapping_add(1)) {
        let overshot = end.wrapping_sub(sender.max_end).wrapping_add(1);
        let knows_window = receiver.max_window != 0;
        if knows_window && ends_in_window && ack_not_too_old && ack_was_sent && overshot <= receiver.max_window {
            // It may yet be acknowledged, and the acknowledgement must not look like one of data never sent.
            sender.end = end;
            sender.flags |= flag::UNACKNOWLEDGED;
            return Window::Ignore;
        }
        return Window::Invalid;
    }
    if !ack_was_sent {
        return Window::Invalid;
    }
    if (receiver.max_window != 0 && !ends_in_window) || !ack_not_too_old {
        return Window::Ignore;
    }
    Window::Inside
}

/// Moves the bounds by a segment that lies within them.
fn note(sender: &mut Side, receiver: &mut Side, segment: &Segment<'_>, end: u32, acked: Acked) {
    let mut window = u32::from(segment.window);
    if !segment.has(SYN) {
        window <<= sender.scale;
    }
    let offered = window.wrapping_add(acked.sack.wrapping_sub(acked.ack));
    sender.max_window = sender.max_window.max(offered);
    if after(end, sender.end) {
        sender.end = end;
        sender.flags |= flag::UNACKNOWLEDGED;
    }
    if segment.has(ACK) && (sender.flags & flag::MAX_ACK_SET == 0 || after(acked.ack, sender.max_ack)) {
        sender.max_ack = acked.ack;
        sender.flags |= flag::MAX_ACK_SET;
    }

    if receiver.max_window != 0 && after(end, sender.max_end) {
        receiver.max_window = receiver.max_window.wrapping_add(end.wrapping_sub(sender.max_end));
    }
    let allowed = acked.sack.wrapping_add(window);
    if after(allowed, receiver.max_end.wrapping_sub(1)) {
        receiver.max_end = allowed.wrapping_add(u32::from(window == 0));
    }
    if acked.ack == receiver.end {
        receiver.flags &= !flag::UNACKNOWLEDGED;
    }
}

impl Side {
    /// From a SYN or SYN-ACK.
    fn begin(&mut self, other: &mut Side, segment: &Segment<'_>, reply: bool) {
        self.end = segment.end;
        self.max_end = segment.end;
        self.max_window = u32::from(segment.window).max(1);
        self.take_offer(segment);
        let both_scale = self.flags & other.flags & flag::WINDOW_SCALE != 0;
        if reply && !both_scale {
            self.scale = 0;
            other.scale = 0;
        }
    }

    /// From a segment in the middle: what came before is not known.
    fn join(&mut self, other: &mut Side, segment: &Segment<'_>, sack: u32) {
        self.end = segment.end;
        self.max_window = (u32::from(segment.window) << self.scale).max(1);
        self.max_end = segment.end.wrapping_add(self.max_window);
        if other.max_window == 0 {
            other.end = sack;
            other.max_end = sack;
        } else if sack == other.end.wrapping_add(1) {
            other.end = sack; // answers a keep-alive
        }
    }

    /// Options of a SYN. Without any the side stays as it is.
    pub(super) fn take_offer(&mut self, segment: &Segment<'_>) {
        if !segment.has_options() {
            return;
        }
        let Offer { window_scale, sack } = segment.offer();
        self.flags &= flag::LIBERAL;
        self.scale = window_scale.unwrap_or_default();
        if window_scale.is_some() {
            self.flags |= flag::WINDOW_SCALE;
        }
        if sack {
            self.flags |= flag::SACK_PERMITTED;
        }
    }
}
