//! Options at the end of blocks: code, length, value, padded to four bytes.

use super::super::order::ByteOrder;

const END: u16 = 0;
const COMMENT: u16 = 1;

/// Calls `take` with code and value of each option. The end marker may be missing; an option that does not fit ends
/// the walk.
pub(super) fn each(options: &[u8], order: ByteOrder, mut take: impl FnMut(u16, &[u8])) {
    let mut rest = options;
    while let (Some(code), Some(length)) = (order.u16_at(rest, 0), order.u16_at(rest, 2)) {
        let length = usize::from(length);
        let Some(value) = rest.get(4..4 + length) else { return };
        if code == END {
            return;
        }
        take(code, value);
        rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
    }
}

/// Calls `take` with each comment.
pub(super) fn comments(options: &[u8], order: ByteOrder, mut take: impl FnMut(&[u8])) {
    each(options, order, |code, value| {
        if code == COMMENT {
            take(value);
        }
    });
}
