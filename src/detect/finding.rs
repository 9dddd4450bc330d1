//! A judged event, with the evidence it stands on.

use super::kinds::Kind;
use crate::evidence::{CaptureId, Seen, Stamp};

/// A value of a finding's evidence.
#[derive(Debug, Clone, PartialEq)]
pub enum Evidence {
    /// Readable by anyone.
    Text(String),
    /// A password, cookie, token or body: masked in every output unless the run reveals secrets.
    Secret(String),
    /// A number.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// Several texts.
    List(Vec<String>),
}

impl From<&str> for Evidence {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Evidence {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Evidence {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Evidence {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Vec<String>> for Evidence {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}

/// One finding. Severity, layer and ATT&CK techniques follow from the kind unless overridden.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What was found.
    pub kind: Kind,
    /// How bad it is; the kind's own unless the case is milder (a password inside TLS).
    pub severity: super::Severity,
    /// When: capture time in nanoseconds since 1970.
    pub time_ns: i64,
    /// One line a person reads. Holds no secret.
    pub title: String,
    /// The capture in which it was seen.
    pub capture: CaptureId,
    /// Frames of that capture, ascending, without repeats.
    pub frames: Vec<u64>,
    /// Community ID of the conversation, if it lies in one.
    pub flow: Option<String>,
    /// Protocol as in [`crate::protocol::Decoder::protocol`].
    pub protocol: &'static str,
    /// The side that acted: `address:port`, IPv6 in brackets.
    pub src: Option<String>,
    /// The other side.
    pub dst: Option<String>,
    /// Keys as the contract lists them for the kind, in the order given.
    pub evidence: Vec<(&'static str, Evidence)>,
    /// A Wireshark display filter that shows it.
    pub filter: String,
}

impl Finding {
    /// A finding in what was seen, acted by its sender.
    pub fn new(kind: Kind, protocol: &'static str, seen: &Seen<'_>, title: impl Into<String>) -> Self {
        let mut finding = Self {
            kind,
            severity: kind.severity(),
            time_ns: seen.last.time_ns,
            title: title.into(),
            capture: seen.last.capture,
            frames: Vec::new(),
            flow: Some(seen.flow.community_id.to_string()),
            protocol,
            src: Some(seen.sender().to_string()),
            dst: Some(seen.receiver().to_string()),
            evidence: Vec::new(),
            filter: String::new(),
        };
        finding.add_frame(seen.first);
        finding.add_frame(seen.last);
        finding
    }

    /// Adds a piece of evidence.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Evidence>) -> Self {
        self.evidence.push((key, value.into()));
        self
    }

    /// Adds a piece of evidence if it is there.
    #[must_use]
    pub fn with_some(self, key: &'static str, value: Option<impl Into<Evidence>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Adds a secret, masked in every output unless the run reveals secrets.
    #[must_use]
    pub fn with_secret(self, key: &'static str, secret: impl Into<String>) -> Self {
        self.with(key, Evidence::Secret(secret.into()))
    }

    /// Sets a display filter other than the one that shows the frames.
    #[must_use]
    pub fn with_filter(mut self, filter: impl Into<String>) -> Self {
        self.filter = filter.into();
        self
    }

    /// Names a further frame, if it is of the same capture.
    pub fn add_frame(&mut self, stamp: Stamp) {
        if stamp.capture == self.capture
            && let Err(place) = self.frames.binary_search(&stamp.frame)
        {
            self.frames.insert(place, stamp.frame);
        }
    }
}
