//! Values while a rule runs: numbers of up to 16 bytes, and buffers for what is wider.

/// Bytes of nf_tables' register file.
pub(super) const MAX_WIDTH: usize = 64;

/// Widest value that is handled as a number.
pub(super) const NUMBER_WIDTH: usize = 16;

/// Big-endian bytes as a number; `None` if they are more than 16.
#[inline]
pub(super) fn number_of(bytes: &[u8]) -> Option<u128> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(u32::from_be_bytes(bytes).into());
    }
    if let Ok(bytes) = <[u8; 16]>::try_from(bytes) {
        return Some(u128::from_be_bytes(bytes));
    }
    if bytes.len() > NUMBER_WIDTH {
        return None;
    }
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte)))
}

/// All ones in so many bytes.
pub(super) fn ones(width: usize) -> u128 {
    if width >= NUMBER_WIDTH { u128::MAX } else { (1 << (width * 8)) - 1 }
}

/// An interface's name as registers hold it: 16 bytes, padded with NUL.
pub(super) fn name_number(name: &str) -> u128 {
    let mut padded = [0; NUMBER_WIDTH];
    for (place, byte) in padded.iter_mut().zip(name.bytes().take(NUMBER_WIDTH - 1)) {
        *place = byte;
    }
    u128::from_be_bytes(padded)
}

/// Bytes that a value is put together from.
#[derive(Debug, Clone)]
pub(super) struct Buffer {
    data: [u8; MAX_WIDTH],
    len: usize,
}

impl Buffer {
    pub fn new() -> Self {
        Self { data: [0; MAX_WIDTH], len: 0 }
    }

    pub fn as_slice(&self) -> &[u8] {
        self.data.get(..self.len).unwrap_or_default()
    }

    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.data.get_mut(..self.len).unwrap_or_default()
    }

    /// So many more bytes, to be filled. `None` if they do not fit.
    pub fn grow(&mut self, by: usize) -> Option<&mut [u8]> {
        let end = self.len.checked_add(by)?;
        let grown = self.data.get_mut(self.len..end)?;
        self.len = end;
        Some(grown)
    }

    pub fn push(&mut self, bytes: &[u8]) -> Option<()> {
        self.grow(bytes.len())?.copy_from_slice(bytes);
        Some(())
    }

    /// The lowest `width` bytes of a number, big-endian.
    pub fn push_number(&mut self, number: u128, width: usize) -> Option<()> {
        let bytes = number.to_be_bytes();
        let zeros = width.saturating_sub(NUMBER_WIDTH);
        self.grow(zeros)?.fill(0);
        self.push(bytes.get(NUMBER_WIDTH.checked_sub(width - zeros)?..)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn numbers_are_big_endian_at_any_width() {
        for width in 0..=16 {
            let bytes: Vec<u8> = (1..=width).collect();
            let number = number_of(&bytes).unwrap();
            let mut buffer = Buffer::new();
            buffer.push_number(number, usize::from(width)).unwrap();
            assert_eq!(buffer.as_slice(), bytes);
            assert!(number <= ones(usize::from(width)));
        }
        assert_eq!(number_of(&[0; 17]), None);
    }

    #[test]
    fn a_buffer_holds_a_register_file_and_no_more() {
        let mut buffer = Buffer::new();
        buffer.push(&[7; 63]).unwrap();
        assert!(buffer.push(&[1, 2]).is_none());
        buffer.push_number(5, 1).unwrap();
        assert_eq!(buffer.as_slice().len(), 64);
        assert!(buffer.grow(1).is_none());
    }

    #[test]
    fn names_are_padded_with_nul() {
        assert_eq!(name_number("eth1").to_be_bytes(), *b"eth1\0\0\0\0\0\0\0\0\0\0\0\0");
    }
}
