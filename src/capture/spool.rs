//! Inputs that can be read only once, kept for a second reading: standard input and pipes, in files that have no name
//! and go with the process.

use super::bytes::Whole;
use super::error::CaptureError;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The argument that stands for standard input.
pub(super) const STDIN: &str = "-";

/// What was kept, by argument.
#[derive(Default, Clone)]
pub struct Spool {
    kept: HashMap<PathBuf, Arc<Whole>>,
}

impl Spool {
    /// Reads to its end what the arguments name that cannot be read again. `TMPDIR` says where the copies lie; there
    /// is no limit but its room.
    pub fn of(arguments: &[String]) -> Result<Self, CaptureError> {
        let mut kept = HashMap::new();
        for argument in arguments {
            let path = PathBuf::from(argument);
            let once = argument == STDIN || fs::metadata(&path).is_ok_and(|is| !is.is_file() && !is.is_dir());
            if !once || kept.contains_key(&path) {
                continue;
            }
            let copied = if argument == STDIN { copy(&mut io::stdin().lock()) } else { copy_file(&path) };
            let whole = copied.map_err(|source| CaptureError::Spool { path: path.clone(), source })?;
            kept.insert(path, Arc::new(whole));
        }
        Ok(Self { kept })
    }

    /// What was kept of an argument.
    pub(super) fn get(&self, path: &Path) -> Option<Arc<Whole>> {
        self.kept.get(path).map(Arc::clone)
    }
}

fn copy_file(path: &Path) -> io::Result<Whole> {
    copy(&mut File::open(path)?)
}

fn copy(from: &mut dyn Read) -> io::Result<Whole> {
    let mut file = tempfile::tempfile()?;
    match io::copy(from, &mut file)? {
        0 => Ok(Whole::Memory(Vec::new())),
        _ => Whole::map(&file),
    }
}
