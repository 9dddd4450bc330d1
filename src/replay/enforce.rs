//! What cannot have happened once a packet was stopped.
//!
//! A capture shows a conversation as it went without the rules. If a rule drops a packet, what comes after it in the
//! capture is partly fiction: the peer cannot acknowledge or answer what it never received. [`Course`] follows one
//! conversation and says of each packet whether it would have been sent at all.
//!
//! TCP: dropped sequence numbers leave a hole. A packet that acknowledges beyond the other side's hole was never sent,
//! and from then on nothing of the conversation is believed but retransmissions that fill the hole, and a new SYN.
//! What the sender had under way behind the hole is judged as captured, but its peer's application never sees it.
//! After a TCP reset the conversation is over. Other protocols: an answer needs the packet before it.
//!
//! Left out: that one conversation makes another (a relay's second leg, a port that EPMD gave).

use super::flows::{Part, Segment};

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It reached its peer.
    Passed,
    /// It passed, but waits behind something that was lost.
    Behind,
    /// A fragment that waits for the others, or was put together with them.
    Held,
    /// Dropped without a word.
    Dropped,
    /// Dropped, and the sender was told.
    Rejected,
    /// It was never sent.
    Unsent,
}

impl Fate {
    /// `true` if a rule stopped it.
    pub fn is_stopped(self) -> bool {
        matches!(self, Self::Dropped | Self::Rejected)
    }

    /// `true` if its content arrived.
    pub fn arrived(self) -> bool {
        matches!(self, Self::Passed | Self::Held)
    }
}

/// A conversation under a ruleset.
#[derive(Debug, Clone, Copy, Default)]
pub struct Course {
    /// Lowest sequence number that was stopped and not sent again, opener's and answerer's.
    lost: [Option<u32>; 2],
    /// Next sequence number that the peer awaits.
    delivered: [Option<u32>; 2],
    /// What is captured from here on did not happen.
    broken: bool,
    /// The sender was reset.
    dead: bool,
    /// The last packet of each side was stopped (protocols without sequence numbers).
    silenced: [bool; 2],
}

/// `true` if sequence number `a` is after `b` (RFC 9293, 3.4).
fn after(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) > 0
}

fn covers(segment: &Segment, at: u32) -> bool {
    segment.len > 0 && !after(segment.seq, at) && after(segment.seq.wrapping_add(segment.len), at)
}

impl Course {
    /// `true` if the packet would have been sent.
    pub fn is_plausible(&self, part: &Part) -> bool {
        let (mine, other) = sides(part);
        let Some(segment) = &part.segment else {
            // The opener needs nobody's word to speak.
            return part.direction == 0 || !self.silenced[other];
        };
        if segment.opens() {
            return true;
        }
        if self.dead {
            return false;
        }
        if let (Some(ack), Some(lost)) = (segment.ack, self.lost[other])
            && after(ack, lost)
        {
            return false;
        }
        !self.broken || self.lost[mine].is_some_and(|lost| covers(segment, lost))
    }

    /// Takes note of a packet. Gives its fate, corrected to [`Fate::Behind`] where it waits for what was lost.
    pub fn note(&mut self, part: &Part, fate: Fate, reset: bool) -> Fate {
        let (mine, _) = sides(part);
        self.silenced[mine] = !fate.arrived();
        let Some(segment) = &part.segment else { return fate };
        match fate {
            Fate::Unsent => self.broken = true,
            Fate::Dropped | Fate::Rejected => {
                self.dead |= reset;
                self.lose(mine, segment);
            }
            Fate::Passed => return self.deliver(mine, segment),
            Fate::Behind | Fate::Held => {}
        }
        fate
    }

    fn lose(&mut self, mine: usize, segment: &Segment) {
        let end = segment.seq.wrapping_add(segment.len);
        let already_there = self.delivered[mine].is_some_and(|next| !after(end, next));
        if segment.len > 0 && !already_there {
            let lowest = self.lost[mine].filter(|lost| !after(*lost, segment.seq));
            self.lost[mine] = Some(lowest.unwrap_or(segment.seq));
        }
    }

    fn deliver(&mut self, mine: usize, segment: &Segment) -> Fate {
        if segment.opens() {
            (self.dead, self.broken) = (false, false);
        }
        let end = segment.seq.wrapping_add(segment.len);
        match self.lost[mine] {
            Some(lost) if covers(segment, lost) => {
                self.lost[mine] = None;
                self.broken = false;
            }
            Some(lost) if segment.len > 0 && after(segment.seq, lost) => return Fate::Behind,
            _ => {}
        }
        if self.delivered[mine].is_none_or(|next| after(end, next)) {
            self.delivered[mine] = Some(end);
        }
        Fate::Passed
    }
}

