//! A line as a terminal shows it: overwriting, erasing and cursor moves applied, escapes gone.

use crate::evidence::Stamp;

/// Length at which a line is cut, in bytes (and in characters while it is built): shells and line protocols stay far
/// below, and a stream without line ends must not grow memory.
pub(super) const MAX_LINE: usize = 4096;

/// Where in an escape sequence (ECMA-48) the stream is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    /// After ESC.
    Start,
    /// ESC and an intermediate byte: one more follows.
    Intermediate,
    /// Control sequence, with the first parameter so far.
    Control(u16),
    /// Control sequence, in its further parameters.
    ControlRest(u16),
    /// Operating system command or the like, to BEL or ESC \.
    Command,
    /// ESC inside such a command.
    CommandEnd,
}

/// One direction's line in the making.
#[derive(Debug, Default)]
pub(super) struct Line {
    chars: Vec<char>,
    cursor: usize,
    escape: Escape,
    utf8: Vec<u8>,
    carriage_return: bool,
    first: Option<Stamp>,
    last: Stamp,
}

/// A finished line with the frames of its first and last byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finished {
    pub(super) text: String,
    pub(super) first: Stamp,
    pub(super) last: Stamp,
}

impl Line {
    /// Takes a byte; `true` if it ends the line (which [`Line::take`] then gives).
    pub(super) fn push(&mut self, byte: u8, stamp: Stamp) -> bool {
        if self.first.is_none() {
            self.first = Some(stamp);
        }
        self.last = stamp;
        if std::mem::take(&mut self.carriage_return) {
            if byte == 0 {
                return true; // RFC 854: CR NUL is the Return key of a terminal in character mode
            }
            self.cursor = 0;
        }
        if self.escape != Escape::None && byte != b'\n' {
            self.escape_byte(byte);
            return false;
        }
        self.escape = Escape::None;
        if !(self.utf8.is_empty() && byte.is_ascii()) {
            self.utf8_byte(byte);
            if !byte.is_ascii() {
                return false;
            }
        }
        match byte {
            b'\n' => return true,
            b'\r' => self.carriage_return = true,
            0x08 => self.cursor = self.cursor.saturating_sub(1),
            0x7f => self.delete_before_cursor(),
            0x15 => self.clear(), // ^U as a person types it
            0x1b => self.escape = Escape::Start,
            b'\t' | 0 => self.put(' '), // NUL stands between the arguments of /proc/PID/cmdline
            0x20..=0x7e => self.put(char::from(byte)),
            _ => {}
        }
        false
    }

    /// `true` if a carriage return came last: the line is done if the other side speaks now.
    pub(super) fn is_returned(&self) -> bool {
        self.carriage_return
    }

    /// Frame of the latest byte of the unfinished line.
    pub(super) fn last_stamp(&self) -> Option<Stamp> {
        self.first.map(|_| self.last)
    }

    /// The line as it stands, if there is anything in it; the next one begins.
    pub(super) fn take(&mut self) -> Option<Finished> {
        self.flush_utf8();
        self.carriage_return = false;
        self.escape = Escape::None;
        self.cursor = 0;
        let first = self.first.take()?;
        let text = text_of(&self.chars);
        self.chars.clear();
        (!text.trim().is_empty()).then_some(Finished { text, first, last: self.last })
    }

    fn put(&mut self, character: char) {
        if self.cursor >= MAX_LINE {
            return;
        }
        while self.chars.len() < self.cursor {
            self.chars.push(' ');
        }
        match self.chars.get_mut(self.cursor) {
            Some(place) => *place = character,
            None => self.chars.push(character),
        }
        self.cursor += 1;
    }

    fn delete_before_cursor(&mut self) {
        if let Some(place) = self.cursor.checked_sub(1) {
            if place < self.chars.len() {
                self.chars.remove(place);
            }
            self.cursor = place;
        }
    }

    fn clear(&mut self) {
        self.chars.clear();
        self.cursor = 0;
    }

    fn escape_byte(&mut self, byte: u8) {
        self.escape = match (self.escape, byte) {
            (Escape::Start, b'[') => Escape::Control(0),
            (Escape::Start, b']' | b'P' | b'X' | b'^' | b'_') => Escape::Command,
            (Escape::Start, 0x20..=0x2f) => Escape::Intermediate,
            (Escape::Control(number), b'0'..=b'9') => {
                Escape::Control(number.saturating_mul(10).saturating_add(u16::from(byte - b'0')))
            }
            (Escape::Control(number) | Escape::ControlRest(number), 0x20..=0x3f) => Escape::ControlRest(number),
            (Escape::Control(number) | Escape::ControlRest(number), 0x40..=0x7e) => {
                self.control(byte, usize::from(number));
                Escape::None
            }
            (Escape::Command, 0x1b) => Escape::CommandEnd,
            (Escape::Command, byte) if byte != 0x07 => Escape::Command,
            (Escape::CommandEnd, byte) if byte != b'\\' => Escape::Command,
            _ => Escape::None,
        };
    }

