//! Findings as the contract writes them: masked, with an id, one JSON object a line.
//!
//! [`FindingRecord`] is all that leaves the program of a finding; the page, the charts and the terminal read nothing
//! else, so that none of them can show a secret by mistake.

use super::{CaseFolder, ReportError};
use crate::detect::{Evidence, Finding, Kind, Layer, Severity};
use crate::evidence::format_time;
use crate::secret::Masker;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;

/// A value of evidence, as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Shown {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(u64),
    /// Text; a secret is masked.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{}", if *flag { "yes" } else { "no" }),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
            Self::List(texts) => f.write_str(&texts.join(", ")),
        }
    }
}

/// A finding as in `findings.ndjson`. Field order is the contract's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingRecord {
    /// Stable: the same input gives the same id.
    pub id: String,
    /// What was found.
    #[serde(with = "kind_name")]
    pub kind: Kind,
    /// How bad it is.
    #[serde(with = "severity_name")]
    pub severity: Severity,
    /// Where a rule could stop it.
    #[serde(with = "layer_name")]
    pub layer: Layer,
    /// RFC 3339 with microseconds.
    pub time: String,
    /// One line a person reads.
    pub title: String,
    /// Name of the capture.
    pub capture: String,
    /// Frames of that capture.
    pub frames: Vec<u64>,
    /// Community ID, if it lies in one conversation.
    pub flow: Option<String>,
    /// Protocol.
    pub protocol: String,
    /// The side that acted.
    pub src: Option<String>,
    /// The other side.
    pub dst: Option<String>,
    /// What it stands on, in the order given by the detector.
    #[serde(serialize_with = "write_evidence", deserialize_with = "read_evidence")]
    pub evidence: Vec<(String, Shown)>,
    /// MITRE ATT&CK techniques.
    pub attack: Vec<String>,
    /// A Wireshark display filter.
    pub filter: String,
    /// The same time as a number, for order and charts; not written.
    #[serde(skip)]
    pub time_ns: i64,
}

/// Findings in the order of the contract, by time and then id. `captures` are the names by capture number.
pub fn records(findings: &[Finding], masker: &Masker, captures: &[String]) -> Vec<FindingRecord> {
    let mut used: HashMap<String, u32> = HashMap::with_capacity(findings.len());
    let mut in_time: Vec<&Finding> = findings.iter().collect();
    in_time.sort_by_key(|finding| finding.time_ns);
    let mut records: Vec<FindingRecord> = in_time
        .into_iter()
        .map(|finding| {
            let mut id = stable_id(finding);
            let before = used.entry(id.clone()).or_default();
            *before += 1;
            if *before > 1 {
                id = format!("{id}-{before}");
            }
            record(id, finding, masker, captures)
        })
        .collect();
    records.sort_by(|a, b| a.time_ns.cmp(&b.time_ns).then_with(|| a.id.cmp(&b.id)));
    records
}

