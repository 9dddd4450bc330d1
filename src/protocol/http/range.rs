//! Parts of a file (RFC 9110, 14): heads of responses and their bytes in; what joins one response with others that bring
//! further bytes of the same file out.

use super::event::FilePart;
use crate::protocol::content::{FileContent, Intake};

/// Bytes kept of a part that is not the file's first.
const MAX_REST: usize = 8 << 20;

/// Which bytes of a file a response holds, so far as it came.
#[derive(Debug)]
pub(super) enum Part {
    /// It is no part of a file, or all of one.
    None,
    /// The bytes from the first on, up to where the connection broke or the range ends.
    Beginning,
    /// Bytes from amid the file on.
    Rest { start: u64, total: Option<u64>, bytes: Vec<u8> },
}

impl Part {
    /// By the status of a response and its Content-Range.
    pub(super) fn of_response(status: u16, content_range: Option<&str>) -> Self {
        match (status, content_range.and_then(read)) {
            (200, _) | (206, Some((0, _))) => Self::Beginning,
            (206, Some((start, total))) => Self::Rest { start, total, bytes: Vec::new() },
            _ => Self::None,
        }
    }

    /// The next bytes.
    pub(super) fn push(&mut self, data: &[u8]) {
        if let Self::Rest { bytes, .. } = self {
            if bytes.len() + data.len() > MAX_REST {
                *self = Self::None;
            } else {
                bytes.extend_from_slice(data);
            }
        }
    }

    /// The bytes, and the part that they are. `is_whole`: there are no more of the file.
    pub(super) fn finish(self, intake: Intake, is_whole: bool) -> (FileContent, Option<Box<FilePart>>) {
        match self {
            Self::Beginning if !is_whole && intake.bytes() > 0 => {
                let (content, beginning) = intake.finish_part();
                (content, Some(Box::new(FilePart::Beginning(beginning))))
            }
            Self::Rest { start, total, bytes } if !bytes.is_empty() => {
                (intake.finish(), Some(Box::new(FilePart::Rest { start, total, bytes })))
            }
            _ => (intake.finish(), None),
        }
    }
}

/// `bytes 100-199/500`: the first byte, and the length of the whole, if it is known.
pub(super) fn read(value: &str) -> Option<(u64, Option<u64>)> {
    let range = value.trim().strip_prefix("bytes")?.trim_start();
    let (range, total) = range.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end): (u64, u64) = (start.trim().parse().ok()?, end.trim().parse().ok()?);
    let total = total.trim().parse().ok();
    (start <= end && total.is_none_or(|total| end < total)).then_some((start, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        assert_eq!(read("bytes 100-199/500"), Some((100, Some(500))));
        assert_eq!(read(" bytes 0-0/*"), Some((0, None)));
        for wrong in ["bytes */500", "bytes 5-4/9", "bytes 0-9/9", "lines 0-1/2", "bytes -5/9", ""] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
