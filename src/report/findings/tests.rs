//! Findings as lines, and back.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

use super::*;
use crate::report::demo;

fn lines(findings: &[Finding], masker: &Masker) -> String {
    String::from_utf8(to_ndjson(&records(findings, masker, &["01.pcap".to_owned()]))).unwrap()
}

#[test]
fn a_line_is_as_the_contract_says() {
    insta::assert_snapshot!(lines(&demo::findings()[..1], &demo::masker()));
}

#[test]
fn secrets_are_masked_unless_revealed_and_ids_stay() {
    let findings = demo::findings();
    let masked = lines(&findings, &demo::masker());
    let revealed = lines(&findings, &Masker::new(true, [7; 16]));
    assert!(!masked.contains("Wonder-land7") && revealed.contains("Wonder-land7"));
    let ids = |text: &str| -> Vec<String> {
        text.lines().map(|line| serde_json::from_str::<FindingRecord>(line).unwrap().id).collect()
    };
    assert_eq!(ids(&masked), ids(&revealed));
}

#[test]
fn order_is_time_then_id_and_equal_findings_get_ids_of_their_own() {
    let one = || demo::finding(Kind::ScanPorts, 5, "scan");
    let earlier = demo::finding(Kind::ScanPorts, 4, "scan");
    let got = records(&[one(), one(), earlier.clone(), one()], &demo::masker(), &[]);
    let again = records(&[earlier, one(), one(), one()], &demo::masker(), &[]);
    assert_eq!(got, again);
    assert_eq!(got[1].id.len(), 16);
    assert_eq!([&got[2].id, &got[3].id], [&format!("{}-2", got[1].id), &format!("{}-3", got[1].id)]);
    assert!(got[0].time < got[1].time);
}

#[test]
fn an_id_does_not_depend_on_wording_secret_or_file_name() {
    let finding = demo::findings().remove(0);
    let mut other = finding.clone();
    other.title = "said better".to_owned();
    for (_, value) in &mut other.evidence {
        if let Evidence::Secret(secret) = value {
            *secret = "another".to_owned();
        }
    }
    assert_eq!(stable_id(&finding), stable_id(&other));
    other.frames.push(99);
    assert_ne!(stable_id(&finding), stable_id(&other));
}

#[test]
fn what_was_written_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let case = CaseFolder::create(folder.path(), false).unwrap();
    let names = ["01.pcap".to_owned()];
    let written = write_findings(&case, &demo::findings(), &demo::masker(), &names).unwrap();
    let mut read = read_findings(&case.findings()).unwrap();
    for (read, written) in read.iter_mut().zip(&written) {
        // The contract's times have microseconds.
        assert_eq!(read.time_ns / 1000, written.time_ns / 1000);
        read.time_ns = written.time_ns;
    }
    assert_eq!(read, written);
}

#[test]
fn a_broken_line_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("findings.ndjson");
    std::fs::write(&path, "{\"id\":\"x\"}\n").unwrap();
    let error = read_findings(&path).unwrap_err().to_string();
    assert!(error.contains("findings.ndjson") && error.contains("line 1: missing field"), "{error}");
}
