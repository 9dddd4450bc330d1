//! The keys of one direction: which record is under which of them. A record is authenticated by its key and number, so
//! where either is in doubt (behind lost bytes, or a message that was not read) the right one is found by trying.

use super::cipher::Opener;
use super::event::TlsVersion;
use super::record::Record;
use super::schedule::{self, Secret};
use super::suite::Suite;
use std::collections::VecDeque;

/// Bytes that may be worked through in vain, at first and for each byte that was opened. A window that finds the next
/// record after a gap costs some kilobytes.
const FIRST_CREDIT: u64 = 1 << 20;
const CREDIT_A_BYTE: u64 = 32;

/// What a secret of TLS 1.3 is for, in the order of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Early,
    Handshake,
    Application,
}

/// A secret of TLS 1.3 that is, or will be, in use.
#[derive(Debug, Clone, Copy)]
struct Traffic {
    phase: Phase,
    suite: Suite,
    secret: Secret,
}

/// Keys in use.
struct Current {
    opener: Opener,
    /// Number of the next record.
    number: u64,
    /// Of the last record: its number, and the nonce that it told.
    told_nonce: Option<(u64, u64)>,
    traffic: Option<Traffic>,
}

/// Keys of one direction.
pub(super) struct Lane {
    version: TlsVersion,
    current: Option<Current>,
    later: VecDeque<Traffic>,
    credit: u64,
}

/// A record that was opened: its text is the front of the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opened {
    pub content_type: u8,
    pub bytes: usize,
}

impl Lane {
    /// Records behind a change of cipher before TLS 1.3.
    pub(super) fn numbered(version: TlsVersion, opener: Opener) -> Self {
        let current = Current { opener, number: 0, told_nonce: None, traffic: None };
        Self { version, current: Some(current), later: VecDeque::new(), credit: FIRST_CREDIT }
    }

    /// Records of TLS 1.3, for which secrets are to be told.
    pub(super) fn tls13() -> Self {
        Self { version: TlsVersion::TLS13, current: None, later: VecDeque::new(), credit: FIRST_CREDIT }
    }

    /// A secret of TLS 1.3 for what comes later.
    pub(super) fn expect(&mut self, phase: Phase, suite: Suite, secret: Secret) {
        self.later.push_back(Traffic { phase, suite, secret });
    }

    /// Records of TLS 1.3: those that are not application data are in clear.
    pub(super) fn is_tls13(&self) -> bool {
        self.version.is_tls13()
    }

    /// What the keys in use are for.
    pub(super) fn phase(&self) -> Option<Phase> {
        self.current.as_ref().and_then(|current| current.traffic).map(|traffic| traffic.phase)
    }

    /// A secret for a phase waits to be used.
    pub(super) fn expects(&self, phase: Phase) -> bool {
        self.later.iter().any(|traffic| traffic.phase == phase)
    }

    /// There is any key, for now or later.
    pub(super) fn has_keys(&self) -> bool {
        self.current.is_some() || !self.later.is_empty()
    }

    /// A message says that the next record is under the keys of a later phase.
    pub(super) fn advance(&mut self, phase: Phase) {
        if let Some(place) = self.later.iter().position(|traffic| traffic.phase == phase)
            && let Some(traffic) = self.later.get(place)
        {
            self.current = Current::of(*traffic);
            self.later.drain(..=place);
        }
    }

    /// A key update was read.
    pub(super) fn update(&mut self) {
        if let Some(current) = &self.current
            && let Some(updated) = current.updated()
        {
            self.current = Some(updated);
        }
    }

    /// Opens a record into the front of `out`. `window`: how many records may be missing before this one.
    pub(super) fn open(&mut self, record: &Record<'_>, window: u64, out: &mut [u8]) -> Option<Opened> {
        let opened = self.find(record, window, out)?;
        self.credit = self.credit.saturating_add(CREDIT_A_BYTE * record.body.len() as u64);
        if self.version.is_tls13() {
            unwrap(out.get(..opened)?)
        } else {
            Some(Opened { content_type: record.content_type, bytes: opened })
        }
    }

    /// A record was not opened: the next has the next number.
    pub(super) fn pass_over(&mut self, record: &Record<'_>) {
        if let Some(current) = &mut self.current {
            current.number = current.number.saturating_add(1);
            current.opener.pass_over(record);
        }
    }

    /// A record was passed over in the search for one that opens: what chains to it goes on from its last bytes.
    pub(super) fn chain_from(&mut self, record: &Record<'_>) {
        if let Some(current) = &mut self.current {
            current.opener.pass_over(record);
        }
    }

    /// Too much was tried in vain.
    pub(super) fn is_exhausted(&self) -> bool {
        self.credit == 0
    }

    fn find(&mut self, record: &Record<'_>, window: u64, out: &mut [u8]) -> Option<usize> {
        if let Some(current) = &mut self.current
            && let Some(bytes) = current.open(record, window, &mut self.credit, out)
        {
            return Some(bytes);
        }
        for place in 0..self.later.len() {
            let Some(mut next) = self.later.get(place).copied().and_then(Current::of) else { continue };
            if let Some(bytes) = next.open(record, window, &mut self.credit, out) {
                self.current = Some(next);
                self.later.drain(..=place);
                return Some(bytes);
            }
        }
        // An update that was lost.
        let mut next = self.current.as_ref()?.updated()?;
        let bytes = next.open(record, window, &mut self.credit, out)?;
        self.current = Some(next);
        Some(bytes)
    }
}

impl Current {
    fn of(traffic: Traffic) -> Option<Self> {
        let keys = schedule::traffic_keys(traffic.suite.hash, traffic.suite.bulk, &traffic.secret);
        let opener = Opener::new(traffic.suite.bulk, TlsVersion::TLS13, &keys, false)?;
        Some(Self { opener, number: 0, told_nonce: None, traffic: Some(traffic) })
    }

    fn updated(&self) -> Option<Self> {
        let traffic = self.traffic.filter(|traffic| traffic.phase == Phase::Application)?;
        Self::of(Traffic { secret: schedule::updated(traffic.suite.hash, &traffic.secret), ..traffic })
    }

    fn open(&mut self, record: &Record<'_>, window: u64, credit: &mut u64, out: &mut [u8]) -> Option<usize> {
        let told = self.opener.told_nonce(record);
        // A nonce that is counted up tells how many records are missing.
        let leap = match (self.told_nonce, told) {
            (Some((number, before)), Some(now)) if window > 0 => {
                now.checked_sub(before).and_then(|by| number.checked_add(by))
            }
            _ => None,
        };
        let numbers = leap.into_iter().chain(self.number..=self.number.saturating_add(window));
        for number in numbers {
            *credit = credit.saturating_sub(record.body.len() as u64);
            if *credit == 0 {
                return None;
            }
            if let Some(bytes) = self.opener.open(number, record, out) {
                self.number = number.saturating_add(1);
                self.told_nonce = told.map(|nonce| (number, nonce));
                return Some(bytes);
            }
        }
        None
    }
}

/// Takes off the padding and the content type that end the text of TLS 1.3 (RFC 8446, 5.4).
fn unwrap(text: &[u8]) -> Option<Opened> {
    let bytes = text.iter().rposition(|byte| *byte != 0)?;
    Some(Opened { content_type: *text.get(bytes)?, bytes })
}
