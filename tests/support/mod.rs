//! Runs the real binary in a folder of its own.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)] // each test file uses its part

pub mod differ;
pub mod frames;
pub mod random_rules;
pub mod tshark;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The project's folder.
pub fn project_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sample captures.
pub fn captures_folder() -> PathBuf {
    project_folder().join("captures")
}

/// Captures that lie beside the project on a developer's machine; says so where they do not.
pub fn shared_captures() -> Option<PathBuf> {
    let folder = project_folder().join("../shared/captures");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: {} is not there", folder.display());
    None
}

/// A finished run of the program.
pub struct Run {
    /// What it printed, and its status.
    pub output: Output,
    folder: tempfile::TempDir,
}

impl Run {
    /// `jabberscope analyze ARGUMENTS -o CASE`, which must end well.
    pub fn analyze<S: AsRef<str>>(arguments: &[S]) -> Self {
        let run = Self::try_analyze(arguments);
        assert!(
            run.output.status.success(),
            "analyze {:?}: {}\n{}",
            arguments.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
            run.output.status,
            String::from_utf8_lossy(&run.output.stderr)
        );
        run
    }

    /// The same, however it ends.
    pub fn try_analyze<S: AsRef<str>>(arguments: &[S]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_jabberscope"))
            .arg("analyze")
            .args(arguments.iter().map(AsRef::as_ref))
            .arg("-o")
            .arg(folder.path().join("case"))
            .output()
            .unwrap();
        Self { output, folder }
    }

    /// The case folder.
    pub fn case(&self) -> PathBuf {
        self.folder.path().join("case")
    }

    /// `findings.ndjson`
    pub fn findings(&self) -> Vec<Value> {
        ndjson(&self.case().join("findings.ndjson"))
    }

    /// `tables/NAME.ndjson`; empty if there is no such table.
    pub fn table(&self, name: &str) -> Vec<Value> {
        ndjson(&self.case().join("tables").join(format!("{name}.ndjson")))
    }

    /// `case.json`
    pub fn case_json(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.case().join("case.json")).unwrap()).unwrap()
    }
}

fn ndjson(path: &Path) -> Vec<Value> {
    let Ok(text) = std::fs::read_to_string(path) else { return Vec::new() };
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
