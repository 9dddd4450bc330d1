//! The record layer of one direction (RFC 8446, 5.1; the same in all versions since SSL 3.0): stream bytes in, whole
//! records out. A decrypting layer stands between this and [`super::handshake`].

use std::cell::Cell;

/// Longest record body: 2^14 bytes and what encryption may add (RFC 5246, 6.2.3).
pub(super) const MAX_BODY: usize = (1 << 14) + 2048;
const HEADER_BYTES: usize = 5;

/// Content types.
pub(super) mod content {
    pub const CHANGE_CIPHER_SPEC: u8 = 20;
    pub const ALERT: u8 = 21;
    pub const HANDSHAKE: u8 = 22;
    pub const APPLICATION_DATA: u8 = 23;
    pub const HEARTBEAT: u8 = 24;
}

/// A whole record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub content_type: u8,
    pub version: [u8; 2],
    pub body: &'a [u8],
}

impl<'a> Record<'a> {
    fn new(header: [u8; HEADER_BYTES], body: &'a [u8]) -> Self {
        let [content_type, major, minor, ..] = header;
        Self { content_type, version: [major, minor], body }
    }

    /// The header as it stood before the body.
    pub(super) fn header(&self) -> [u8; HEADER_BYTES] {
        let [high, low] = (self.body.len() as u16).to_be_bytes();
        let [major, minor] = self.version;
        [self.content_type, major, minor, high, low]
    }
}

/// The bytes are not a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotARecord;

/// Length of the body behind a record header.
fn body_length(header: [u8; HEADER_BYTES]) -> Result<usize, NotARecord> {
    let [content_type, major, minor, high, low] = header;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let known = matches!(content_type, content::CHANGE_CIPHER_SPEC..=content::HEARTBEAT);
    if known && major == 3 && minor <= 4 && length <= MAX_BODY { Ok(length) } else { Err(NotARecord) }
}

/// The next place where a record may begin when nothing before it can be trusted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Candidate<'a> {
    /// A record from `at` to `end`.
    Whole { record: Record<'a>, at: usize, end: usize },
    /// More bytes are needed to tell, from here on.
    Cut(usize),
}

/// Whether bytes begin with a record of application data.
pub(super) fn is_application_data(bytes: &[u8]) -> bool {
    /// The shortest has a byte and its tag.
    const SHORTEST: usize = 17;
    bytes.first_chunk::<HEADER_BYTES>().is_some_and(|header| {
        matches!(header, [content::APPLICATION_DATA, 3, 1..=3, ..])
            && body_length(*header).is_ok_and(|length| length >= SHORTEST)
    })
}

/// How many records may lie in so many bytes that are missing.
pub(super) fn window(lost_bytes: u64) -> u64 {
    /// Shorter ones hold nothing: a header, a tag, and a byte.
    const SHORTEST: u64 = 22;
    /// More are not tried for.
    const MOST: u64 = 4096;
    (lost_bytes / SHORTEST + 1).min(MOST)
}

/// Looks for a record of TLS 1.0 or later from `from` on.
pub(super) fn find(bytes: &[u8], from: usize) -> Candidate<'_> {
    let begins = |window: &[u8]| {
        let fits = |(at, byte): (usize, &u8)| match at {
            0 => (content::CHANGE_CIPHER_SPEC..=content::APPLICATION_DATA).contains(byte),
            1 => *byte == 3,
            2 => (1..=3).contains(byte),
            _ => true,
        };
        window.iter().enumerate().all(fits)
    };
    for at in from..bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        if !begins(rest.get(..HEADER_BYTES).unwrap_or(rest)) {
            continue;
        }
        let Some(header) = rest.first_chunk::<HEADER_BYTES>() else { return Candidate::Cut(at) };
        let Ok(length) = body_length(*header) else { continue };
        let end = at + HEADER_BYTES + length;
        match bytes.get(at + HEADER_BYTES..end) {
            Some(body) => return Candidate::Whole { record: Record::new(*header, body), at, end },
            None => return Candidate::Cut(at),
        }
    }
    Candidate::Cut(bytes.len())
}

thread_local! {
    /// The buffer of the last record that was put together: a quiet conversation holds none, a busy one allocates none.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Cuts a stream into records. Holds at most one record, but for bytes behind a gap.
#[derive(Default)]
pub(super) struct RecordReader {
    pending: Vec<u8>,
    /// Bytes that are missing or were passed over since the last record; `None` where records follow each other.
    lost: Option<u64>,
}

impl RecordReader {
    /// Bytes are missing: records follow again where one is found.
    pub(super) fn lose(&mut self, bytes: u64) {
        let passed = self.lost.unwrap_or_default() + self.pending.len() as u64;
        self.pending.clear();
        self.lost = Some(passed.saturating_add(bytes));
    }

    /// Where the next record begins is not known: so many bytes were lost.
    pub(super) fn lost(&self) -> Option<u64> {
        self.lost
    }

    /// All bytes from which a record is to be found.
    pub(super) fn unread(&mut self, data: &[u8]) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.pending);
        bytes.extend_from_slice(data);
        bytes
    }

    /// No record was found before `at`.
    pub(super) fn keep_from(&mut self, bytes: &[u8], at: usize) {
        self.pending.extend_from_slice(bytes.get(at..).unwrap_or_default());
        self.lost = self.lost.map(|lost| lost.saturating_add(at as u64));
    }

    /// A record was found.
    pub(super) fn found(&mut self) {
        self.lost = None;
    }

    /// Uses bytes up to the end of the next record and gives it to `read`; returns what is left, or `None` if the
    /// record is not complete yet. Records that lie whole in `data` are not copied.
    pub(super) fn next<'a, T>(
        &mut self,
        data: &'a [u8],
        read: impl FnOnce(Record<'_>) -> T,
    ) -> Result<Option<(T, &'a [u8])>, NotARecord> {
        if self.pending.is_empty()
            && let Some(header) = data.first_chunk::<HEADER_BYTES>()
            && let Some((record, rest)) = data.split_at_checked(HEADER_BYTES + body_length(*header)?)
        {
            let body = record.get(HEADER_BYTES..).unwrap_or_default();
            return Ok(Some((read(Record::new(*header, body)), rest)));
        }
        let rest = self.fill(HEADER_BYTES, data);
        let Some(header) = self.pending.first_chunk::<HEADER_BYTES>().copied() else { return Ok(None) };
        let whole = HEADER_BYTES + body_length(header)?;
        let rest = self.fill(whole, rest);
        if self.pending.len() < whole {
            return Ok(None);
        }
        let mut pending = std::mem::take(&mut self.pending);
        let answer = read(Record::new(header, pending.get(HEADER_BYTES..).unwrap_or_default()));
        pending.clear();
        SPARE.set(pending);
        Ok(Some((answer, rest)))
    }

    /// Moves bytes into `pending` until it holds `whole`.
    fn fill<'a>(&mut self, whole: usize, data: &'a [u8]) -> &'a [u8] {
        if self.pending.capacity() == 0 {
            self.pending = SPARE.take();
        }
        let wanted = whole.saturating_sub(self.pending.len());
        let (now, rest) = data.split_at_checked(wanted).unwrap_or((data, &[]));
        self.pending.extend_from_slice(now);
        rest
    }
}