    /// Cursor moves and erasing within the line; everything else only paints.
    fn control(&mut self, action: u8, number: usize) {
        let count = number.clamp(1, MAX_LINE);
        match action {
            b'C' => self.cursor = (self.cursor + count).min(MAX_LINE),
            b'D' => self.cursor = self.cursor.saturating_sub(count),
            b'G' => self.cursor = count - 1,
            b'J' | b'K' if number == 0 => self.chars.truncate(self.cursor),
            b'J' | b'K' if number == 2 => self.chars.clear(),
            b'P' => {
                let end = (self.cursor + count).min(self.chars.len());
                if self.cursor < end {
                    self.chars.drain(self.cursor..end);
                }
            }
            b'@' => {
                let count = count.min(MAX_LINE.saturating_sub(self.chars.len()));
                if self.cursor <= self.chars.len() {
                    self.chars.splice(self.cursor..self.cursor, std::iter::repeat_n(' ', count));
                }
            }
            _ => {}
        }
    }

    /// Gathers a character of several bytes; what is not UTF-8 becomes U+FFFD.
    fn utf8_byte(&mut self, byte: u8) {
        if byte & 0b1100_0000 != 0b1000_0000 {
            self.flush_utf8();
            if byte.is_ascii() {
                return;
            }
        }
        self.utf8.push(byte);
        match std::str::from_utf8(&self.utf8) {
            Ok(text) => {
                let character = text.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER);
                self.utf8.clear();
                self.put(character);
            }
            Err(error) if error.error_len().is_some() => self.flush_utf8(),
            Err(_) => {}
        }
    }

    fn flush_utf8(&mut self) {
        if !self.utf8.is_empty() {
            self.utf8.clear();
            self.put(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// The characters as text of at most [`MAX_LINE`] bytes.
fn text_of(chars: &[char]) -> String {
    let mut text = String::with_capacity(chars.len());
    for &character in chars {
        if text.len() + character.len_utf8() > MAX_LINE {
            break;
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut line = Line::default();
        let mut out = Vec::new();
        for &byte in bytes {
            if line.push(byte, Stamp::default()) {
                out.extend(line.take().map(|finished| finished.text));
            }
        }
        out.extend(line.take().map(|finished| finished.text));
        out
    }

    #[test]
    fn what_the_terminal_showed_is_what_comes_out() {
        let cases: &[(&[u8], &[&str])] = &[
            (b"one\r\ntwo\nthree", &["one", "two", "three"]),
            (b"\r\n\r\n", &[]),
            (b"\x1b[1;31mred\x1b[0m\n", &["red"]),
            (b"\x1b]0;title\x07$ ls\n", &["$ ls"]),
            (b"\x1b]0;title\x1b\\$ ls\n", &["$ ls"]),
            (b"catt\x08 x\n", &["cat x"]),
            (b"catt\x7f x\n", &["cat x"]),
            (b"progress 10%\rprogress 99%\n", &["progress 99%"]),
            (b"secret\r\x1b[Kdone\n", &["done"]),
            (b"id\r\0", &["id"]),
            (b"a\x1b[3Cb\n", &["a   b"]),
            ("gr\u{fc}n \u{20ac}\n".as_bytes(), &["gr\u{fc}n \u{20ac}"]),
            (b"a\xffb\xe2\x82\n", &["a\u{fffd}b\u{fffd}"]),
            (b"erl\0-setcookie\0x\n", &["erl -setcookie x"]),
        ];
        for (bytes, expected) in cases {
            assert_eq!(&lines(bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn endless_lines_are_cut() {
        let text = lines(&[b'x'; 3 * MAX_LINE]);
        assert_eq!(text.first().map(String::len), Some(MAX_LINE));
        let wide = lines("\u{20ac}".repeat(MAX_LINE).as_bytes());
        assert!(wide.first().is_some_and(|line| line.len() <= MAX_LINE && line.len() > MAX_LINE - 3));
        assert_eq!(lines(b"\x1b[99999C\x1b[99999@x\x1b[Gy\n"), ["y"]);
    }
}
