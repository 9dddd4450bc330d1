//! A file that came in parts, over one connection and then another: how far the first got, and the bytes of what followed,
//! in; the whole file out.

use super::archive::Listing;
use super::spool::FileSpool;
use super::{FileContent, Intake, hex};
use sha2::{Digest, Sha256};
use std::io::Read;

/// The first part of a file, ready to go on. Plain data, but for the place on disk where its bytes lie.
#[derive(Debug, Clone)]
pub struct Beginning {
    sha256: Sha256,
    bytes: u64,
    head: Vec<u8>,
    archive: Listing,
    spool: Option<FileSpool>,
}

impl PartialEq for Beginning {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.head == other.head && self.digest() == other.digest()
    }
}

impl Eq for Beginning {}

impl Beginning {
    pub(super) fn of(intake: &Intake) -> Self {
        Self {
            sha256: intake.sha256.clone(),
            bytes: intake.bytes,
            head: intake.head.clone(),
            archive: intake.archive.clone(),
            spool: intake.spooled.as_ref().map(|spooled| spooled.spool()),
        }
    }

    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file that this and the bytes behind it make. It is carved if this was.
    pub fn join<'r>(&self, rest: impl IntoIterator<Item = &'r [u8]>) -> FileContent {
        let mut intake = self.carved().unwrap_or_else(|| Intake {
            sha256: self.sha256.clone(),
            bytes: self.bytes,
            head: self.head.clone(),
            archive: self.archive.clone(),
            spooled: None,
        });
        rest.into_iter().for_each(|bytes| intake.push(bytes));
        intake.finish()
    }

    /// An intake that took these bytes from disk.
    fn carved(&self) -> Option<Intake> {
        const AT_ONCE: usize = 64 << 10;
        let spool = self.spool.as_ref()?;
        let mut file = spool.open(&hex(&self.digest())).ok()?;
        let (mut intake, mut buffer) = (Intake::new(Some(spool)), vec![0; AT_ONCE]);
        loop {
            match file.read(&mut buffer).ok()? {
                0 => return (intake.bytes == self.bytes).then_some(intake),
                bytes => intake.push(buffer.get(..bytes)?),
            }
        }
    }

    fn digest(&self) -> [u8; 32] {
        self.sha256.clone().finalize().into()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn parts_make_the_file_that_the_whole_is() {
        let whole: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
        let folder = tempfile::tempdir().unwrap();
        let spool = FileSpool::new(folder.path());
        for spool in [None, Some(&spool)] {
            let mut intake = Intake::new(spool);
            intake.push(&whole[..60_000]);
            let (content, beginning) = intake.finish_part();
            assert_eq!(content, FileContent { saved: spool.is_some(), ..FileContent::of(&whole[..60_000], None) });
            let joined = beginning.join([&whole[60_000..60_001], &whole[60_001..]]);
            assert_eq!(joined, FileContent { saved: spool.is_some(), ..FileContent::of(&whole, None) });
        }
        let carved = folder.path().join(FileContent::of(&whole, None).sha256_hex());
        assert_eq!(std::fs::read(carved).unwrap(), whole);
    }
}
