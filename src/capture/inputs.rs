//! What the command line names: files, folders, patterns and `-`, down to single inputs, each of them once.

use super::SkippedInput;
use super::error::CaptureError;
use super::hashing::hex;
use super::input::Input;
use super::spool::{STDIN, Spool};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Endings of capture names. They decide only whether a file of a folder that holds no capture is worth a word.
const CAPTURE_NAMES: [&str; 8] = ["pcap", "pcapng", "cap", "ntar", "pcap.gz", "pcap.zst", "pcap.lz4", "pcap.xz"];

/// An input as it was named or found.
struct Found {
    path: PathBuf,
    /// Named itself, not found in a folder or by a pattern.
    named: bool,
}

/// The inputs of a case, and what was passed over.
#[derive(Default)]
pub(super) struct Inputs {
    pub(super) inputs: Vec<Input>,
    pub(super) skipped: Vec<SkippedInput>,
}

impl Inputs {
    /// Finds and looks into everything the arguments name. Each file is taken once.
    pub(super) fn find(arguments: &[String], kept: &Spool) -> Result<Self, CaptureError> {
        let mut inputs = Self::default();
        let mut found = Vec::new();
        for argument in arguments {
            if argument == STDIN {
                found.push(Found { path: PathBuf::from(STDIN), named: true });
            } else {
                inputs.expand(Path::new(argument), &mut found)?;
            }
        }
        let mut seen = HashSet::new();
        for Found { path, named } in found {
            let stdin = path == Path::new(STDIN);
            let canonical = if stdin { path.clone() } else { fs::canonicalize(&path).unwrap_or_else(|_| path.clone()) };
            if !seen.insert(canonical) {
                inputs.skip(&path, "the same file as another input");
            } else if let Some(whole) = kept.get(&path) {
                inputs.inputs.push(Input::kept(path.display().to_string(), whole));
            } else if stdin {
                inputs.inputs.push(Input::stream(STDIN.to_owned(), Box::new(io::stdin())));
            } else {
                inputs.take(path, named);
            }
        }
        inputs.drop_copies();
        inputs.require_a_capture()?;
        Ok(inputs)
    }

    fn skip(&mut self, path: &Path, reason: impl Into<String>) {
        self.skipped.push(SkippedInput { path: path.display().to_string(), reason: reason.into() });
    }

    /// Files that an argument stands for.
    fn expand(&mut self, path: &Path, found: &mut Vec<Found>) -> Result<(), CaptureError> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                let mut files = Vec::new();
                list(path, &mut files).map_err(|source| CaptureError::Folder { path: path.to_owned(), source })?;
                self.add_found(files, found);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let pattern = path.to_string_lossy();
                if !pattern.contains(['*', '?', '[']) {
                    return Err(CaptureError::Missing { path: path.to_owned() });
                }
                let files = fitting(&pattern)?;
                self.add_found(files, found);
            }
            // What cannot be opened says so when it is.
            Ok(_) | Err(_) => found.push(Found { path: path.to_owned(), named: true }),
        }
        Ok(())
    }

    /// Adds the files of a folder or pattern, and those of its folders, in the order of their paths.
    fn add_found(&mut self, paths: Vec<PathBuf>, found: &mut Vec<Found>) {
        let mut files = Vec::new();
        let mut left = paths;
        while let Some(path) = left.pop() {
            let Ok(metadata) = fs::metadata(&path) else {
                self.skip(&path, "cannot be opened");
                continue;
            };
            if !metadata.is_dir() {
                files.push(path);
            } else if path.is_symlink() {
                self.skip(&path, "a link to a folder: name the folder itself"); // links may run in circles
            } else if let Err(error) = list(&path, &mut left) {
                self.skip(&path, error.to_string());
            }
        }
        files.sort();
        found.extend(files.into_iter().map(|path| Found { path, named: false }));
    }

    /// Looks into a file, and takes it if it is a capture, or was named to be one.
    fn take(&mut self, path: PathBuf, named: bool) {
        let regular = fs::metadata(&path).is_ok_and(|metadata| metadata.is_file());
        if !named && !regular {
            return self.skip(&path, "not a regular file");
        }
        let input = Input::file(&path).unwrap_or_else(|error| Input::unreadable(&path, error.to_string()));
        match &input.unreadable {
            Some(reason) if !named && !has_capture_name(&path) => self.skip(&path, reason.clone()),
            _ => self.inputs.push(input),
        }
    }

    /// Copies of a file count once. Contents are compared only where size and first bytes agree.
    fn drop_copies(&mut self) {
        let mut alike: HashMap<(u64, [u8; 32]), u32> = HashMap::new();
        let key = |input: &Input| Some((input.size.filter(|size| *size > 0)?, input.head_hash));
        for key in self.inputs.iter().filter_map(key) {
            *alike.entry(key).or_default() += 1;
        }
        let mut first: HashMap<[u8; 32], String> = HashMap::new();
        for input in std::mem::take(&mut self.inputs) {
            let has_twin = key(&input).and_then(|key| alike.get(&key)).is_some_and(|count| *count > 1);
            match has_twin.then(|| input.content_hash()).flatten() {
                Some(hash) => match first.get(&hash) {
                    Some(original) => {
                        let reason = format!("a copy of {original} (SHA-256 {})", hex(&hash));
                        self.skipped.push(SkippedInput { path: input.path, reason });
                    }
                    None => {
                        first.insert(hash, input.path.clone());
                        self.inputs.push(input);
                    }
                },
                None => self.inputs.push(input),
            }
        }
    }

    /// At least one input must be a capture, else there is nothing to tell of.
    pub(super) fn require_a_capture(&self) -> Result<(), CaptureError> {
        /// Reasons that are told: one is mostly enough to understand.
        const TOLD: usize = 3;
        if self.inputs.iter().any(|input| input.unreadable.is_none()) {
            return Ok(());
        }
        let of_inputs = self.inputs.iter().filter_map(|input| Some((&input.path, input.unreadable.as_ref()?)));
        let of_skipped = self.skipped.iter().map(|skipped| (&skipped.path, &skipped.reason));
        let told: Vec<String> =
            of_inputs.chain(of_skipped).take(TOLD).map(|(path, reason)| format!("{path}: {reason}")).collect();
        let more = (self.inputs.len() + self.skipped.len()).saturating_sub(told.len());
        let reason = match (told.is_empty(), more) {
            (true, _) => "no capture was named".to_owned(),
            (false, 0) => told.join("; "),
            (false, more) => format!("{}; and {more} more", told.join("; ")),
        };
        Err(CaptureError::NothingReadable { reason })
    }
}

/// Appends what a folder holds.
fn list(folder: &Path, into: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        into.push(entry?.path());
    }
    Ok(())
}

/// The paths that fit a pattern that the shell left alone.
fn fitting(pattern: &str) -> Result<Vec<PathBuf>, CaptureError> {
    let bad = |error: glob::PatternError| CaptureError::BadPattern {
        pattern: pattern.to_owned(),
        reason: error.msg.to_owned(),
    };
    let paths: Vec<PathBuf> = glob::glob(pattern).map_err(bad)?.filter_map(Result::ok).collect();
    if paths.is_empty() {
        return Err(CaptureError::NoMatch { pattern: pattern.to_owned() });
    }
    Ok(paths)
}

fn has_capture_name(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    CAPTURE_NAMES.iter().any(|ending| name.strip_suffix(ending).is_some_and(|stem| stem.ends_with('.')))
}
