//! No panic, no hang, whatever becomes of a capture: cut anywhere, bytes flipped, blocks shuffled.
//!
//! The pseudo-random numbers are seeded, so a failure comes back; `ROBUSTNESS_ROUNDS` makes more of them.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // tests

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Splitmix64: small, seeded, good enough to choose places.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below.max(1) as u64) as usize
    }
}

fn damaged(original: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = original.to_vec();
    match dice.roll(4) {
        0 => bytes.truncate(dice.roll(original.len())),
        1 => {
            for _ in 0..1 + dice.roll(40) {
                let at = dice.roll(bytes.len());
                bytes[at] ^= 1 << dice.roll(8);
            }
        }
        2 => {
            // Beyond the file header, so that more than the header's check is reached.
            for _ in 0..1 + dice.roll(200) {
                let at = 100.min(bytes.len() - 1) + dice.roll(bytes.len().saturating_sub(100));
                let at = at.min(bytes.len() - 1);
                bytes[at] = dice.roll(256) as u8;
            }
        }
        _ => {
            let size = 64 + dice.roll(2_000);
            for _ in 0..1 + dice.roll(8) {
                let (from, to) = (dice.roll(bytes.len()), dice.roll(bytes.len()));
                let len = size.min(bytes.len() - from).min(bytes.len() - to);
                let block = bytes[from..from + len].to_vec();
                bytes[to..to + len].copy_from_slice(&block);
            }
        }
    }
    bytes
}

/// Analyses a file; says what went wrong, if anything but a clean end (0) or a clear refusal (2) came of it.
fn trouble(file: &Path, case: &Path) -> Option<String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_jabberscope"))
        .args(["analyze", "-q", "--force", "--tables", "ndjson", "-o"])
        .arg(case)
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            return Some("still running after a minute".to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut said = String::new();
    std::io::Read::read_to_string(child.stderr.as_mut().unwrap(), &mut said).unwrap();
    let clean = matches!(status.code(), Some(0 | 2)) && !said.contains("panicked");
    (!clean).then(|| format!("{status}: {said}"))
}

fn captures() -> Vec<PathBuf> {
    let mut folders = vec![support::captures_folder()];
    folders.extend(support::shared_captures());
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let capture = path.display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if capture.contains(".pcap") && path.metadata().unwrap().len() < 2_000_000 {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn damaged_captures_never_break_the_program() {
    let rounds: usize = std::env::var("ROBUSTNESS_ROUNDS").map_or(2, |rounds| rounds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for (number, capture) in captures().iter().enumerate() {
        let original = std::fs::read(capture).unwrap();
        if original.is_empty() {
            continue;
        }
        for round in 0..=rounds {
            let mut dice = Dice((number as u64) << 32 | round as u64);
            // Round 0 is the capture as it is.
            let bytes = if round == 0 { original.clone() } else { damaged(&original, &mut dice) };
            let file = folder.path().join("damaged");
            std::fs::write(&file, bytes).unwrap();
            if let Some(trouble) = trouble(&file, &folder.path().join("case")) {
                wrong.push(format!("{} round {round}: {trouble}", capture.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
