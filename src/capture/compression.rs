//! Compressed captures: told by their magic number, decompressed as they are read.

use std::io::{self, BufRead, Read};

/// Decoders may not use more memory than this for a dictionary: `xz -9` needs 65 MiB, `zstd --ultra -22` 128 MiB.
const MAX_DICTIONARY: u64 = 256 << 20;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
    Lz4,
    Xz,
}

impl Compression {
    /// Tells by the first bytes; `None` if they are of no compression that is known.
    pub(super) fn recognise(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            // A skippable frame: pzstd and lz4 tools put some before the first one; zstd's are the ones seen.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [0x04, 0x22, 0x4d, 0x18, ..] | [0x02, 0x21, 0x4c, 0x18, ..] => Some(Self::Lz4),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            _ => None,
        }
    }

    /// Name as in [`CaptureInfo::format`](super::CaptureInfo::format).
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Xz => "xz",
        }
    }

    /// Reads what `raw` holds, all its members one after the other.
    pub(super) fn decoder(self, raw: impl BufRead + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(raw)),
            // Its own limit of the window is 128 MiB.
            Self::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(raw)?),
            Self::Lz4 => Box::new(Lz4Frames(lz4_flex::frame::FrameDecoder::new(raw))),
            Self::Xz => {
                let stream =
                    liblzma::stream::Stream::new_stream_decoder(MAX_DICTIONARY, liblzma::stream::CONCATENATED)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(raw, stream))
            }
        })
    }
}

/// LZ4 frames one after the other: the decoder stops after each.
struct Lz4Frames<R: BufRead>(lz4_flex::frame::FrameDecoder<R>);

impl<R: BufRead> Read for Lz4Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let read = self.0.read(buffer)?;
            // Each turn takes in at least the header of a frame, so it ends with the input.
            if read > 0 || self.0.get_mut().fill_buf()?.is_empty() {
                return Ok(read);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
pub(super) mod tests {
    use super::*;
    use std::io::Write;

    /// `content` compressed in two members.
    pub(crate) fn compressed(compression: Compression, content: &[u8]) -> Vec<u8> {
        let (first, second) = content.split_at(content.len() / 2);
        [first, second].into_iter().flat_map(|part| member(compression, part)).collect()
    }

    fn member(compression: Compression, content: &[u8]) -> Vec<u8> {
        match compression {
            Compression::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Zstd => zstd::encode_all(content, 1).unwrap(),
            Compression::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Xz => {
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
        }
    }

    pub(crate) const ALL: [Compression; 4] = [Compression::Gzip, Compression::Zstd, Compression::Lz4, Compression::Xz];

    #[test]
    fn members_are_read_one_after_the_other() {
        let content: Vec<u8> = (0..300_000_u32).flat_map(|n| (n / 3).to_le_bytes()).collect();
        for compression in ALL {
            let packed = compressed(compression, &content);
            assert_eq!(Compression::recognise(&packed), Some(compression));
            let mut read = Vec::new();
            compression.decoder(io::Cursor::new(packed)).unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, content, "{compression:?}");
        }
    }
}
