//! What one pass over an item has found: its tags, and the attribute values of the outer ones.

/// Kind of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TagKind {
    /// `<a>`
    Start,
    /// `</a>`
    End,
    /// `<a/>`
    Empty,
}

/// A tag of an item; positions count from the item's first byte.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag {
    /// Of its `<`.
    pub start: u32,
    /// Of the byte after its `>`.
    pub end: u32,
    /// First of its values on the tape.
    pub values_at: u32,
    /// Number of its values on the tape.
    pub values: u16,
    /// Start, end, empty.
    pub kind: TagKind,
}

/// What one pass has found in an item.
#[derive(Debug, Default)]
pub(super) struct Tape {
    /// Tags in order of appearance.
    pub tags: Vec<Tag>,
    /// Attribute values of the outer tags: position of the opening and of the closing quote.
    pub values: Vec<(u32, u32)>,
    /// A comment stands inside the item.
    pub has_comment: bool,
    /// A processing instruction stands inside the item.
    pub has_instruction: bool,
    /// Elements were nested deeper than in any real stanza.
    pub is_deep: bool,
    /// A tag has more attributes than those of any real stanza.
    pub has_many_attributes: bool,
    /// There were more tags or attributes than are noted.
    pub overflowed: bool,
}

impl Tape {
    /// Forgets the last item; keeps the space.
    pub fn clear(&mut self) {
        self.tags.clear();
        self.values.clear();
        self.has_comment = false;
        self.has_instruction = false;
        self.is_deep = false;
        self.has_many_attributes = false;
        self.overflowed = false;
    }
}

/// Whether a name in a tag ends before this byte.
pub(super) fn is_name_end(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>')
}
