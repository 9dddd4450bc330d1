//! Charts of a full case, an empty one and a hostile one.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

use super::*;
use crate::report::demo;
use crate::report::stats::{ProtocolTraffic, Talker, Timeline};

/// Well-formed XML, and no element that could act.
fn check_svg(svg: &str) {
    let mut reader = quick_xml::Reader::from_str(svg);
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                let name = tag.name();
                let name: &[u8] = name.as_ref().as_ref();
                assert!([&b"svg"[..], b"rect", b"text", b"polyline", b"polygon", b"line"].contains(&name), "{svg}");
            }
            quick_xml::events::Event::Eof => break,
            _ => {}
        }
    }
}

#[test]
fn a_full_case_is_drawn() {
    let (info, records) = demo::case();
    let folder = tempfile::tempdir().unwrap();
    let case = CaseFolder::create(folder.path(), false).unwrap();
    let all = charts(&records, &info.traffic);
    write_charts(&case, &all).unwrap();
    for chart in &all {
        check_svg(&chart.svg().unwrap());
        assert_eq!(
            chart.svg().unwrap(),
            std::fs::read_to_string(folder.path().join(format!("charts/{}.svg", chart.name))).unwrap()
        );
        let png = std::fs::read(folder.path().join(format!("charts/{}.png", chart.name))).unwrap();
        assert!(png.starts_with(b"\x89PNG") && png.len() > 5000, "{}", chart.name);
    }
    let kinds = all[0].svg().unwrap();
    assert!(kinds.contains("credential.cleartext") && kinds.contains("worst first"));
}

#[test]
fn an_empty_case_says_so() {
    for chart in charts(&[], &CaseStats::default()) {
        let svg = chart.svg().unwrap();
        check_svg(&svg);
        assert!(svg.contains("no findings") || svg.contains("no traffic"), "{}", chart.name);
    }
}

#[test]
fn hostile_names_and_numbers_do_no_harm() {
    let evil = "</text><script>alert(1)</script>\u{1b}[31m\u{202e}\0";
    let stats = CaseStats {
        traffic_by_protocol: (0..40)
            .map(|_| ProtocolTraffic { protocol: evil.repeat(9), bytes: u64::MAX, packets: u64::MAX, flows: u64::MAX })
            .collect(),
        top_talkers: vec![Talker {
            address: evil.to_owned(),
            sent: u64::MAX,
            received: u64::MAX,
            nodes: vec![evil.to_owned()],
        }],
        timeline: Timeline { start_ns: i64::MIN, bucket_ns: 1 << 56, bytes: vec![0, u64::MAX, 3] },
    };
    let (_, mut records) = demo::case();
    records[0].time_ns = i64::MIN;
    records[1].time_ns = i64::MAX;
    for chart in charts(&records, &stats) {
        let svg = chart.svg().unwrap();
        check_svg(&svg);
        assert!(!svg.contains(['\0', '\u{1b}', '\u{202e}']), "{}", chart.name);
    }
}
