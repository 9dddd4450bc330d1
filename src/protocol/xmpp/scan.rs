//! Finds the borders of what lies directly under the stream element, in one pass over bytes that come in pieces.
//!
//! The scanner knows the shape of XML (XML 1.0, sections 2 and 3), not its names: tags, attribute values, comments,
//! CDATA, processing instructions, document types. It never looks at a byte twice, whatever the pieces are; what it
//! learns on the way stands on the [`Tape`](super::tape::Tape), so that reading a complete stanza needs no second search for tags.
//!
//! A start tag named `stream` is an item of its own: it has no end until the stream's own.

use super::tape::{Tag, TagKind, Tape, is_name_end};
use memchr::{memchr, memchr2};

/// Open elements within one item: no real stanza comes near, and names are checked with a stack of this size.
const MAX_LEVEL: u32 = 4096;
/// Depth that no real stanza reaches: forwarded messages with XHTML come to two dozen.
const DEEP_LEVEL: u32 = 256;
/// Tags noted of one item: more than any roster has, and 1 MiB of tape at most. Further tags are only counted.
const MAX_TAGS: usize = 65_536;
/// Attributes noted of one tag; stanzas have about five.
const MAX_ATTRIBUTES: u16 = 64;
/// A prefix and `stream`, generously: longer names are not the stream's.
const MAX_STREAM_NAME: usize = 64;
/// Tags below this level have their attributes noted: the item itself and its children.
const ATTRIBUTE_LEVELS: u32 = 2;

/// What kind of thing stands directly under the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// A complete element.
    Element,
    /// A start tag named `stream`.
    Header,
    /// An end tag: the stream's, if all is well.
    EndTag,
    /// `<?xml …?>` or another processing instruction.
    Instruction,
    /// A comment.
    Comment,
    /// A document type declaration.
    Doctype,
}

/// Why bytes are not XML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    /// Not well-formed.
    Malformed,
    /// Elements nested too deep to be followed.
    TooDeep,
}

/// Where a scan stopped. Positions count in the data of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// All data is used.
    More,
    /// An item ends before `end`. It began at `start`, unless it began in earlier data.
    Item {
        /// What it is.
        kind: Item,
        /// Its first byte.
        start: usize,
        /// The byte after it.
        end: usize,
    },
    /// The byte at `at` does not fit.
    Broken {
        /// The byte.
        at: usize,
        /// Why.
        defect: Defect,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between items.
    Top,
    /// Content of an item.
    Content,
    /// After `<`.
    Open,
    /// In a start tag, outside of values.
    StartTag,
    /// In an attribute value that ends with this quote.
    Value(u8),
    /// In an end tag.
    EndTag,
    /// In a processing instruction.
    Instruction,
    /// After `<!`.
    Bang,
    /// After `<!-`.
    BangDash,
    /// In a comment.
    Comment,
    /// After `<![` and this many bytes of `CDATA[`.
    BangCdata(u8),
    /// In a CDATA section.
    Cdata,
    /// In a document type: in its internal subset or not, and within this quote (0 for none).
    Doctype { subset: bool, quote: u8 },
}

/// The state between two pieces of data.
#[derive(Debug)]
pub(super) struct Scanner {
    state: State,
    /// Open elements of the item.
    level: u32,
    /// Position of the tag that is being read, from the item's first byte.
    tag_start: u32,
    /// First value of that tag on the tape.
    values_at: u32,
    /// Values of that tag so far.
    values: u16,
    /// Attributes of that tag so far, noted or not.
    attributes: u16,
    /// Where the item began, in the data in which it began.
    item_start: usize,
    /// The last two bytes of the data before: terminators such as `?>` may be cut.
    tail: [u8; 2],
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            state: State::Top,
            level: 0,
            tag_start: 0,
            values_at: 0,
            values: 0,
            attributes: 0,
            item_start: 0,
            tail: [0; 2],
        }
    }
}

