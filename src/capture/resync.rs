//! Finding the way back after damage: the next place where several headers in a row make sense.

use std::ops::Range;

/// Bytes at hand of an input.
#[derive(Clone, Copy)]
pub(super) struct Window<'a> {
    /// The bytes.
    pub(super) bytes: &'a [u8],
    /// Where they begin in the (decompressed) input.
    pub(super) base: u64,
    /// Nothing comes after them.
    pub(super) last: bool,
    /// The input could not be read to its end: a cut record is explained by that.
    pub(super) failed: bool,
}

/// What a header at some place looks like.
pub(super) enum Unit {
    /// No header of this format.
    No,
    /// The bytes end before it can be told.
    Short,
    /// A header that makes sense; the next one should be at this offset.
    Next(usize),
    /// So particular that it needs no company.
    Certain,
}

/// Where to go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// A chain of headers begins here.
    Found(usize),
    /// There is none before this offset; more bytes must tell.
    Unsure(usize),
    /// There is none in the range.
    Nothing,
}

/// Headers that must make sense one after the other. One header is 100 bits of chance in pcapng, fewer in pcap, where
/// a frame may also hold a few records of its own; four in a row with close times do not come about by accident.
const CHAIN: usize = 4;

/// The first offset of `range` where a chain of headers begins. Each offset costs at most [`CHAIN`] looks.
pub(super) fn search(window: &Window<'_>, range: Range<usize>, unit: impl Fn(usize) -> Unit) -> Search {
    for at in range {
        match chain(window, at, &unit) {
            Some(true) => return Search::Found(at),
            Some(false) => {}
            None => return Search::Unsure(at),
        }
    }
    Search::Nothing
}

/// Whether a chain begins at an offset; `None` if more bytes must tell.
fn chain(window: &Window<'_>, at: usize, unit: &impl Fn(usize) -> Unit) -> Option<bool> {
    let mut next = at;
    for seen in 0..CHAIN {
        if next == window.bytes.len() {
            return window.last.then_some(seen > 0);
        }
        match unit(next) {
            Unit::No => return Some(false),
            Unit::Certain => return Some(true),
            // The end of a file that was cut: two whole headers are proof enough.
            Unit::Short => return window.last.then_some(seen > 1),
            Unit::Next(after) => next = after,
        }
    }
    Some(true)
}

/// A number as people read it: `12,345`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A format of one-byte headers: a digit tells how far the next one is; `!` is certain.
    fn find(bytes: &[u8], last: bool) -> Search {
        let window = Window { bytes, base: 0, last, failed: false };
        search(&window, 0..bytes.len(), |at| match bytes.get(at) {
            None => Unit::Short,
            Some(b'!') => Unit::Certain,
            Some(digit @ b'1'..=b'9') => Unit::Next(at + usize::from(digit - b'0')),
            Some(_) => Unit::No,
        })
    }

    #[test]
    fn a_chain_of_four_or_up_to_the_end_is_enough() {
        assert_eq!(find(b"xx2.111....", true), Search::Found(2));
        assert_eq!(find(b"xx2.11....", true), Search::Nothing);
        assert_eq!(find(b"xx2.x", true), Search::Nothing);
        assert_eq!(find(b"xx2.", true), Search::Found(2)); // ends where it says
        assert_eq!(find(b"xx9..", true), Search::Nothing); // one header, cut
        assert_eq!(find(b"xx119..", true), Search::Found(2)); // three, the last one cut
        assert_eq!(find(b"xx119..", false), Search::Unsure(2));
        assert_eq!(find(b"xx!", false), Search::Found(2));
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 3_735_928_559].map(grouped), ["0", "999", "1,000", "3,735,928,559"]);
    }
}
