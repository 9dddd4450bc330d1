//! Damaged input: what was readable is analysed, and the place of the damage is told.
#![allow(clippy::unwrap_used)] // tests

mod support;

use std::path::PathBuf;
use support::{Run, captures_folder};

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }
}

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(captures_folder().join(name)).unwrap()
}

#[test]
fn cut_off_file_gives_what_came_before_the_cut_and_says_where() {
    let bench = Bench::new();
    let whole = sample("xmpp/01-c2s-plain.pcap");
    let cut = whole.len() * 2 / 3;
    let run = Run::analyze(&[bench.file("cut.pcap", &whole[..cut])]);
    let input = run.case_json()["inputs"][0].clone();
    assert!(input["frames"].as_u64().unwrap() > 100);
    let offset = input["damage"][0]["offset"].as_u64().unwrap();
    assert!((cut as u64 - 2_000..=cut as u64).contains(&offset), "{offset} of {cut}");
    assert!(run.findings().iter().any(|finding| finding["kind"] == "credential.cleartext"));
    let said = String::from_utf8_lossy(&run.output.stdout).into_owned();
    assert!(said.contains("cut.pcap") && said.replace(',', "").contains(&format!("byte {offset}")), "{said}");
}

#[test]
fn garbage_in_the_middle_is_jumped_over() {
    let bench = Bench::new();
    for name in ["xmpp/01-c2s-plain.pcap", "xmpp/02-sasl-mechs.pcapng"] {
        let mut bytes = sample(name);
        let middle = bytes.len() / 2;
        bytes[middle..middle + 700].fill(0xff);
        let whole = Run::analyze(&[captures_folder().join(name).display().to_string()]);
        let run = Run::analyze(&[bench.file("garbage", &bytes)]);
        let frames = |run: &Run| run.case_json()["inputs"][0]["frames"].as_u64().unwrap();
        let lost = frames(&whole) - frames(&run);
        assert!((1..30).contains(&lost), "{name}: {lost} frames lost");
        assert!(!run.case_json()["inputs"][0]["damage"].as_array().unwrap().is_empty());
    }
}

#[test]
fn input_of_which_nothing_can_be_read_is_an_error() {
    let bench = Bench::new();
    let empty = bench.file("empty.pcap", b"");
    let prose = bench.file("prose.pcap", b"This is not a capture at all, only words in a file.");
    let missing = bench.folder.path().join("missing.pcap").display().to_string();
    for (input, word) in [(empty, "empty.pcap"), (prose, "prose.pcap"), (missing, "missing.pcap")] {
        let run = Run::try_analyze(&[&input]);
        let said = String::from_utf8_lossy(&run.output.stderr).into_owned();
        assert_eq!(run.output.status.code(), Some(2), "{input}: {said}");
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn unreadable_file_beside_a_readable_one_is_told_and_passed_over() {
    let bench = Bench::new();
    let prose = bench.file("prose.pcap", b"This is not a capture at all, only words in a file.");
    let good = captures_folder().join("erlang/e04-rce.pcap").display().to_string();
    let run = Run::analyze(&[prose, good]);
    let said = String::from_utf8_lossy(&run.output.stdout).into_owned();
    assert!(said.contains("prose.pcap"), "{said}");
    assert!(!run.findings().is_empty());
}

#[test]
fn one_case_of_several_files_is_the_case_of_the_whole() {
    let bench = Bench::new();
    // A classic capture cut between two records, as a ring buffer would.
    let whole = sample("xmpp/01-c2s-plain.pcap");
    let mut at = 24;
    while at < whole.len() / 2 {
        at += 16 + u32::from_le_bytes(whole[at + 8..at + 12].try_into().unwrap()) as usize;
    }
    let second: Vec<u8> = [&whole[..24], &whole[at..]].concat();
    let parts = [bench.file("ring-2.pcap", &second), bench.file("ring-1.pcap", &whole[..at])];
    let again = parts[0].clone();
    let split = Run::analyze(&[&parts[0], &parts[1], &again]);
    let one = Run::analyze(&[captures_folder().join("xmpp/01-c2s-plain.pcap").display().to_string()]);
    let kinds = |run: &Run| -> Vec<String> {
        run.findings().iter().map(|finding| format!("{} {}", finding["kind"], finding["src"])).collect()
    };
    assert_eq!(kinds(&split), kinds(&one));
    assert_eq!(split.case_json()["inputs"].as_array().unwrap().len(), 2, "the same file twice is one");
}

#[test]
fn standard_input_and_every_compression_read_alike() {
    let plain = sample("erlang/e04-rce.pcap");
    let bench = Bench::new();
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, &plain).unwrap();
        encoder.finish().unwrap()
    };
    let lz4 = {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        std::io::Write::write_all(&mut encoder, &plain).unwrap();
        encoder.finish().unwrap()
    };
    let xz = {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 3);
        std::io::Write::write_all(&mut encoder, &plain).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = zstd::encode_all(plain.as_slice(), 3).unwrap();
    let findings = |run: &Run| -> Vec<String> {
        run.findings().iter().map(|finding| format!("{} {}", finding["kind"], finding["frames"])).collect()
    };
    let want = findings(&Run::analyze(&[bench.file("plain", &plain)]));
    assert!(!want.is_empty());
    for (name, bytes) in [("gzip", &gzip), ("lz4", &lz4), ("xz", &xz), ("zstd", &zstd)] {
        let run = Run::analyze(&[bench.file(name, bytes)]);
        assert_eq!(findings(&run), want, "{name}");
        assert!(run.case_json()["inputs"][0]["format"].as_str().unwrap().ends_with(name), "{name}");
    }
    let case: PathBuf = bench.folder.path().join("from-stdin");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_jabberscope"))
        .args(["analyze", "-", "-q", "-o"])
        .arg(&case)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), &gzip).unwrap();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    let lines = std::fs::read_to_string(case.join("findings.ndjson")).unwrap();
    assert_eq!(lines.lines().count(), want.len());
}
