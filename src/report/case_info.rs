//! `case.json`: what was read, what was found, what was skipped.

use super::findings::FindingRecord;
use super::stats::CaseStats;
use super::{CaseFolder, ReportError};
use crate::capture::CaptureInfo;
use crate::detect::Severity;
use crate::evidence::{Stamp, format_time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Name of the program in `case.json`.
pub const TOOL: &str = "jabberscope";

/// What `case.json` holds. Only `wall_time_seconds` may differ between two runs of one command.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CaseInfo {
    /// [`TOOL`].
    pub tool: String,
    /// Version of the program.
    pub version: String,
    /// The command line, as given.
    pub command_line: Vec<String>,
    /// What was read, in the order given.
    pub inputs: Vec<Input>,
    /// Files that were found and are not part of the case.
    pub left_out: Vec<LeftOut>,
    /// How much was found.
    pub findings: FindingCounts,
    /// What was given up, by name: never silent.
    pub skipped: BTreeMap<String, Skipped>,
    /// Numbers of the run, by group: packets, flows and so on.
    pub statistics: BTreeMap<String, BTreeMap<String, u64>>,
    /// What the charts show.
    pub traffic: CaseStats,
    /// Rows of each table that has any.
    pub tables: BTreeMap<String, u64>,
    /// Endings of the table files: `parquet`, `csv`, `ndjson`.
    pub table_formats: Vec<String>,
    /// `true` if passwords and other secrets stand in the case as they are.
    pub secrets_revealed: bool,
    /// Threads that worked.
    pub threads: usize,
    /// How long it took.
    pub wall_time_seconds: f64,
}

/// One input.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Path as given or found.
    pub path: String,
    /// Name in findings and tables.
    pub name: String,
    /// Bytes on disk.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// `pcap`, `pcapng+gzip` and so on.
    pub format: String,
    /// Link types of its frames.
    pub link_types: Vec<LinkType>,
    /// Frames read.
    pub frames: u64,
    /// Frames cut short by a snapshot length.
    pub truncated_frames: u64,
    /// Bytes of frames read.
    pub frame_bytes: u64,
    /// Earliest frame, RFC 3339.
    pub first_time: Option<String>,
    /// Latest frame.
    pub last_time: Option<String>,
    /// Where it is broken.
    pub damage: Vec<DamagedAt>,
}

/// A file that was found and is not part of the case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Path as found.
    pub path: String,
    /// Why, e.g. because it is no capture, or the same as another.
    pub reason: String,
}

/// A link type by number and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkType {
    /// LINKTYPE_ value.
    pub number: u16,
    /// Its name at tcpdump.org.
    pub name: String,
}

/// Damage in an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamagedAt {
    /// Byte offset in the file, after decompression.
    pub offset: u64,
    /// What is wrong.
    pub cause: String,
}

/// How many findings there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingCounts {
    /// All of them.
    pub total: u64,
    /// By name of the kind.
    pub by_kind: BTreeMap<String, u64>,
    /// By name of the severity; all severities are there.
    pub by_severity: BTreeMap<String, u64>,
}

/// Something that was given up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// How often.
    pub count: u64,
    /// Where first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first: Option<Place>,
}

/// A frame of a capture.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Name of the capture.
    pub capture: String,
    /// Frame number, from 1.
    pub frame: u64,
    /// RFC 3339.
    pub time: String,
}

impl Place {
    /// The place of a stamp; `captures` are the names by capture number.
    pub fn of(stamp: Stamp, captures: &[String]) -> Self {
        let capture = captures.get(stamp.capture.0 as usize).cloned().unwrap_or_default();
        Self { capture, frame: stamp.frame, time: format_time(stamp.time_ns) }
    }
}