impl Scanner {
    /// `true` between items: nothing of what was scanned is needed any more.
    pub fn is_between_items(&self) -> bool {
        self.state == State::Top
    }

    /// The part of the last data that belongs to the unfinished item, which began in it.
    pub fn unfinished<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        data.get(self.item_start..).unwrap_or_default()
    }

    /// Scans `data` from `from` on. `earlier` holds the bytes of the unfinished item that came before `data`, and is
    /// empty between items (then `from` may be anything; else it is 0).
    pub fn scan(&mut self, tape: &mut Tape, earlier: &[u8], data: &[u8], from: usize) -> Step {
        let step = self.run(&mut Pass { tape, earlier, data, origin: 0usize.wrapping_sub(earlier.len()) }, from);
        match step {
            Step::More => self.keep_tail(data),
            Step::Item { .. } | Step::Broken { .. } => self.state = State::Top,
        }
        step
    }

    fn keep_tail(&mut self, data: &[u8]) {
        self.tail = match data {
            [.., a, b] => [*a, *b],
            [b] => [self.tail[1], *b],
            [] => self.tail,
        };
    }

    fn run(&mut self, pass: &mut Pass<'_>, from: usize) -> Step {
        let mut at = from;
        loop {
            let Some(rest) = pass.data.get(at..).filter(|rest| !rest.is_empty()) else { return Step::More };
            match self.state {
                State::Top => {
                    let Some(skip) = rest.iter().position(|byte| !byte.is_ascii_whitespace()) else {
                        return Step::More;
                    };
                    at += skip;
                    if rest.get(skip) != Some(&b'<') {
                        return broken(at);
                    }
                    pass.origin = at;
                    self.item_start = at;
                    self.begin_item(pass.tape);
                    at += 1;
                }
                State::Content => {
                    let Some(skip) = memchr(b'<', rest) else { return Step::More };
                    self.begin_tag(pass.place(at + skip), pass.tape);
                    at += skip + 1;
                }
                State::Open => {
                    let Some(byte) = rest.first() else { return Step::More };
                    self.state = match byte {
                        b'/' => State::EndTag,
                        b'?' => State::Instruction,
                        b'!' => State::Bang,
                        byte if is_name_start(*byte) => State::StartTag,
                        _ => return broken(at),
                    };
                    at += 1;
                }
                State::StartTag => {
                    let Some((skip, byte)) = next_in_tag(rest) else { return Step::More };
                    at += skip;
                    match byte {
                        b'>' => {
                            if let Some(step) = self.end_start_tag(pass, at) {
                                return step;
                            }
                        }
                        b'<' => return broken(at),
                        quote => {
                            self.begin_value(pass.place(at), pass.tape);
                            self.state = State::Value(quote);
                        }
                    }
                    at += 1;
                }
                State::Value(quote) => {
                    let Some(skip) = memchr2(quote, b'<', rest) else { return Step::More };
                    at += skip;
                    if rest.get(skip) == Some(&b'<') {
                        return broken(at);
                    }
                    self.end_value(pass.place(at), pass.tape);
                    self.state = State::StartTag;
                    at += 1;
                }
                State::EndTag => {
                    let Some(skip) = memchr2(b'>', b'<', rest) else { return Step::More };
                    at += skip;
                    if rest.get(skip) == Some(&b'<') {
                        return broken(at);
                    }
                    at += 1;
                    self.note_tag(pass, at, TagKind::End);
                    if self.level <= 1 {
                        let kind = if self.level == 0 { Item::EndTag } else { Item::Element };
                        return Step::Item { kind, start: pass.origin, end: at };
                    }
                    self.level -= 1;
                    self.state = State::Content;
                }
                State::Instruction => {
                    let Some(end) = self.find_end(pass.data, at, |before| before[1] == b'?') else { return Step::More };
                    at = end;
                    pass.tape.has_instruction = true;
                    if let Some(step) = self.end_aside(pass, Item::Instruction, at) {
                        return step;
                    }
                }
                State::Bang => {
                    self.state = match rest.first() {
                        Some(b'-') => State::BangDash,
                        Some(b'[') if self.level > 0 => State::BangCdata(0),
                        Some(b'D') if self.level == 0 => State::Doctype { subset: false, quote: 0 },
                        _ => return broken(at),
                    };
                    at += 1;
                }
                State::BangDash => {
                    if rest.first() != Some(&b'-') {
                        return broken(at);
                    }
                    self.state = State::Comment;
                    at += 1;
                }
                State::Comment => {
                    let Some(end) = self.find_end(pass.data, at, |before| before == *b"--") else { return Step::More };
                    at = end;
                    pass.tape.has_comment = true;
                    if let Some(step) = self.end_aside(pass, Item::Comment, at) {
                        return step;
                    }
                }
                State::BangCdata(seen) => {
                    if rest.first() != b"CDATA[".get(usize::from(seen)) {
                        return broken(at);
                    }
                    self.state = if seen == 5 { State::Cdata } else { State::BangCdata(seen + 1) };
                    at += 1;
                }
                State::Cdata => {
                    let Some(end) = self.find_end(pass.data, at, |before| before == *b"]]") else { return Step::More };
                    at = end;
                    self.state = State::Content;
                }
                State::Doctype { subset, quote } => {
                    let Some(byte) = rest.first().copied() else { return Step::More };
                    at += 1;
                    self.state = match (byte, quote) {
                        (byte, quote) if quote != 0 => {
                            State::Doctype { subset, quote: if byte == quote { 0 } else { quote } }
                        }
                        (b'"' | b'\'', _) => State::Doctype { subset, quote: byte },
                        (b'[', _) => State::Doctype { subset: true, quote },
                        (b']', _) => State::Doctype { subset: false, quote },
                        (b'>', _) if !subset => {
                            return Step::Item { kind: Item::Doctype, start: pass.origin, end: at };
                        }
                        _ => self.state,
                    };
                }
            }
        }
    }

    fn begin_item(&mut self, tape: &mut Tape) {
        tape.clear();
        self.level = 0;
        self.begin_tag(0, tape);
    }

    fn begin_tag(&mut self, place: u32, tape: &Tape) {
        self.tag_start = place;
        // At most two values a byte of an item, whose length fits.
        self.values_at = tape.values.len() as u32;
        self.values = 0;
        self.attributes = 0;
        self.state = State::Open;
    }

    fn begin_value(&mut self, place: u32, tape: &mut Tape) {
        self.attributes = self.attributes.saturating_add(1);
        if self.attributes > MAX_ATTRIBUTES {
            tape.has_many_attributes = true;
        }
        if self.level >= ATTRIBUTE_LEVELS {
            return;
        }
        if self.values < MAX_ATTRIBUTES && tape.tags.len() < MAX_TAGS {
            tape.values.push((place, place));
        } else {
            tape.overflowed = true;
        }
    }

    fn end_value(&mut self, place: u32, tape: &mut Tape) {
        if self.level >= ATTRIBUTE_LEVELS || self.values >= MAX_ATTRIBUTES || tape.tags.len() >= MAX_TAGS {
            return;
        }
        if let Some(value) = tape.values.last_mut() {
            value.1 = place;
            self.values += 1;
        }
    }

    /// A start tag ends with the `>` at `at`.
    fn end_start_tag(&mut self, pass: &mut Pass<'_>, at: usize) -> Option<Step> {
        let before = at.checked_sub(1).and_then(|before| pass.data.get(before)).copied().unwrap_or(self.tail[1]);
        let empty = before == b'/';
        self.note_tag(pass, at + 1, if empty { TagKind::Empty } else { TagKind::Start });
        let whole = |kind| Some(Step::Item { kind, start: pass.origin, end: at + 1 });
        if self.level == 0 {
            if !empty && pass.is_stream_tag(at) {
                return whole(Item::Header);
            }
            if empty {
                return whole(Item::Element);
            }
        }
        self.state = State::Content;
        if !empty {
            self.level += 1;
            if self.level > DEEP_LEVEL {
                pass.tape.is_deep = true;
            }
            if self.level > MAX_LEVEL {
                return Some(Step::Broken { at, defect: Defect::TooDeep });
            }
        }
        None
    }

    /// A comment or instruction ends: it is an item of its own between items, and nothing inside of one.
    fn end_aside(&mut self, pass: &Pass<'_>, kind: Item, end: usize) -> Option<Step> {
        if self.level == 0 {
            return Some(Step::Item { kind, start: pass.origin, end });
        }
        self.state = State::Content;
        None
    }

    fn note_tag(&mut self, pass: &mut Pass<'_>, end: usize, kind: TagKind) {
        if pass.tape.tags.len() < MAX_TAGS {
            let tag = Tag {
                start: self.tag_start,
                end: pass.place(end),
                values_at: self.values_at,
                values: self.values,
                kind,
            };
            pass.tape.tags.push(tag);
        } else {
            pass.tape.overflowed = true;
        }
    }

    /// The position after the next `>` from `from` on that follows two bytes of which `fits` says yes.
    fn find_end(&self, data: &[u8], from: usize, fits: impl Fn([u8; 2]) -> bool) -> Option<usize> {
        let mut at = from;
        loop {
            at += memchr(b'>', data.get(at..)?)?;
            let before = match at {
                0 => self.tail,
                1 => [self.tail[1], data.first().copied().unwrap_or_default()],
                _ => [data.get(at - 2).copied().unwrap_or_default(), data.get(at - 1).copied().unwrap_or_default()],
            };
            at += 1;
            if fits(before) {
                return Some(at);
            }
        }
    }
}

