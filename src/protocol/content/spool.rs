//! Files of a capture on disk, while they flow and when they are whole.
//!
//! A file is written under a number and renamed to its SHA-256 at its end: no name from a capture reaches the disk, and
//! what lies there in the end does not depend on who was first. A file is opened for each piece that is written, for
//! captures may hold more transfers at a time than a process may hold open files.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that wait in memory before they are written.
const MAX_WAITING: usize = 64 << 10;
/// Ending of a file that is not yet complete.
const UNFINISHED: &str = ".unfinished";

/// The folder for files of captures.
#[derive(Debug, Clone)]
pub struct FileSpool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    next: AtomicU64,
    failed: AtomicU64,
}

impl FileSpool {
    /// Writes into a folder that is there.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { shared: Arc::new(Shared { folder: folder.into(), next: AtomicU64::new(0), failed: AtomicU64::new(0) }) }
    }

    /// Files that could not be written.
    pub fn failed(&self) -> u64 {
        self.shared.failed.load(Ordering::Relaxed)
    }

    /// Removes every file whose SHA-256 (in hexadecimal digits) is not among these: of a transfer seen on several
    /// connections the best telling is kept, and of HTTP only what turned out to be a file.
    pub fn keep_only(&self, wanted: &HashSet<String>) -> io::Result<()> {
        for entry in fs::read_dir(&self.shared.folder)? {
            let entry = entry?;
            let is_wanted = entry.file_name().to_str().is_some_and(|name| wanted.contains(name));
            if !is_wanted && entry.file_type()?.is_file() && entry.file_name().to_str().is_some_and(is_ours) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// A file that lies there under its SHA-256.
    pub(super) fn open(&self, sha256: &str) -> io::Result<fs::File> {
        fs::File::open(self.shared.folder.join(sha256))
    }

    /// A file begins.
    pub(super) fn begin(&self) -> SpooledFile {
        let number = self.shared.next.fetch_add(1, Ordering::Relaxed);
        SpooledFile { shared: Arc::clone(&self.shared), number, waiting: Vec::new(), on_disk: false, failed: false }
    }
}

/// Names that this module gives.
fn is_ours(name: &str) -> bool {
    let stem = name.strip_suffix(UNFINISHED).unwrap_or(name);
    stem.len() == 64 && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A file on its way to disk. Dropped before [`SpooledFile::keep`] it leaves nothing behind.
#[derive(Debug)]
pub(super) struct SpooledFile {
    shared: Arc<Shared>,
    number: u64,
    waiting: Vec<u8>,
    on_disk: bool,
    failed: bool,
}

impl SpooledFile {
    /// Where it goes.
    pub(super) fn spool(&self) -> FileSpool {
        FileSpool { shared: Arc::clone(&self.shared) }
    }

    /// Takes the next bytes.
    pub(super) fn write(&mut self, data: &[u8]) {
        if self.failed {
            return;
        }
        self.waiting.extend_from_slice(data);
        if self.waiting.len() >= MAX_WAITING {
            self.flush();
        }
    }

    /// Gives the file its name. Returns whether it is there.
    pub(super) fn keep(mut self, sha256: &str) -> bool {
        if !self.on_disk || !self.waiting.is_empty() {
            self.flush();
        }
        if self.failed {
            return false;
        }
        match fs::rename(self.path(), self.shared.folder.join(sha256)) {
            Ok(()) => self.on_disk = false,
            Err(_) => self.fail(),
        }
        !self.failed
    }

    fn path(&self) -> PathBuf {
        self.shared.folder.join(format!("{:064x}{UNFINISHED}", self.number))
    }

    fn flush(&mut self) {
        let path = self.path();
        match append(&path, &self.waiting) {
            Ok(()) => {
                self.on_disk = true;
                self.waiting.clear();
            }
            Err(_) => self.fail(),
        }
    }

    fn fail(&mut self) {
        self.failed = true;
        self.waiting = Vec::new();
        self.shared.failed.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for SpooledFile {
    fn drop(&mut self) {
        if self.on_disk {
            // What cannot be removed is emptied by the next run into this folder.
            let _ = fs::remove_file(self.path());
        }
    }
}

fn append(path: &Path, data: &[u8]) -> io::Result<()> {
    fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(data)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::super::{FileContent, Intake};
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_are_named_by_their_hash_and_lie_there_once() {
        let folder = tempfile::tempdir().unwrap();
        let spool = FileSpool::new(folder.path());
        let whole = vec![7u8; 200_000];
        let mut one = Intake::new(Some(&spool));
        let mut other = Intake::new(Some(&spool));
        for piece in whole.chunks(30_000) {
            one.push(piece);
            other.push(piece);
        }
        let content = one.finish();
        assert_eq!(content, other.finish());
        assert_eq!(names(folder.path()), [content.sha256_hex()]);
        assert_eq!(fs::read(folder.path().join(content.sha256_hex())).unwrap(), whole);
        let empty = FileContent::of(b"", Some(&spool));
        assert!(empty.saved && names(folder.path()).len() == 2);
        spool.keep_only(&HashSet::from([empty.sha256_hex()])).unwrap();
        assert_eq!(names(folder.path()), [empty.sha256_hex()]);
    }

    #[test]
    fn what_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut intake = Intake::new(Some(&FileSpool::new(folder.path())));
        intake.push(&vec![1; 100_000]);
        assert_eq!(names(folder.path()).len(), 1);
        drop(intake);
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn a_folder_that_is_gone_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let spool = FileSpool::new(folder.path().join("gone"));
        assert!(!FileContent::of(b"x", Some(&spool)).saved);
        assert_eq!(spool.failed(), 1);
    }
}
