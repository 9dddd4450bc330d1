//! Classes of remote calls that a person gives: they go before the built-in ones, and what is wrong in them is told.
#![allow(clippy::unwrap_used)] // tests

mod support;

use support::{Run, captures_folder};

fn analyze(lines: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("site.classes");
    std::fs::write(&file, lines).unwrap();
    let capture = captures_folder().join("erlang/r03-handwritten.pcap");
    let arguments = [capture.to_str().unwrap(), "--erlang-classes", file.to_str().unwrap(), "--tables", "ndjson"];
    Run::try_analyze(&arguments)
}

#[test]
fn a_file_of_classes_adds_and_takes_away() {
    let run = analyze("file_server_2 read_file reading\nos * ignore\n");
    assert!(run.output.status.success(), "{}", String::from_utf8_lossy(&run.output.stderr));
    let told: Vec<String> = run
        .findings()
        .iter()
        .filter(|finding| finding["kind"] == "erlang.remote-exec")
        .map(|finding| finding["evidence"]["module"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told, ["file", "file_server_2", "erlang", "init"]);
}

#[test]
fn a_line_that_is_none_stops_the_run_and_is_named() {
    let run = analyze("os cmd ignore\nos cmd\n");
    assert_eq!(run.output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&run.output.stderr).into_owned();
    assert!(said.contains("site.classes: line 2: expected MODULE FUNCTION CLASS"), "{said}");
}
