//! The words of `--cookie-list`: a file's bytes in, lines out, in pieces that threads take side by side.
//!
//! Lists have tens of millions of words, so they stay as they are read: no word is allocated before one fits.

use memchr::memchr;
use rayon::prelude::*;

/// Bytes that a thread tries at a time, and the rest of a line: some ten thousand words.
const PIECE_BYTES: usize = 128 << 10;

/// Words, one a line. Blanks at their ends and empty lines are left out.
#[derive(Debug, Clone, Default)]
pub struct WordList {
    text: Box<[u8]>,
}

impl From<Vec<u8>> for WordList {
    fn from(text: Vec<u8>) -> Self {
        Self { text: text.into() }
    }
}

impl WordList {
    /// All words, in order.
    pub fn words(&self) -> impl Iterator<Item = &[u8]> {
        words_of(&self.text)
    }

    /// What the first of the first `bytes` bytes' words gives that gives something.
    pub(super) fn find_first<'a, T: Send>(
        &'a self,
        bytes: usize,
        find: impl Fn(&'a [u8]) -> Option<T> + Sync + Send,
    ) -> Option<T> {
        let within = self.pieces().scan(bytes, |left, piece| {
            *left = left.checked_sub(piece.len())?;
            Some(piece)
        });
        let pieces: Vec<&[u8]> = within.collect();
        pieces.into_par_iter().map(find).find_first(Option::is_some).flatten()
    }

    /// Bytes of the list.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The text in pieces of whole lines.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &*self.text;
        std::iter::from_fn(move || {
            let least = PIECE_BYTES.min(rest.len());
            let end =
                rest.get(least..).and_then(|after| memchr(b'\n', after)).map_or(rest.len(), |line| least + line + 1);
            let (piece, after) = rest.split_at_checked(end)?;
            rest = after;
            (!piece.is_empty()).then_some(piece)
        })
    }
}

/// The words of a text.
pub(super) fn words_of(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    let lines = std::iter::from_fn(move || {
        let text = rest?;
        let (line, after) = match memchr(b'\n', text) {
            Some(end) => (text.get(..end)?, text.get(end + 1..)),
            None => (text, None),
        };
        rest = after;
        Some(line)
    });
    lines.map(<[u8]>::trim_ascii_end).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_lines_without_blanks_at_their_ends() {
        let list = WordList::from(b"one\r\n\n two \n\xff\n\nlast".to_vec());
        assert_eq!(list.words().collect::<Vec<_>>(), [&b"one"[..], b" two", b"\xff", b"last"]);
        assert_eq!(WordList::default().words().count(), 0);
    }

    #[test]
    fn pieces_hold_whole_lines_and_all_of_them() {
        let text: Vec<u8> = (0..100_000).flat_map(|number| format!("word{number}\n").into_bytes()).collect();
        let list = WordList::from(text);
        assert!(list.pieces().count() > 5);
        let in_pieces: Vec<&[u8]> = list.pieces().flat_map(words_of).collect();
        assert_eq!(in_pieces, list.words().collect::<Vec<_>>());
        let last = |bytes| {
            list.find_first(bytes, |piece| words_of(piece).find(|word| *word == b"word99999").map(<[u8]>::to_vec))
        };
        assert!(last(list.len()).is_some());
        assert!(last(list.len() - 1).is_none());
    }
}
