//! The file behind a content coding (RFC 9110, 8.4.1): transferred bytes in, the decoded file hashed and carved out.
//!
//! What [`super::coding`] keeps of a body is bounded; here all of it flows by, but may not grow beyond all measure.

use crate::protocol::content::{FileContent, FileSpool, Intake};
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use std::io::{self, Write};

/// What may be decoded: so much in any case, and so many bytes a transferred one.
const FREE_GROWTH: u64 = 16 << 20;
const MAX_GROWTH: u64 = 64;

/// Decodes one body.
pub(super) struct Decoded {
    decoder: Decoder,
    came: u64,
    failed: bool,
}

enum Decoder {
    Gzip(Box<MultiGzDecoder<File>>),
    Zlib(Box<ZlibDecoder<File>>),
}

/// Takes decoded bytes as long as there may be more.
struct File {
    intake: Intake,
    limit: u64,
}

impl Write for File {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.intake.bytes().saturating_add(data.len() as u64) > self.limit {
            return Err(io::Error::other("it grows beyond all measure"));
        }
        self.intake.push(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Decoded {
    /// For a body with this `Content-Encoding`; `None` if it has none, or one that is not read.
    pub(super) fn new(coding: Option<&str>, spool: Option<&FileSpool>) -> Option<Self> {
        let file = || File { intake: Intake::new(spool), limit: FREE_GROWTH };
        let decoder = match coding?.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Decoder::Gzip(Box::new(MultiGzDecoder::new(file()))),
            "deflate" => Decoder::Zlib(Box::new(ZlibDecoder::new(file()))),
            _ => return None,
        };
        Some(Self { decoder, came: 0, failed: false })
    }

    /// The next transferred bytes.
    pub(super) fn push(&mut self, data: &[u8]) {
        if self.failed {
            return;
        }
        self.came = self.came.saturating_add(data.len() as u64);
        let limit = FREE_GROWTH.saturating_add(self.came.saturating_mul(MAX_GROWTH));
        let written = match &mut self.decoder {
            Decoder::Gzip(decoder) => {
                decoder.get_mut().limit = limit;
                decoder.write_all(data)
            }
            Decoder::Zlib(decoder) => {
                decoder.get_mut().limit = limit;
                decoder.write_all(data)
            }
        };
        self.failed = written.is_err();
    }

    /// The file; `None` if it could not be read to its end.
    pub(super) fn finish(self, ended: bool) -> Option<FileContent> {
        if self.failed || !ended || self.came == 0 {
            return None;
        }
        let file = match self.decoder {
            Decoder::Gzip(decoder) => decoder.finish(),
            Decoder::Zlib(decoder) => decoder.finish(),
        };
        file.ok().map(|file| file.intake.finish())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;
    use flate2::Compression;

    fn decoded(coding: &str, data: &[u8], ended: bool) -> Option<FileContent> {
        let mut decoded = Decoded::new(Some(coding), None).unwrap();
        data.chunks(7).for_each(|piece| decoded.push(piece));
        decoded.finish(ended)
    }

    #[test]
    fn the_file_is_hashed_and_not_its_coding() {
        let file: Vec<u8> = (0..100_000u32).map(|n| (n / 7) as u8).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&file).unwrap();
        let gzip = gzip.finish().unwrap();
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(&file).unwrap();
        assert_eq!(decoded("gzip", &gzip, true), Some(FileContent::of(&file, None)));
        assert_eq!(decoded("Deflate", &zlib.finish().unwrap(), true), Some(FileContent::of(&file, None)));
        assert_eq!(decoded("gzip", &gzip[..gzip.len() / 2], true), None);
        assert_eq!(decoded("gzip", b"no gzip at all", true), None);
        assert!(Decoded::new(Some("br"), None).is_none() && Decoded::new(None, None).is_none());
    }

    #[test]
    fn what_grows_beyond_measure_is_given_up() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Compression::best());
        let zeros = vec![0u8; 1 << 20];
        (0..40).for_each(|_| gzip.write_all(&zeros).unwrap());
        assert_eq!(decoded("gzip", &gzip.finish().unwrap(), true), None);
    }
}
