//! Frame headers (RFC 6455, 5.2), which may be cut anywhere.

/// Longest header: two bytes, eight of length, four of mask.
const MAX_HEADER: usize = 14;
/// Longest payload of a control frame.
const MAX_CONTROL: u64 = 125;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    /// More of the message under way.
    Continuation,
    /// A message of text or bytes begins.
    Message,
    /// The connection ends.
    Close,
    /// Ping or pong.
    Control,
}

/// A frame under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// The last one of its message.
    pub fin: bool,
    /// The first reserved bit: the message is deflated (RFC 7692).
    pub deflated: bool,
    pub opcode: Opcode,
    /// Key of the mask, if there is one.
    pub mask: Option<[u8; 4]>,
    /// Bytes of payload that are still to come.
    pub left: u64,
    /// Payload bytes that came: where the mask stands.
    pub came: u64,
}

/// What the first bytes of a frame are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// A header of so many bytes.
    Whole(Frame, usize),
    /// More bytes are needed.
    Cut,
    /// No header.
    Broken,
}

/// Reads a header.
pub(super) fn read(bytes: &[u8]) -> Header {
    let [first, rest @ ..] = bytes else { return Header::Cut };
    let opcode = match first & 0x0f {
        0 => Opcode::Continuation,
        1 | 2 => Opcode::Message,
        8 => Opcode::Close,
        9 | 10 => Opcode::Control,
        _ => return Header::Broken,
    };
    let fin = first & 0x80 != 0;
    let is_control = matches!(opcode, Opcode::Close | Opcode::Control);
    if first & 0x30 != 0 || (is_control && (!fin || first & 0x40 != 0)) {
        return Header::Broken;
    }
    let [second, rest @ ..] = rest else { return Header::Cut };
    let (length, rest) = match second & 0x7f {
        126 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
            None => return Header::Cut,
        },
        127 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => return Header::Cut,
        },
        short => (u64::from(short), rest),
    };
    // The first bit of a length is zero.
    if length >> 63 != 0 || (is_control && length > MAX_CONTROL) {
        return Header::Broken;
    }
    let (mask, rest) = match (second & 0x80 != 0, rest.split_first_chunk()) {
        (false, _) => (None, rest),
        (true, Some((mask, rest))) => (Some(*mask), rest),
        (true, None) => return Header::Cut,
    };
    let frame = Frame { fin, deflated: first & 0x40 != 0, opcode, mask, left: length, came: 0 };
    Header::Whole(frame, bytes.len() - rest.len())
}

impl Frame {
    /// Ping, pong or close: it may stand between the frames of a message.
    pub fn is_control(&self) -> bool {
        matches!(self.opcode, Opcode::Close | Opcode::Control)
    }

    /// Moves `bytes` of payload on.
    pub fn pass(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
        self.came = self.came.wrapping_add(bytes);
    }

    /// The next payload bytes without their mask, appended to `plain`.
    pub fn unmask(&self, data: &[u8], plain: &mut Vec<u8>) {
        match self.mask {
            None => plain.extend_from_slice(data),
            Some(mut mask) => {
                mask.rotate_left((self.came % 4) as usize);
                plain.extend(data.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
            }
        }
    }
}

/// Puts headers together that come in pieces.
#[derive(Debug, Default)]
pub(super) struct HeaderReader {
    bytes: Vec<u8>,
}

impl HeaderReader {
    /// The next header, and the bytes behind it.
    pub fn read<'a>(&mut self, data: &'a [u8]) -> (Header, &'a [u8]) {
        if self.bytes.is_empty() {
            let header = read(data);
            return match header {
                Header::Whole(_, length) => (header, data.get(length..).unwrap_or_default()),
                Header::Broken => (header, &[]),
                Header::Cut => {
                    self.bytes.extend_from_slice(data);
                    (header, &[])
                }
            };
        }
        let before = self.bytes.len();
        let room = MAX_HEADER.saturating_sub(before).min(data.len());
        self.bytes.extend_from_slice(data.get(..room).unwrap_or_default());
        let header = read(&self.bytes);
        match header {
            Header::Cut => (header, &[]),
            Header::Whole(_, length) => {
                self.bytes.clear();
                (header, data.get(length.saturating_sub(before)..).unwrap_or_default())
            }
            Header::Broken => {
                self.bytes.clear();
                (header, &[])
            }
        }
    }

    /// Forgets a header that was cut by a gap.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_masks_of_every_size() {
        let frame = |left, mask| Frame { fin: true, deflated: false, opcode: Opcode::Message, mask, left, came: 0 };
        let cases: [(&[u8], Header); 11] = [
            (b"\x81\x05hello", Header::Whole(frame(5, None), 2)),
            (b"\x82\x85abcdhello", Header::Whole(frame(5, Some(*b"abcd")), 6)),
            (b"\x81\x7e\x01\x00", Header::Whole(frame(256, None), 4)),
            (b"\x81\x7f\x00\x00\x00\x01\x00\x00\x00\x00", Header::Whole(frame(1 << 32, None), 10)),
            (b"\x81\x7f\x80\x00\x00\x01\x00\x00\x00\x00", Header::Broken),
            (b"\x81\x85abc", Header::Cut),
            (b"\x81", Header::Cut),
            (b"\x83\x00", Header::Broken),
            (b"\xa1\x00", Header::Broken),
            (b"\x09\x00", Header::Broken),
            (b"\x89\x7e\x01\x00", Header::Broken),
        ];
        for (bytes, want) in cases {
            assert_eq!(read(bytes), want, "{bytes:x?}");
        }
    }
}