/// One call's data.
struct Pass<'a> {
    tape: &'a mut Tape,
    earlier: &'a [u8],
    data: &'a [u8],
    /// Position of the item's first byte in `data`; wraps below zero for an item that began earlier.
    origin: usize,
}

impl Pass<'_> {
    /// A position of `data` as counted from the item's first byte. Items are cut off long before 4 GiB.
    fn place(&self, at: usize) -> u32 {
        at.wrapping_sub(self.origin) as u32
    }

    /// Whether the item's first tag, whose `>` is at `end`, is named `stream`, whatever its prefix.
    fn is_stream_tag(&self, end: usize) -> bool {
        let mut start = [0u8; MAX_STREAM_NAME];
        let bytes = if self.earlier.is_empty() {
            let tag = self.data.get(self.origin..end).unwrap_or_default();
            tag.get(..MAX_STREAM_NAME).unwrap_or(tag)
        } else {
            let joined = self.earlier.iter().chain(self.data);
            let mut length = 0;
            for (slot, byte) in start.iter_mut().zip(joined.take(self.earlier.len() + end)) {
                *slot = *byte;
                length += 1;
            }
            start.get(..length).unwrap_or_default()
        };
        let name = bytes.get(1..).unwrap_or_default();
        let name = name.split(|byte| is_name_end(*byte)).next().unwrap_or_default();
        name == b"stream" || name.ends_with(b":stream")
    }
}

fn broken(at: usize) -> Step {
    Step::Broken { at, defect: Defect::Malformed }
}

/// The next byte within a start tag that means something: a quote, an angle bracket.
fn next_in_tag(rest: &[u8]) -> Option<(usize, u8)> {
    rest.iter().position(|byte| MEANS_SOMETHING[usize::from(*byte)]).and_then(|at| Some((at, *rest.get(at)?)))
}

/// Bytes that end a run within a start tag. Runs are short there (a name and an equals sign), so a table look-up a
/// byte is quicker than a vectorised search with its set-up.
static MEANS_SOMETHING: [bool; 256] = {
    let mut table = [false; 256];
    table[b'>' as usize] = true;
    table[b'<' as usize] = true;
    table[b'"' as usize] = true;
    table[b'\'' as usize] = true;
    table
};

/// Whether a name may begin with this byte; any byte above ASCII may.
fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':') || byte >= 0x80
}
