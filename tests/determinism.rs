//! The same captures give the same case, byte for byte, with any number of threads.
#![allow(clippy::unwrap_used)] // tests

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use support::{Run, captures_folder};

fn files(folder: &Path, below: &str, into: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            files(&entry.path(), &format!("{name}/"), into);
        } else {
            into.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
}

#[test]
fn one_thread_and_eight_write_the_same_bytes() {
    let captures = captures_folder().display().to_string();
    let policy = captures_folder().join("erlang/erlang.policy.toml").display().to_string();
    let key = captures_folder().join("tls/server.key").display().to_string();
    let case = |threads: &str, keys: &[&str]| {
        let arguments: [&str; 7] =
            [&captures, "--threads", threads, "--tables", "parquet,csv,ndjson", "--policy", &policy];
        let run = Run::analyze(&[&arguments[..], keys].concat());
        let mut all = BTreeMap::new();
        files(&run.case(), "", &mut all);
        all
    };
    // With a private key all conversations are in one shard.
    for keys in [&[][..], &["--rsa-key", &key]] {
        let (one, eight) = (case("1", keys), case("8", keys));
        assert_eq!(one.keys().collect::<Vec<_>>(), eight.keys().collect::<Vec<_>>());
        assert!(one.len() > 15, "a whole case: {:?}", one.keys());
        for (name, bytes) in &one {
            // These tell the command line, the threads and the time it took.
            if name != "case.json" && name != "report.html" {
                assert!(bytes == &eight[name], "{name} differs");
            }
        }
    }
}
