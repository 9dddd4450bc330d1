//! The page of a full, an empty, a hostile and a huge case.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

use super::*;
use crate::report::charts::charts;
use crate::report::demo;

fn page_of(info: &CaseInfo, records: &[FindingRecord]) -> String {
    page(info, records, &charts(records, &info.traffic)).unwrap()
}

/// Tags in the page, by name.
fn tags(page: &str) -> std::collections::BTreeSet<&str> {
    page.split('<')
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).find(|name| !name.is_empty()))
        .collect()
}

#[test]
fn a_full_case_has_everything() {
    let (info, records) = demo::case();
    let page = page_of(&info, &records);
    for part in [
        "credential.cleartext",
        "A password crosses readable",
        "[masked 8-15 bytes #",
        "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
        "frame.number in {143, 145}",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "88,416",
        "more than any link carries",
        "tcp.out-of-order-limit",
        "tables/stanzas.parquet",
        "3,504",
    ] {
        assert!(page.contains(part), "{part} is missing");
    }
    assert!(!page.contains("Wonder-land7") && !page.contains("KXJDHQPZLMVTWYRBNSAC"));
    let (critical, info_level) = (page.find("group critical").unwrap(), page.find("group info").unwrap());
    assert!(critical < info_level, "worst first");
}

#[test]
fn nothing_from_a_capture_acts() {
    let evil = "\"'><script>alert(1)</script><img src=x onerror=alert(1)></style></title>\u{1b}[2J\u{202e}\0\u{2028}";
    let (mut info, mut records) = demo::case();
    let harmless = page_of(&info, &records);
    for record in &mut records {
        record.title = evil.to_owned();
        record.id = evil.to_owned();
        record.time = evil.to_owned();
        record.capture = evil.to_owned();
        record.protocol = evil.to_owned();
        record.filter = evil.to_owned();
        (record.flow, record.src, record.dst) = (Some(evil.to_owned()), Some(evil.to_owned()), Some(evil.to_owned()));
        record.evidence = vec![(evil.to_owned(), crate::report::Shown::Text(evil.to_owned()))];
    }
    for input in &mut info.inputs {
        for text in [&mut input.path, &mut input.name, &mut input.sha256, &mut input.format] {
            *text = evil.to_owned();
        }
    }
    info.inputs[1].damage[0].cause = evil.to_owned();
    info.skipped.insert(evil.to_owned(), Default::default());
    info.statistics.entry(evil.to_owned()).or_default().insert(evil.to_owned(), 1);
    info.tables.insert(evil.to_owned(), 1);
    info.traffic.top_talkers[0].address = evil.to_owned();
    info.traffic.traffic_by_protocol[0].protocol = evil.to_owned();
    let page = page_of(&info, &records);
    assert_eq!(tags(&page), tags(&harmless), "no new elements");
    assert!(!page.contains(['\0', '\u{1b}', '\u{202e}', '\u{2028}']));
    assert!(page.contains("\\u{202e}") && page.contains("&lt;script&gt;"));
}

#[test]
fn it_needs_no_network_and_no_script() {
    let (info, records) = demo::case();
    let page = page_of(&info, &records);
    assert!(page.contains("default-src 'none'") && !tags(&page).contains("script") && !tags(&page).contains("link"));
    let without_namespace = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for found in without_namespace.match_indices("href=\"").chain(without_namespace.match_indices("src=\"")) {
        let target = &without_namespace[found.0 + found.1.len()..];
        assert!(target.starts_with('#') || target.starts_with("tables/"), "{}", &target[..40]);
    }
    // The style's hash is of exactly what stands between the tags.
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(style.as_bytes()));
    assert!(page.contains(&format!("style-src 'sha256-{hash}'")));
    assert!(!page.contains(" style=\""), "inline styles would be blocked");
}

#[test]
fn an_empty_case_says_so() {
    let page = page_of(&CaseInfo::new(Vec::new()), &[]);
    assert!(
        page.contains("Nothing was found.")
            && page.contains("Nothing was skipped.")
            && page.contains("No table has rows.")
    );
}

#[test]
fn a_huge_case_stays_readable() {
    let (info, records) = demo::case();
    let one = records.iter().find(|record| record.severity == Severity::Critical).unwrap();
    let other = records.iter().find(|record| record.severity == Severity::Info).unwrap();
    let mut many = vec![one.clone(); 30_000];
    many.extend(vec![other.clone(); 5]);
    let page = page_of(&info, &many);
    assert!(page.len() < 4_000_000 && page.contains("29,750 more of this kind") && page.contains(&html(&other.title)));
}