fn record(id: String, finding: &Finding, masker: &Masker, captures: &[String]) -> FindingRecord {
    let capture = captures.get(finding.capture.0 as usize).cloned().unwrap_or_default();
    let shown = |(key, value): &(&'static str, Evidence)| ((*key).to_owned(), shown(value, masker));
    FindingRecord {
        id,
        kind: finding.kind,
        severity: finding.severity,
        layer: finding.kind.layer(),
        time: format_time(finding.time_ns),
        title: finding.title.clone(),
        capture,
        frames: finding.frames.clone(),
        flow: finding.flow.clone(),
        protocol: finding.protocol.to_owned(),
        src: finding.src.clone(),
        dst: finding.dst.clone(),
        evidence: finding.evidence.iter().map(shown).collect(),
        attack: finding.kind.attack().iter().map(|technique| (*technique).to_owned()).collect(),
        filter: if finding.filter.is_empty() { frame_filter(&finding.frames) } else { finding.filter.clone() },
        time_ns: finding.time_ns,
    }
}

fn shown(value: &Evidence, masker: &Masker) -> Shown {
    match value {
        Evidence::Text(text) => Shown::Text(text.clone()),
        Evidence::Secret(secret) => Shown::Text(masker.show(secret).into_owned()),
        Evidence::Number(number) => Shown::Number(*number),
        Evidence::Flag(flag) => Shown::Flag(*flag),
        Evidence::List(texts) => Shown::List(texts.clone()),
    }
}

/// A display filter of so many frames stays within what Wireshark's filter line takes.
const FILTER_FRAMES: usize = 200;

/// The display filter that shows some frames: `frame.number in {12, 14}`.
fn frame_filter(frames: &[u64]) -> String {
    if frames.is_empty() {
        return String::new();
    }
    let list: Vec<String> = frames.iter().take(FILTER_FRAMES).map(u64::to_string).collect();
    format!("frame.number in {{{}}}", list.join(", "))
}

/// 16 hex digits of a hash over what was found where. Title and capture name stay out, so that neither a better
/// wording nor a renamed file changes it; secrets stay out, for an id must not help to guess them.
fn stable_id(finding: &Finding) -> String {
    let mut hash = Sha256::new();
    // Every part ends in a byte that UTF-8 never has, so that parts cannot flow into each other.
    let mut part = |bytes: &[u8]| {
        hash.update(bytes);
        hash.update([0xff]);
    };
    part(finding.kind.name().as_bytes());
    part(&finding.time_ns.to_be_bytes());
    for frame in &finding.frames {
        part(&frame.to_be_bytes());
    }
    for text in [&finding.flow, &finding.src, &finding.dst] {
        part(text.as_deref().unwrap_or_default().as_bytes());
    }
    for (key, value) in &finding.evidence {
        part(key.as_bytes());
        match value {
            Evidence::Text(text) => part(text.as_bytes()),
            Evidence::Secret(_) => part(b""),
            Evidence::Number(number) => part(&number.to_be_bytes()),
            Evidence::Flag(flag) => part(&[u8::from(*flag)]),
            Evidence::List(texts) => texts.iter().for_each(|text| part(text.as_bytes())),
        }
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The lines of `findings.ndjson`.
pub fn to_ndjson(records: &[FindingRecord]) -> Vec<u8> {
    let mut out = Vec::new();
    for record in records {
        // A Vec takes every write, and a record has no map with keys that are not text.
        if serde_json::to_writer(&mut out, record).is_ok() {
            out.push(b'\n');
        }
    }
    out
}

/// Writes `findings.ndjson`, and gives the records that stand in it.
pub fn write_findings(
    folder: &CaseFolder,
    findings: &[Finding],
    masker: &Masker,
    captures: &[String],
) -> Result<Vec<FindingRecord>, ReportError> {
    let records = records(findings, masker, captures);
    folder.write(super::case_folder::FINDINGS, &to_ndjson(&records))?;
    Ok(records)
}

/// Reads `findings.ndjson` back.
pub fn read_findings(path: &Path) -> Result<Vec<FindingRecord>, ReportError> {
    let text = std::fs::read_to_string(path).map_err(ReportError::io("read", path))?;
    let read = |(number, line): (usize, &str)| {
        let mut record: FindingRecord = serde_json::from_str(line).map_err(|error| ReportError::NotACase {
            path: path.to_owned(),
            cause: format!("line {}: {error}", number + 1),
        })?;
        let time = record.time.parse::<jiff::Timestamp>().map_err(|error| ReportError::NotACase {
            path: path.to_owned(),
            cause: format!("line {}: {error}", number + 1),
        })?;
        record.time_ns = i64::try_from(time.as_nanosecond()).unwrap_or_default();
        Ok(record)
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(read).collect()
}

fn write_evidence<S: Serializer>(evidence: &[(String, Shown)], to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(evidence.len()))?;
    for (key, value) in evidence {
        map.serialize_entry(key, value)?;
    }
    map.end()
}

fn read_evidence<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(String, Shown)>, D::Error> {
    struct InOrder;
    impl<'de> Visitor<'de> for InOrder {
        type Value = Vec<(String, Shown)>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object of evidence")
        }
        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
            let mut evidence = Vec::new();
            while let Some(entry) = map.next_entry()? {
                evidence.push(entry);
            }
            Ok(evidence)
        }
    }
    from.deserialize_map(InOrder)
}

/// (De)serialises an enum of `detect` by the name the contract gives it.
macro_rules! by_name {
    ($module:ident, $type:ty, $all:expr) => {
        mod $module {
            use super::*;
            pub(super) fn serialize<S: Serializer>(value: &$type, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(value.name())
            }
            pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<$type, D::Error> {
                let name = String::deserialize(from)?;
                let known = $all.iter().copied().find(|value| value.name() == name);
                known.ok_or_else(|| serde::de::Error::custom(format!("unknown name `{name}`")))
            }
        }
    };
}

by_name!(kind_name, Kind, Kind::ALL);
by_name!(severity_name, Severity, Severity::ALL);
by_name!(layer_name, Layer, [Layer::Ip, Layer::Transport, Layer::Application]);

#[cfg(test)]
mod tests;
