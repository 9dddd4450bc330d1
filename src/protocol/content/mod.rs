//! A file as its bytes flow by: any protocol's bytes in; length, SHA-256, media type and what the file gives away out.
//!
//! Bytes are hashed where they lie. Kept are a head (media types and secrets stand there), the tail of a ZIP (its table
//! of contents), and one header of a tar archive at a time; so a file may be of any length. With a [`FileSpool`] the bytes
//! go to disk too.

mod archive;
pub mod exposure;
mod part;
mod spool;

pub use exposure::Exposure;
pub use part::Beginning;
pub use spool::FileSpool;

use sha2::{Digest, Sha256};
use spool::SpooledFile;

/// Bytes kept of a file's beginning: keys and configuration files fit, and what tells media types lies within.
const MAX_HEAD: usize = 32 << 10;
/// Things that one file is said to give away.
const MAX_EXPOSURES: usize = 16;

/// What is known of a file that crossed. Plain data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileContent {
    /// Bytes that were seen.
    pub bytes: u64,
    /// SHA-256 of these.
    pub sha256: [u8; 32],
    /// Media type by content; `None` for an empty file.
    pub media_type: Option<&'static str>,
    /// The ending that files of its kind have, where content tells the kind: `exe`, `zip`.
    pub extension: Option<&'static str>,
    /// What content, or names within an archive, give away.
    pub exposures: Vec<Exposure>,
    /// The bytes lie in the case folder, under their SHA-256.
    pub saved: bool,
}

impl FileContent {
    /// SHA-256 in hexadecimal digits.
    pub fn sha256_hex(&self) -> String {
        hex(&self.sha256)
    }

    /// Where the bytes lie in the case folder.
    pub fn saved_as(&self) -> Option<String> {
        self.saved.then(|| format!("files/{}", self.sha256_hex()))
    }

    /// The content of a file that lies whole in memory.
    pub fn of(bytes: &[u8], spool: Option<&FileSpool>) -> Self {
        let mut intake = Intake::new(spool);
        intake.push(bytes);
        intake.finish()
    }
}

/// Takes in one file.
#[derive(Debug, Default)]
pub struct Intake {
    sha256: Sha256,
    bytes: u64,
    head: Vec<u8>,
    archive: archive::Listing,
    spooled: Option<SpooledFile>,
}

impl Intake {
    /// A file of which nothing came yet; it goes to the spool too, if there is one.
    pub fn new(spool: Option<&FileSpool>) -> Self {
        Self { spooled: spool.map(FileSpool::begin), ..Self::default() }
    }

    /// The next bytes.
    pub fn push(&mut self, data: &[u8]) {
        self.sha256.update(data);
        self.bytes = self.bytes.saturating_add(data.len() as u64);
        let in_head = MAX_HEAD.saturating_sub(self.head.len()).min(data.len());
        self.head.extend_from_slice(data.get(..in_head).unwrap_or_default());
        self.archive.push(&self.head, data, in_head);
        if let Some(spooled) = &mut self.spooled {
            spooled.write(data);
        }
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// No more bytes will come here; elsewhere the file may go on.
    pub fn finish_part(self) -> (FileContent, Beginning) {
        let beginning = Beginning::of(&self);
        (self.finish(), beginning)
    }

    /// No more bytes will come.
    pub fn finish(self) -> FileContent {
        let sha256: [u8; 32] = self.sha256.finalize().into();
        let mut exposures = exposure::of_content(&self.head, self.bytes);
        exposures.extend(self.archive.finish(&self.head));
        exposures.truncate(MAX_EXPOSURES);
        let saved = self.spooled.is_some_and(|spooled| spooled.keep(&hex(&sha256)));
        let extension = infer::get(&self.head).map(|found| found.extension());
        FileContent { bytes: self.bytes, sha256, media_type: media_type(&self.head), extension, exposures, saved }
    }
}

/// By content: magic numbers, and else text or not.
fn media_type(head: &[u8]) -> Option<&'static str> {
    if head.is_empty() {
        return None;
    }
    let is_text = |head: &[u8]| {
        let text = match std::str::from_utf8(head) {
            Ok(text) => text,
            // A character may be cut at the end of the head.
            Err(error) if error.error_len().is_none() && head.len() >= MAX_HEAD => return true,
            Err(_) => return false,
        };
        !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}' | '\u{1b}'))
    };
    match infer::get(head) {
        Some(found) => Some(found.mime_type()),
        None if is_text(head) => Some("text/plain"),
        None => Some("application/octet-stream"),
    }
}

/// Hexadecimal digits in lower case.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn pieces_make_the_file() {
        let whole: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
        let mut intake = Intake::default();
        whole.chunks(777).for_each(|piece| intake.push(piece));
        let content = intake.finish();
        assert_eq!(content, FileContent::of(&whole, None));
        assert_eq!((content.bytes, content.media_type), (100_000, Some("application/octet-stream")));
        assert_eq!(content.sha256, <[u8; 32]>::from(Sha256::digest(&whole)));
    }

    #[test]
    fn media_types_are_told_by_content() {
        assert_eq!(FileContent::of(b"", None).media_type, None);
        assert_eq!(FileContent::of(b"hello\n", None).media_type, Some("text/plain"));
        assert_eq!(FileContent::of(b"\x89PNG\r\n\x1a\n....", None).media_type, Some("image/png"));
        assert_eq!(FileContent::of(b"%PDF-1.7\n", None).media_type, Some("application/pdf"));
        assert_eq!(FileContent::of(&[0, 1, 2, 3], None).media_type, Some("application/octet-stream"));
    }
}
