//! Real Erlang nodes: what they do is recorded and must be found, and terms print as they print them.
//!
//! Runs where Erlang is installed; the recording needs root too, for it takes place in network namespaces of its own.
//! Elsewhere it is skipped, and says so.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)] // tests

mod support;

use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use support::{Run, project_folder};

const COOKIE: &str = "L4BC00K1EOFTHEVICTIM";
const VICTIM: &str = "victim@10.99.7.1";

fn is_installed(program: &str) -> bool {
    Command::new(program)
        .arg("-version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .stdin(Stdio::null())
        .status()
        .is_ok()
}

fn script(name: &str) -> String {
    project_folder().join("tests/lab").join(name).display().to_string()
}

#[test]
fn random_terms_print_as_the_installed_erlang_prints_them() {
    use jabberscope::protocol::erldist::external::TermReader;
    if !is_installed("escript") {
        eprintln!("SKIPPED: no Erlang");
        return;
    }
    let count = 2_000;
    let made = Command::new("escript")
        .env("ERL_FLAGS", "+pc unicode")
        .args([script("terms.escript"), count.to_string(), "7".to_owned()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let text = String::from_utf8(made.stdout).unwrap();
    assert_eq!(text.lines().count(), count);
    for line in text.lines() {
        let (hex, printed) = line.split_once('\t').unwrap();
        let bytes: Vec<u8> =
            (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
        let mut reader = TermReader::strict(&bytes, &[]);
        let term = reader.versioned().unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(term.to_string(), printed, "{hex}");
        assert!(reader.rest().is_empty(), "{line}");
    }
}

#[test]
fn what_is_done_on_a_node_is_found() {
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if !root || !["erl", "dumpcap", "ip"].into_iter().all(is_installed) {
        eprintln!("SKIPPED: recording real nodes needs root, Erlang, dumpcap and iproute2");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("lab.pcapng");
    let lab = Lab::set_up(folder.path());
    lab.record(&capture);
    let policy = folder.path().join("policy.toml");
    std::fs::write(&policy, "[erlang]\ncluster = [\"10.99.7.1\"]\nnodes = [\"victim@10.99.7.1\"]\n").unwrap();
    let arguments = [
        capture.to_str().unwrap(),
        "--policy",
        policy.to_str().unwrap(),
        "--known-cookie",
        COOKIE,
        "--reveal-secrets",
        "--tables",
        "ndjson",
    ];
    check(&Run::analyze(&arguments));
}

fn check(run: &Run) {
    let findings = run.findings();
    let of_kind = |kind: &str| -> Vec<&Value> { findings.iter().filter(|finding| finding["kind"] == kind).collect() };
    let executed = |module: &str, function: &str, argument: &str| {
        of_kind("erlang.remote-exec").into_iter().any(|finding| {
            let evidence = &finding["evidence"];
            let arguments = evidence["arguments"].as_str().unwrap_or_default();
            evidence["module"] == module && evidence["function"] == function && arguments.contains(argument)
        })
    };
    for (module, function, argument) in [
        ("os", "cmd", "echo plain"),
        ("os", "cmd", "echo nested"),
        ("os", "cmd", "echo server"),
        ("os", "cmd", "echo fun"),
        ("file", "write_file", "left.txt"),
        ("file", "delete", "left.txt"),
        ("init", "stop", ""),
    ] {
        assert!(executed(module, function, argument), "{module}:{function} {argument} in {findings:#?}");
    }
    // Each deed once, and nothing that does no harm; a call to the module that was sent counts as running it.
    assert_eq!(of_kind("erlang.remote-exec").len(), 8, "{:#?}", of_kind("erlang.remote-exec"));
    let loaded = of_kind("erlang.code-load");
    assert_eq!(loaded.len(), 1);
    assert_eq!(loaded[0]["evidence"]["module"], "labmod");
    assert!(of_kind("cookie.leaked").iter().any(|finding| finding["evidence"]["cookie"] == COOKIE));
    assert_eq!(of_kind("cookie.rejected").len(), 1);
    assert_eq!(of_kind("cookie.weak").len(), 1, "the wrong cookie is a well-known word");
    let strangers = of_kind("erlang.outside-cluster");
    let with_cookie: Vec<_> = strangers.iter().filter(|finding| finding["evidence"]["known_cookie"] == true).collect();
    assert_eq!((strangers.len(), with_cookie.len()), (2, 1));
    assert!(!of_kind("epmd.enumeration").is_empty());
    let rows = run.table("erldist");
    let printed =
        rows.iter().any(|row| row["function"] == "put_chars" && row["arguments"].to_string().contains("printed"));
    assert!(printed, "output of the group leader");
    let sequence = rows.iter().find(|row| row["module"] == "lists" && !row["result"].is_null()).unwrap();
    assert!(sequence["result"].as_str().unwrap().starts_with("[-5,-4,-3,"));
    let named = |row: &Value| row["node"] == VICTIM && row["protocol"] == "erldist";
    assert_eq!(run.table("flows").iter().filter(|row| named(row)).count(), 2);
}

/// Two network namespaces with a cable between them, and a node in one.
struct Lab<'a> {
    folder: &'a Path,
    sides: [String; 2],
    children: Vec<Child>,
}

impl<'a> Lab<'a> {
    fn set_up(folder: &'a Path) -> Self {
        let sides = ["a", "b"].map(|side| format!("jslab{}{side}", std::process::id()));
        let lab = Self { folder, sides, children: Vec::new() };
        let [victim, intruder] = &lab.sides;
        let ip = |arguments: &[&str]| finish(Command::new("ip").args(arguments));
        ip(&["netns", "add", victim]);
        ip(&["netns", "add", intruder]);
        // Made inside, so that no name is taken on the host.
        ip(&["-n", victim, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", intruder]);
        for (side, address) in [(victim, "10.99.7.1/24"), (intruder, "10.99.7.2/24")] {
            ip(&["-n", side, "addr", "add", address, "dev", "cable"]);
            ip(&["-n", side, "link", "set", "cable", "up"]);
            ip(&["-n", side, "link", "set", "lo", "up"]);
        }
        lab
    }

    fn record(mut self, capture: &Path) {
        let [victim, intruder] = self.sides.clone();
        self.start(&victim, "dumpcap", &["-q", "-i", "cable", "-w", capture.to_str().unwrap()]);
        self.wait(|| std::fs::metadata(capture).is_ok_and(|file| file.len() > 0));
        self.start(&victim, "erl", &["-noinput", "-name", VICTIM, "-setcookie", COOKIE]);
        self.wait(|| {
            let names = self.inside(&victim, "epmd", &["-names"]).output().unwrap();
            String::from_utf8_lossy(&names.stdout).contains("name victim at port")
        });
        let ping = format!("net_adm:ping('{VICTIM}'), halt().");
        let guess = ["-noinput", "-name", "guess@10.99.7.2", "-setcookie", "monster", "-eval", &ping];
        finish(&mut self.inside(&intruder, "erl", &guess));
        let deeds = [&script("deeds.escript"), VICTIM, COOKIE, self.folder.to_str().unwrap()];
        finish(&mut self.inside(&intruder, "escript", &deeds));
        // What is on its way to the file.
        sleep(Duration::from_secs(1));
    }

    fn inside(&self, side: &str, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", side, program]).args(arguments).env("HOME", self.folder).stdin(Stdio::null());
        command
    }

    fn start(&mut self, side: &str, program: &str, arguments: &[&str]) {
        let mut command = self.inside(side, program, arguments);
        self.children.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    }

    fn wait(&self, ready: impl Fn() -> bool) {
        let started = Instant::now();
        while !ready() {
            assert!(started.elapsed() < Duration::from_secs(60), "the lab does not get ready");
            sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Lab<'_> {
    fn drop(&mut self) {
        for child in &mut self.children {
            // The recorder writes out what it has when it is asked to end.
            let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        }
        sleep(Duration::from_millis(500));
        for side in &self.sides {
            let pids = Command::new("ip").args(["netns", "pids", side]).output();
            let pids = pids.map(|pids| String::from_utf8_lossy(&pids.stdout).into_owned()).unwrap_or_default();
            pids.split_whitespace().for_each(|pid| {
                let _ = Command::new("kill").args(["-KILL", pid]).status();
            });
            let _ = Command::new("ip").args(["netns", "del", side]).status();
        }
        self.children.iter_mut().for_each(|child| {
            let _ = child.wait();
        });
    }
}

fn finish(command: &mut Command) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}
