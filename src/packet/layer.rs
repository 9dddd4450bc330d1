//! A layer of a frame: its bytes, where they lie, and how long it was on the wire.

/// What is left of a frame from some layer on. Two lengths are kept because captures cut frames: `bytes` ends where
/// the capture does, `wire_len` where the layer ended on the wire.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer<'a> {
    /// Captured bytes, trimmed to what the headers so far say.
    pub bytes: &'a [u8],
    /// Place of the first byte in the bytes that are decoded.
    pub offset: usize,
    /// Bytes on the wire, at least as many as were captured.
    pub wire_len: usize,
}

impl<'a> Layer<'a> {
    /// The first layer of `bytes`, of which `wire_len` were on the wire.
    pub fn whole(bytes: &'a [u8], wire_len: usize) -> Self {
        Self { bytes, offset: 0, wire_len: wire_len.max(bytes.len()) }
    }

    /// What follows a header of `len` bytes; `None` if the header was not captured whole.
    #[inline]
    pub fn skip(self, len: usize) -> Option<Self> {
        Some(Self {
            bytes: self.bytes.get(len..)?,
            offset: self.offset + len,
            wire_len: self.wire_len.saturating_sub(len),
        })
    }

    /// What follows a header of `len` bytes, empty if the capture ends before.
    #[inline]
    pub fn skip_lax(self, len: usize) -> Self {
        let captured = len.min(self.bytes.len());
        Self {
            bytes: self.bytes.get(captured..).unwrap_or_default(),
            offset: self.offset + captured,
            wire_len: self.wire_len.saturating_sub(len),
        }
    }

    /// The layer as long as its header tells: padding goes, and what the capture lacks is known to have been there.
    #[inline]
    pub fn with_len(self, len: usize) -> Self {
        Self { bytes: self.bytes.get(..len).unwrap_or(self.bytes), wire_len: len, ..self }
    }

    /// The layer without what lies behind `len` bytes.
    pub fn at_most(self, len: usize) -> Self {
        self.with_len(len.min(self.wire_len))
    }

    /// The octet at `at`.
    #[inline]
    pub fn u8(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// The 16 bits at `at`, big-endian.
    #[inline]
    pub fn u16(&self, at: usize) -> Option<u16> {
        Some(u16::from_be_bytes(*self.bytes.get(at..)?.first_chunk()?))
    }

    /// The 32 bits at `at`, big-endian.
    #[inline]
    pub fn u32(&self, at: usize) -> Option<u32> {
        Some(u32::from_be_bytes(*self.bytes.get(at..)?.first_chunk()?))
    }

    /// The upper half of the first octet: the version, where the layer is IP.
    pub fn ip_version(&self) -> Option<u8> {
        self.u8(0).map(|octet| octet >> 4)
    }
}
