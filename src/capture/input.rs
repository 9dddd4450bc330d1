//! One input, looked into: how it is compressed, whether it is a capture, when its first frame was captured.

use super::Block;
use super::bytes::{Whole, read_up_to};
use super::compression::Compression;
use super::notes::Notes;
use super::parse::{Parser, RecordParser, Step};
use super::resync::{Window, grouped};
use super::source::{BlockSizes, Origin, Source};
use crate::evidence::CaptureId;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes at the front of an input that tell it from others, and seed the masking key.
pub(super) const HEAD: usize = 64 << 10;
/// Bytes in which the first frame should begin; if it does not, the file is opened at once to find it.
const LOOK: usize = 1 << 20;

/// How an input is read.
pub(super) enum Place {
    /// A file, opened when its first frame is due.
    File(PathBuf),
    /// In memory.
    Memory(Arc<Whole>),
    /// Already open, since it can be read only once.
    Stream(Box<dyn Read + Send>),
}

/// An input of the case.
pub(super) struct Input {
    /// As given or found; `-` for standard input.
    pub(super) path: String,
    pub(super) place: Place,
    /// Bytes on disk, where it is known.
    pub(super) size: Option<u64>,
    pub(super) compression: Option<Compression>,
    /// Why it is no capture.
    pub(super) unreadable: Option<String>,
    /// Time of the first frame, if a look at the front tells.
    pub(super) first_ns: Option<i64>,
    /// Of the first bytes; never the plain hash of them, which for a small file the report tells.
    pub(super) head_hash: [u8; 32],
}

impl Input {
    /// Looks into a file.
    pub(super) fn file(path: &Path) -> io::Result<Self> {
        let name = path.display().to_string();
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(Self::stream(name, Box::new(file)));
        }
        if metadata.len() == 0 {
            return Ok(Self::whole(name, Place::File(path.to_owned()), Arc::new(Whole::Memory(Vec::new()))));
        }
        Ok(match Whole::map(&file) {
            Ok(whole) => Self::whole(name, Place::File(path.to_owned()), Arc::new(whole)),
            Err(_) => Self::stream(name, Box::new(file)),
        })
    }

    /// Looks into bytes.
    pub(super) fn memory(name: String, bytes: Vec<u8>) -> Self {
        let whole = Arc::new(Whole::Memory(bytes));
        Self::whole(name, Place::Memory(Arc::clone(&whole)), whole)
    }

    /// Looks into what was kept of a pipe.
    pub(super) fn kept(name: String, whole: Arc<Whole>) -> Self {
        Self::whole(name, Place::Memory(Arc::clone(&whole)), whole)
    }

    /// An input that cannot be opened.
    pub(super) fn unreadable(path: &Path, reason: String) -> Self {
        Self {
            path: path.display().to_string(),
            place: Place::File(path.to_owned()),
            size: None,
            compression: None,
            unreadable: Some(reason),
            first_ns: None,
            head_hash: head_hash(&[]),
        }
    }

    /// Looks at the front of a stream. A short one is then in memory.
    pub(super) fn stream(path: String, mut reader: Box<dyn Read + Send>) -> Self {
        let mut head = Vec::new();
        match read_up_to(&mut reader, HEAD, &mut head) {
            Ok(false) => Self::memory(path, head),
            Err(error) if head.is_empty() => Self::unreadable(Path::new(&path), error.to_string()),
            // An error comes again when what follows is read.
            Ok(true) | Err(_) => Self::continued(path, head, reader),
        }
    }

    /// A stream of which the first bytes were read.
    pub(super) fn continued(path: String, head: Vec<u8>, rest: Box<dyn Read + Send>) -> Self {
        let compression = Compression::recognise(&head);
        let look = match compression {
            None => Look::at(&Window { bytes: &head, base: 0, last: false, failed: false }, None),
            // A head may hold too little of a compressed block to tell anything: reading will.
            Some(_) => Look { unreadable: None, first_ns: None },
        };
        Self {
            path,
            size: None,
            compression,
            unreadable: look.unreadable,
            first_ns: look.first_ns,
            head_hash: head_hash(&head),
            place: Place::Stream(Box::new(Cursor::new(head).chain(rest))),
        }
    }

    fn whole(path: String, place: Place, whole: Arc<Whole>) -> Self {
        let bytes = whole.bytes();
        let head = bytes.get(..HEAD).unwrap_or(bytes);
        let compression = Compression::recognise(head);
        let (size, head_hash) = (Some(bytes.len() as u64), head_hash(head));
        let source = Source::open(Origin::Whole(whole), compression, BlockSizes::default());
        let window = source.window();
        let front = match window.bytes.get(..LOOK) {
            Some(front) => Window { bytes: front, last: false, ..window },
            None => window,
        };
        let Look { unreadable, first_ns } = Look::at(&front, source.failure().map(|(_, cause)| cause));
        Self { path, place, size, compression, unreadable, first_ns, head_hash }
    }

    /// SHA-256 of the whole file; `None` if it cannot be read, or only once.
    pub(super) fn content_hash(&self) -> Option<[u8; 32]> {
        let mut hash = Sha256::new();
        match &self.place {
            Place::File(path) => {
                let mut file = File::open(path).ok()?;
                let mut piece = Vec::new();
                while read_up_to(&mut file, LOOK, &mut piece).ok()? {
                    hash.update(&piece);
                    piece.clear();
                }
                hash.update(&piece);
            }
            Place::Memory(whole) => hash.update(whole.bytes()),
            Place::Stream(_) => return None,
        }
        Some(hash.finalize().into())
    }
}

impl Place {
    /// Opens the input to be read.
    pub(super) fn open(self) -> io::Result<Origin> {
        Ok(match self {
            Self::File(path) => {
                let file = File::open(path)?;
                match file.metadata()?.len() {
                    0 => Origin::Whole(Arc::new(Whole::Memory(Vec::new()))),
                    _ => match Whole::map(&file) {
                        Ok(whole) => Origin::Whole(Arc::new(whole)),
                        Err(_) => Origin::Stream(Box::new(file)),
                    },
                }
            }
            Self::Memory(whole) => Origin::Whole(whole),
            Self::Stream(reader) => Origin::Stream(reader),
        })
    }
}

/// What the first bytes tell.
struct Look {
    unreadable: Option<String>,
    first_ns: Option<i64>,
}

impl Look {
    /// `failure`: why decompression stopped.
    fn at(window: &Window<'_>, failure: Option<&str>) -> Self {
        let Some((mut parser, mut at)) = Parser::recognise(window) else {
            return Self { unreadable: Some(not_a_capture(window, failure)), first_ns: None };
        };
        let mut notes = Notes::new(CaptureId::default());
        let first_ns = match parser.step(window, &mut at, &mut notes) {
            Step::Frame(frame) => Some(frame.time_ns),
            Step::More(_) | Step::End => None,
        };
        Self { unreadable: None, first_ns }
    }
}

/// Why bytes are of no capture.
pub(super) fn not_a_capture(window: &Window<'_>, failure: Option<&str>) -> String {
    match (window.bytes, failure) {
        ([], None) => "the file is empty".to_owned(),
        (_, Some(failure)) => format!("cannot be decompressed: {failure}"),
        (bytes, None) if Parser::may_begin(bytes) => {
            format!("the file ends within its header: {} bytes", grouped(bytes.len() as u64))
        }
        _ => "not a capture: neither pcap nor pcapng".to_owned(),
    }
}

fn head_hash(head: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(b"jabberscope: head of an input\0");
    hash.update(head);
    hash.finalize().into()
}
