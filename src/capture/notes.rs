//! What is learned of a capture beside its frames. All of it is bounded: a capture can be written to be all notes.

use super::resync::{Window, grouped};
use super::{CaptureInfo, Damage};
use crate::evidence::CaptureId;
use std::net::IpAddr;

/// Places of damage that are listed; a file damaged more often than this is beyond a list.
const MAX_DAMAGE: usize = 256;
/// Comments kept, and bytes of each: people write some lines, not megabytes.
const MAX_COMMENTS: usize = 10_000;
const MAX_COMMENT_BYTES: usize = 4096;
/// Names kept: Wireshark writes a name per address of the capture.
const MAX_NAMES: usize = 100_000;
/// A host name has at most 255 bytes (RFC 1035).
const MAX_NAME_BYTES: usize = 255;
/// Bytes of TLS key log lines kept, about 300,000 secrets.
const MAX_SECRET_BYTES: usize = 64 << 20;

/// Collects what [`CaptureInfo`] tells, while frames are read.
pub(super) struct Notes {
    capture: CaptureId,
    /// Number of the last frame, as Wireshark counts: records without packets count too.
    pub(super) number: u64,
    damage: Vec<Damage>,
    damage_left_out: u64,
    comments: Vec<(Option<u64>, String)>,
    names: Vec<(IpAddr, String)>,
    tls_secrets: Vec<String>,
    tls_secret_bytes: usize,
    tls_secrets_taken: usize,
    over: Vec<&'static str>,
}

impl Notes {
    pub(super) fn new(capture: CaptureId) -> Self {
        Self {
            capture,
            number: 0,
            damage: Vec::new(),
            damage_left_out: 0,
            comments: Vec::new(),
            names: Vec::new(),
            tls_secrets: Vec::new(),
            tls_secret_bytes: 0,
            tls_secrets_taken: 0,
            over: Vec::new(),
        }
    }

    pub(super) fn damage(&mut self, offset: u64, cause: impl Into<String>) {
        if self.damage.len() < MAX_DAMAGE {
            self.damage.push(Damage { capture: self.capture, offset, cause: cause.into() });
        } else {
            self.damage_left_out += 1;
        }
    }

    /// Bytes that were passed over, from `offset` up to `next`, where reading went on or the input ended.
    pub(super) fn skipped(&mut self, offset: u64, cause: &str, next: u64) {
        let bytes = grouped(next.saturating_sub(offset));
        self.damage(offset, format!("{cause}; {bytes} bytes skipped"));
    }

    /// The input ends within something that begins at `at` and should go on to `end`. Not noted if the input could
    /// not be read to its end: that is a damage of its own, and the cut is only what follows from it.
    pub(super) fn cut(&mut self, window: &Window<'_>, at: usize, what: &str, end: usize) {
        if !window.failed {
            let has = grouped(window.bytes.len().saturating_sub(at) as u64);
            let needs = grouped(end.saturating_sub(at) as u64);
            self.damage(window.base + at as u64, format!("the file ends within {what}: {has} of {needs} bytes"));
        }
    }

    pub(super) fn comment(&mut self, frame: Option<u64>, text: &[u8]) {
        if self.comments.len() >= MAX_COMMENTS {
            return self.too_many("comments");
        }
        let text = text.get(..MAX_COMMENT_BYTES).unwrap_or(text);
        self.comments.push((frame, String::from_utf8_lossy(text).into_owned()));
    }

    pub(super) fn name(&mut self, address: IpAddr, name: &[u8]) {
        if self.names.len() >= MAX_NAMES {
            return self.too_many("names");
        }
        if !name.is_empty() && name.len() <= MAX_NAME_BYTES {
            self.names.push((address, String::from_utf8_lossy(name).into_owned()));
        }
    }

    pub(super) fn tls_secret(&mut self, line: &str) {
        if self.tls_secret_bytes + line.len() > MAX_SECRET_BYTES {
            return self.too_many("TLS secrets");
        }
        self.tls_secret_bytes += line.len();
        self.tls_secrets.push(line.to_owned());
    }

    /// Appends the TLS key log lines that came since the last call.
    pub(super) fn take_tls_secrets(&mut self, into: &mut Vec<String>) {
        into.extend(self.tls_secrets.get(self.tls_secrets_taken..).unwrap_or_default().iter().cloned());
        self.tls_secrets_taken = self.tls_secrets.len();
    }

    fn too_many(&mut self, what: &'static str) {
        if !self.over.contains(&what) {
            self.over.push(what);
            let frame = self.number;
            self.damage(0, format!("more {what} than are kept; those after frame {frame} are left out"));
        }
    }

    /// Moves everything into the description of the capture.
    pub(super) fn finish(mut self, info: &mut CaptureInfo) {
        self.damage.sort_by_key(|damage| damage.offset);
        if self.damage_left_out > 0 {
            let offset = self.damage.last().map_or(0, |damage| damage.offset);
            let cause = format!("{} more places of damage", grouped(self.damage_left_out));
            self.damage.push(Damage { capture: self.capture, offset, cause });
        }
        info.damage = self.damage;
        info.comments = self.comments;
        info.names = self.names;
        info.tls_secrets = self.tls_secrets;
    }
}