/// Index of the packet's side, and of the other.
fn sides(part: &Part) -> (usize, usize) {
    let mine = usize::from(part.direction & 1);
    (mine, 1 - mine)
}

#[cfg(test)]
mod tests {
    use super::super::flows::FlowId;
    use super::*;

    fn tcp(direction: u8, seq: u32, len: u32, ack: Option<u32>, flags: u8) -> Part {
        Part { flow: FlowId(0), direction, segment: Some(Segment { seq, len, ack, flags }), payload: 40 }
    }

    fn udp(direction: u8) -> Part {
        Part { flow: FlowId(0), direction, segment: None, payload: 28 }
    }

    #[test]
    fn after_a_dropped_syn_nothing_follows_but_another_syn() {
        let mut course = Course::default();
        let syn = tcp(0, 100, 1, None, 2);
        assert_eq!(course.note(&syn, Fate::Dropped, false), Fate::Dropped);
        let answer = tcp(1, 500, 1, Some(101), 0x12);
        assert!(!course.is_plausible(&answer));
        course.note(&answer, Fate::Unsent, false);
        assert!(!course.is_plausible(&tcp(0, 101, 0, Some(501), 0x10)));
        assert!(!course.is_plausible(&tcp(0, 101, 40, Some(501), 0x18)));
        assert!(course.is_plausible(&syn));
        assert_eq!(course.note(&syn, Fate::Passed, false), Fate::Passed);
        assert!(course.is_plausible(&answer));
    }

    #[test]
    fn data_behind_a_hole_is_not_read_until_the_hole_is_filled() {
        let mut course = Course::default();
        course.note(&tcp(0, 100, 1, None, 2), Fate::Passed, false);
        course.note(&tcp(1, 500, 1, Some(101), 0x12), Fate::Passed, false);
        course.note(&tcp(0, 101, 50, Some(501), 0x18), Fate::Dropped, false);
        let next = tcp(0, 151, 50, Some(501), 0x18);
        assert!(course.is_plausible(&next));
        assert_eq!(course.note(&next, Fate::Passed, false), Fate::Behind);
        assert!(!course.is_plausible(&tcp(1, 501, 10, Some(151), 0x18)), "acknowledges what never came");
        assert!(course.is_plausible(&tcp(1, 501, 10, Some(101), 0x18)), "sent before the loss");
        let again = tcp(0, 101, 50, Some(501), 0x18);
        assert_eq!(course.note(&again, Fate::Passed, false), Fate::Passed);
        assert!(course.is_plausible(&tcp(1, 501, 10, Some(151), 0x18)));
    }

    #[test]
    fn a_retransmission_that_is_dropped_takes_nothing_away() {
        let mut course = Course::default();
        let data = tcp(0, 100, 50, Some(1), 0x18);
        course.note(&data, Fate::Passed, false);
        course.note(&data, Fate::Dropped, false);
        assert!(course.is_plausible(&tcp(1, 1, 5, Some(150), 0x18)));
    }

    #[test]
    fn sequence_numbers_wrap() {
        let mut course = Course::default();
        course.note(&tcp(0, u32::MAX - 9, 20, Some(1), 0x18), Fate::Dropped, false);
        assert!(!course.is_plausible(&tcp(1, 1, 5, Some(10), 0x18)));
        assert!(course.is_plausible(&tcp(1, 1, 5, Some(u32::MAX - 9), 0x18)));
    }

    #[test]
    fn a_reset_ends_it() {
        let mut course = Course::default();
        course.note(&tcp(0, 100, 50, Some(1), 0x18), Fate::Rejected, true);
        assert!(!course.is_plausible(&tcp(0, 100, 50, Some(1), 0x18)));
        assert!(!course.is_plausible(&tcp(1, 1, 0, Some(100), 0x10)));
        assert!(course.is_plausible(&tcp(0, 900, 1, None, 2)));
    }

    #[test]
    fn an_answer_needs_its_question() {
        let mut course = Course::default();
        course.note(&udp(0), Fate::Dropped, false);
        assert!(!course.is_plausible(&udp(1)));
        course.note(&udp(1), Fate::Unsent, false);
        assert!(course.is_plausible(&udp(0)));
        course.note(&udp(0), Fate::Passed, false);
        assert!(course.is_plausible(&udp(1)));
    }
}
