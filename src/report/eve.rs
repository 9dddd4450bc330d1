//! `eve.json`: findings as alerts of Suricata's EVE JSON, for what already reads that (EveBox, Logstash, SIEMs).
//!
//! Field names follow the chapter "EVE JSON Format" of Suricata's manual. What EVE has no place for stands under
//! `jabberscope`.

use super::{CaseFolder, FindingRecord, ReportError, Shown};
use crate::detect::{Kind, Severity};
use serde_json::{Map, Value, json};
use std::net::SocketAddr;

/// First signature id: in the range that Suricata's documentation leaves to local use.
const FIRST_SIGNATURE: usize = 1_900_000;

/// Writes `eve.json`, one alert a line in the order of the findings.
pub fn write_eve(folder: &CaseFolder, records: &[FindingRecord]) -> Result<(), ReportError> {
    let mut out = Vec::new();
    for record in records {
        out.extend_from_slice(alert(record).to_string().as_bytes());
        out.push(b'\n');
    }
    folder.write(super::case_folder::EVE, &out)
}

fn alert(record: &FindingRecord) -> Value {
    let mut eve = Map::new();
    // Suricata writes the offset as +0000.
    let timestamp = record.time.strip_suffix('Z').map_or_else(|| record.time.clone(), |time| format!("{time}+0000"));
    eve.insert("timestamp".to_owned(), json!(timestamp));
    eve.insert("event_type".to_owned(), json!("alert"));
    add_side(&mut eve, "src", record.src.as_deref());
    add_side(&mut eve, "dest", record.dst.as_deref());
    if let Some(proto) = transport(&record.protocol) {
        eve.insert("proto".to_owned(), json!(proto));
    }
    if let Some(flow) = &record.flow {
        eve.insert("community_id".to_owned(), json!(flow));
    }
    if let Some(frame) = record.frames.first() {
        eve.insert("pcap_cnt".to_owned(), json!(frame));
    }
    eve.insert("pcap_filename".to_owned(), json!(record.capture));
    eve.insert("app_proto".to_owned(), json!(record.protocol));
    let number = Kind::ALL.iter().position(|kind| *kind == record.kind).unwrap_or_default();
    let alert = json!({
        "action": "allowed", "gid": 1, "signature_id": FIRST_SIGNATURE + number, "rev": 1,
        "signature": format!("{}: {}", record.kind.name(), record.title), "category": record.kind.what(),
        "severity": priority(record.severity), "metadata": { "mitre_technique_id": record.attack },
    });
    eve.insert("alert".to_owned(), alert);
    let evidence: Map<String, Value> = record.evidence.iter().map(|(key, value)| (key.clone(), plain(value))).collect();
    let own = json!({
        "id": record.id, "kind": record.kind.name(), "severity": record.severity.name(),
        "layer": record.kind.layer().name(), "frames": record.frames, "evidence": evidence, "filter": record.filter,
    });
    eve.insert("jabberscope".to_owned(), own);
    Value::Object(eve)
}

fn add_side(eve: &mut Map<String, Value>, side: &str, address: Option<&str>) {
    if let Some(address) = address.and_then(|address| address.parse::<SocketAddr>().ok()) {
        eve.insert(format!("{side}_ip"), json!(address.ip().to_string()));
        eve.insert(format!("{side}_port"), json!(address.port()));
    }
}

/// The transport, where the protocol has only one.
fn transport(protocol: &str) -> Option<&'static str> {
    ["xmpp", "epmd", "erldist", "tls", "http"].contains(&protocol).then_some("TCP")
}

/// EVE counts from 1, worst first, and ends at 4.
fn priority(severity: Severity) -> u8 {
    match severity {
        Severity::Critical | Severity::High => 1,
        Severity::Medium => 2,
        Severity::Low => 3,
        Severity::Info => 4,
    }
}

fn plain(value: &Shown) -> Value {
    match value {
        Shown::Flag(flag) => json!(flag),
        Shown::Number(number) => json!(number),
        Shown::Text(text) => json!(text),
        Shown::List(texts) => json!(texts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::demo;

    #[test]
    fn a_finding_is_an_alert() {
        let (_, records) = demo::case();
        let wanted = records.iter().find(|record| record.kind == Kind::CredentialCleartext);
        let eve = wanted.map(alert).unwrap_or_default();
        assert_eq!(eve["timestamp"], "2026-03-01T10:02:11.123456+0000");
        assert_eq!(
            (&eve["src_ip"], &eve["src_port"], &eve["dest_port"]),
            (&json!("10.77.0.101"), &json!(49152), &json!(5222))
        );
        assert_eq!((&eve["alert"]["severity"], &eve["alert"]["signature_id"]), (&json!(1), &json!(1_900_000)));
        assert_eq!((&eve["pcap_cnt"], &eve["proto"]), (&json!(143), &json!("TCP")));
        assert!(!eve.to_string().contains("Wonder-land7"));
    }
}