impl From<&CaptureInfo> for Input {
    fn from(info: &CaptureInfo) -> Self {
        let link = |number: &u16| LinkType { number: *number, name: link_type_name(*number) };
        let damaged =
            |damage: &crate::capture::Damage| DamagedAt { offset: damage.offset, cause: damage.cause.clone() };
        Self {
            path: info.path.clone(),
            name: info.name.clone(),
            size: info.size,
            sha256: info.sha256.clone(),
            format: info.format.clone(),
            link_types: info.link_types.iter().map(link).collect(),
            frames: info.frames,
            truncated_frames: info.truncated_frames,
            frame_bytes: info.frame_bytes,
            first_time: info.time_range_ns.map(|(first, _)| format_time(first)),
            last_time: info.time_range_ns.map(|(_, last)| format_time(last)),
            damage: info.damage.iter().map(damaged).collect(),
        }
    }
}

impl FindingCounts {
    /// Counts findings.
    pub fn of(records: &[FindingRecord]) -> Self {
        let none = Severity::ALL.iter().map(|severity| (severity.name().to_owned(), 0)).collect();
        let mut counts = Self { total: records.len() as u64, by_kind: BTreeMap::new(), by_severity: none };
        for record in records {
            *counts.by_kind.entry(record.kind.name().to_owned()).or_default() += 1;
            *counts.by_severity.entry(record.severity.name().to_owned()).or_default() += 1;
        }
        counts
    }
}

impl CaseInfo {
    /// A case of this version of the program with nothing read yet.
    pub fn new(command_line: Vec<String>) -> Self {
        let (tool, version) = (TOOL.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        Self { tool, version, command_line, ..Self::default() }
    }

    /// Frames of all inputs.
    pub fn frames(&self) -> u64 {
        self.inputs.iter().map(|input| input.frames).sum()
    }

    /// Earliest and latest frame of all inputs, nanoseconds since 1970.
    pub fn time_range_ns(&self) -> Option<(i64, i64)> {
        let parse = |time: &Option<String>| {
            let time = time.as_ref()?.parse::<jiff::Timestamp>().ok()?;
            i64::try_from(time.as_nanosecond()).ok()
        };
        let first = self.inputs.iter().filter_map(|input| parse(&input.first_time)).min()?;
        let last = self.inputs.iter().filter_map(|input| parse(&input.last_time)).max()?;
        Some((first, last))
    }

    /// `case.json`, and what `--json` prints.
    pub fn to_json(&self) -> String {
        // Every key is text and every number finite, so there is nothing that JSON cannot hold.
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        json
    }
}

/// Writes `case.json`. It is the last file of a case: where it stands, the rest is complete.
pub fn write_case_json(folder: &CaseFolder, info: &CaseInfo) -> Result<(), ReportError> {
    folder.write(super::case_folder::CASE, info.to_json().as_bytes())
}

/// Reads `case.json` back.
pub fn read_case_json(folder: &CaseFolder) -> Result<CaseInfo, ReportError> {
    let path = folder.case_json();
    let text = std::fs::read_to_string(&path).map_err(ReportError::io("read", &path))?;
    serde_json::from_str(&text).map_err(|error| ReportError::NotACase { path, cause: error.to_string() })
}

/// Name of a LINKTYPE_ value at <https://www.tcpdump.org/linktypes.html>, or its number.
fn link_type_name(number: u16) -> String {
    let name = match number {
        0 => "NULL",
        1 => "ETHERNET",
        6 => "IEEE802_5",
        9 => "PPP",
        10 => "FDDI",
        50 => "PPP_HDLC",
        51 => "PPP_ETHER",
        101 => "RAW",
        104 => "C_HDLC",
        105 => "IEEE802_11",
        107 => "FRELAY",
        108 => "LOOP",
        113 => "LINUX_SLL",
        119 => "IEEE802_11_PRISM",
        127 => "IEEE802_11_RADIOTAP",
        147..=162 => "USER",
        166 => "PPP_PPPD",
        192 => "PPI",
        195 => "IEEE802_15_4_WITHFCS",
        228 => "IPV4",
        229 => "IPV6",
        239 => "NFLOG",
        253 => "NETLINK",
        276 => "LINUX_SLL2",
        other => return format!("LINKTYPE {other}"),
    };
    name.to_owned()
}
