//! What must be found in the sample captures, and what must not be made up.
//!
//! Every `tests/expected/*.json` names a capture and its wishes: `findings` must each match one finding of their own,
//! of the kinds in `only` there may be none beyond them, kinds in `none` must not appear, and `rows` must be in the
//! tables. A wished value matches when it is equal as text; `{"contains": …}`, `{"any": […]}`, `{"prefix": …}` and
//! `{"sha256": …}` match more loosely.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

mod support;

use serde_json::Value;
use sha2::Digest;
use support::{Run, captures_folder, project_folder};

#[test]
fn every_sample_capture_tells_what_is_in_it() {
    let mut wrong = Vec::new();
    let mut expectations = 0;
    let mut paths: Vec<_> = std::fs::read_dir(project_folder().join("tests/expected"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        let wishes: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        expectations += check(&wishes, &mut wrong);
    }
    assert!(expectations > 200, "only {expectations} wishes were looked at");
    assert!(wrong.is_empty(), "{} of {expectations} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn check(wishes: &Value, wrong: &mut Vec<String>) -> usize {
    let capture = wishes["capture"].as_str().unwrap();
    let mut arguments = vec![captures_folder().join(capture).display().to_string()];
    for argument in list(&wishes["args"]) {
        let argument = argument.as_str().unwrap();
        let path = captures_folder().join(argument);
        arguments.push(if path.exists() { path.display().to_string() } else { argument.to_owned() });
    }
    arguments.extend(["--reveal-secrets", "--tables", "ndjson"].map(str::to_owned));
    let run = Run::analyze(&arguments);
    let findings = run.findings();
    let wanted = list(&wishes["findings"]);
    let (missed, unused) = assign(wanted, &findings);
    wrong.extend(missed.iter().map(|wish| format!("{capture}: missed {wish}")));
    let kinds = |key: &str| -> Vec<String> { list(&wishes[key]).iter().map(text).collect() };
    let beyond = unused.iter().filter(|finding| kinds("only").contains(&text(&finding["kind"])));
    let made_up = findings.iter().filter(|finding| kinds("none").contains(&text(&finding["kind"])));
    wrong.extend(beyond.map(|finding| format!("{capture}: beyond {finding}")));
    wrong.extend(made_up.map(|finding| format!("{capture}: made up {finding}")));
    let mut count = wanted.len();
    for (table, rows) in wishes["rows"].as_object().into_iter().flatten() {
        let written = run.table(table);
        let (missed, _) = assign(list(rows), &written);
        wrong.extend(missed.iter().map(|wish| format!("{capture}: no row in {table} like {wish}")));
        count += list(rows).len();
    }
    count
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Each wish takes one candidate, the most particular wish first. Gives what was missed and what was left.
fn assign<'a>(wanted: &'a [Value], found: &'a [Value]) -> (Vec<&'a Value>, Vec<&'a Value>) {
    let mut wanted: Vec<&Value> = wanted.iter().collect();
    wanted.sort_by_key(|wish| std::cmp::Reverse(wish.to_string().len()));
    let mut free: Vec<&Value> = found.iter().collect();
    let mut missed = Vec::new();
    for wish in wanted {
        match free.iter().position(|candidate| fits(wish, candidate)) {
            Some(place) => drop(free.remove(place)),
            None => missed.push(wish),
        }
    }
    (missed, free)
}

fn fits(wish: &Value, got: &Value) -> bool {
    wish.as_object().unwrap().iter().all(|(key, value)| match key.as_str() {
        "note" => true,
        "src" | "dst" => endpoint(value, &got[key]),
        "evidence" => value.as_object().unwrap().iter().all(|(key, value)| same(value, &got["evidence"][key])),
        _ => same(value, &got[key]),
    })
}

/// `address:port`, or the address alone, or any address with `{"any_port": N}`.
fn endpoint(wish: &Value, got: &Value) -> bool {
    let got = got.as_str().unwrap_or_default();
    if let Some(port) = wish.get("any_port") {
        return got.ends_with(&format!(":{port}"));
    }
    let wish = wish.as_str().unwrap_or_default();
    let host = got.rsplit_once(':').map_or(got, |(host, _)| host);
    wish == got || wish.trim_matches(['[', ']']) == host.trim_matches(['[', ']'])
}

fn same(wish: &Value, got: &Value) -> bool {
    let Some(wish) = wish.as_object() else { return text(wish) == text(got) };
    let inner = text(got);
    let word = |key: &str| wish.get(key).and_then(Value::as_str);
    if let Some(choices) = wish.get("any") {
        return list(choices).iter().any(|choice| same(choice, got));
    }
    match (word("contains"), word("prefix"), word("sha256")) {
        (Some(part), _, _) => inner.contains(part),
        (_, Some(start), _) => inner.starts_with(start),
        (_, _, Some(digest)) => {
            let hash = sha2::Sha256::digest(inner.as_bytes());
            hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>() == digest
        }
        _ => false,
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
