//! tshark as an oracle.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Output lines of tshark on a capture; `None` (said aloud) where tshark is not installed.
pub fn tshark(capture: &Path, arguments: &[&str]) -> Option<Vec<String>> {
    let output = Command::new("tshark").arg("-n").arg("-r").arg(capture).args(arguments).output();
    let Ok(output) = output else {
        eprintln!("SKIPPED: tshark is not installed");
        return None;
    };
    Some(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

/// Every capture that tests run on: the samples, and those beside the project. Compressed with what tshark reads.
pub fn captures() -> Vec<PathBuf> {
    let mut folders = vec![super::captures_folder()];
    folders.extend(super::shared_captures());
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if [".pcap", ".pcapng", ".pcap.gz", ".pcapng.gz"].iter().any(|end| name.ends_with(end)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
