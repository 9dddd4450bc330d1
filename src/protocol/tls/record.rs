//! The record layer of one direction (RFC 8446, 5.1; the same in all versions since SSL 3.0): stream bytes in, whole
//! records out. A decrypting layer stands between this and [`super::handshake`].

/// Longest record body: 2^14 bytes and what encryption may add (RFC 5246, 6.2.3).
const MAX_BODY: usize = (1 << 14) + 2048;
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
    pub body: &'a [u8],
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

/// Cuts a stream into records. Holds at most one record.
#[derive(Default)]
pub(super) struct RecordReader {
    pending: Vec<u8>,
}

impl RecordReader {
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
            return Ok(Some((read(Record { content_type: header[0], body }), rest)));
        }
        let rest = self.fill(HEADER_BYTES, data);
        let Some(header) = self.pending.first_chunk::<HEADER_BYTES>().copied() else { return Ok(None) };
        let whole = HEADER_BYTES + body_length(header)?;
        let rest = self.fill(whole, rest);
        if self.pending.len() < whole {
            return Ok(None);
        }
        let body = self.pending.get(HEADER_BYTES..).unwrap_or_default();
        let answer = read(Record { content_type: header[0], body });
        self.pending.clear();
        Ok(Some((answer, rest)))
    }

    /// Moves bytes into `pending` until it holds `whole`.
    fn fill<'a>(&mut self, whole: usize, data: &'a [u8]) -> &'a [u8] {
        let wanted = whole.saturating_sub(self.pending.len());
        let (now, rest) = data.split_at_checked(wanted).unwrap_or((data, &[]));
        self.pending.extend_from_slice(now);
        rest
    }
}
