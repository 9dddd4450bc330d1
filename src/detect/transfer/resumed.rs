//! In-band bytes that crossed one connection up to its loss, and the next one from there on: parts in, the file out.
//!
//! What the sender had not been told to have arrived it sends again (XEP-0198, 5), so parts may overlap.

use crate::evidence::Sighting;
use crate::protocol::content::{Beginning, FileContent};
use crate::protocol::xmpp::{IbbPart, IbbTransfer};

/// Between a connection's last block and the next one's first; servers keep a stream for minutes.
const MAX_DELAY_NS: i64 = 3_600_000_000_000;
/// Parts that one file is made of.
const MAX_RESTS: usize = 16;

/// Parts of one transfer.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// The longest beginning, the number of the block behind it, and when that was due.
    beginning: Option<(Beginning, u16, i64)>,
    /// What followed, and when.
    rests: Vec<(i64, IbbPart)>,
}

impl Parts {
    /// Those of the first leg.
    pub(super) fn of(leg: &IbbTransfer, at: &Sighting) -> Self {
        let mut parts = Self::default();
        parts.add(leg, at);
        parts
    }

    /// Takes what a leg has of the file.
    pub(super) fn add(&mut self, leg: &IbbTransfer, at: &Sighting) {
        match leg.part.as_deref() {
            Some(IbbPart::Beginning { beginning, next }) => {
                let known = self.beginning.as_ref().map_or(0, |(known, ..)| known.bytes());
                if beginning.bytes() > known {
                    self.beginning = Some((beginning.clone(), *next, at.last.time_ns));
                }
            }
            Some(rest @ IbbPart::Rest { .. }) if self.rests.len() < MAX_RESTS => {
                self.rests.push((at.first.time_ns, rest.clone()));
            }
            _ => {}
        }
    }

    /// A leg has what lies behind, or before, what there is.
    pub(super) fn go_on(&self, leg: &IbbTransfer, at: &Sighting) -> bool {
        let follows = |before: i64, after: i64| (0..MAX_DELAY_NS).contains(&after.saturating_sub(before));
        let Some(part) = leg.part.as_deref() else { return false };
        let is_before =
            |next: u16, (time, rest): &(i64, IbbPart)| follows(at.last.time_ns, *time) && behind(rest, next).is_some();
        let is_behind = |(next, time): (u16, i64)| follows(time, at.first.time_ns) && behind(part, next).is_some();
        let next = match part {
            IbbPart::Beginning { next, .. } => Some(*next),
            rest => end(rest),
        };
        let of_beginning = self.beginning.iter().map(|(_, next, time)| (*next, *time));
        let of_rests = self.rests.iter().filter_map(|(time, rest)| Some((end(rest)?, *time)));
        next.is_some_and(|next| self.rests.iter().any(|rest| is_before(next, rest)))
            || of_beginning.chain(of_rests).any(is_behind)
    }

    /// The file as far as its parts follow each other, and whether it was closed behind the last.
    pub(super) fn whole(&self) -> Option<(FileContent, bool)> {
        let (beginning, mut next, _) = self.beginning.as_ref()?.clone();
        let mut rests: Vec<_> = self.rests.iter().collect();
        rests.sort_by_key(|(time, _)| *time);
        let (mut pieces, mut is_closed) = (Vec::new(), false);
        for (_, rest) in rests {
            let (Some(bytes), Some(end), IbbPart::Rest { closed, .. }) = (behind(rest, next), end(rest), rest) else {
                continue;
            };
            pieces.push(bytes);
            next = end;
            is_closed |= *closed;
        }
        (!pieces.is_empty()).then(|| (beginning.join(pieces), is_closed))
    }
}

/// Number of the block behind a part.
fn end(rest: &IbbPart) -> Option<u16> {
    match rest {
        IbbPart::Rest { first, ends, .. } => Some(first.wrapping_add(ends.len() as u16)),
        IbbPart::Beginning { .. } => None,
    }
}

/// The bytes of a part from this block on; `None` if blocks between are missing, or none is left.
fn behind(rest: &IbbPart, next: u16) -> Option<&[u8]> {
    let IbbPart::Rest { first, bytes, ends, .. } = rest else { return None };
    let again = usize::from(next.wrapping_sub(*first));
    let from = match again.checked_sub(1) {
        Some(last) => *ends.get(last)?,
        None => 0,
    };
    (again < ends.len()).then(|| bytes.get(from..)).flatten()
}
