//! `replay` and `rules` through the binary, on real captures and the sample rulesets.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn jabberscope(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jabberscope")).args(arguments).output().unwrap()
}

/// Replays and reads `hits.json`.
fn replay(capture: &str, arguments: &[&str]) -> (Value, Output) {
    let folder = tempfile::tempdir().unwrap();
    let case = folder.path().join("case");
    let mut all = vec!["replay", capture, "-o", case.to_str().unwrap()];
    all.extend(arguments);
    let output = jabberscope(&all);
    let hits = std::fs::read(case.join("hits.json")).unwrap_or_else(|_| b"null".to_vec());
    if !hits.starts_with(b"null") {
        assert!(
            case.join("tables")
                .read_dir()
                .unwrap()
                .any(|entry| { entry.unwrap().file_name().to_str().unwrap().starts_with("rule_hits.") })
        );
    }
    (serde_json::from_slice(&hits).unwrap(), output)
}

fn of<'h>(hits: &'h Value, ruleset: &str) -> &'h Value {
    hits["rulesets"].as_array().unwrap().iter().find(|one| one["name"] == ruleset).unwrap()
}

fn outcomes(ruleset: &Value, outcome: &str) -> usize {
    ruleset["findings"].as_array().unwrap().iter().filter(|one| one["outcome"] == outcome).count()
}

const PLAIN: &str = "captures/xmpp/01-c2s-plain.pcap";

#[test]
fn a_sound_ruleset_stops_what_one_in_a_hurry_misses() {
    let rules = [
        "--rules",
        "rulesets/ejabberd-host.rules,rulesets/ejabberd-host.rules6",
        "--rules",
        "rulesets/in-a-hurry.rules",
    ];
    let (hits, output) = replay(PLAIN, &[&["--local", "10.77.0.10"], rules.as_slice()].concat());
    assert!(output.status.success(), "{output:?}");
    let (sound, hurried) = (of(&hits, "ejabberd-host"), of(&hits, "in-a-hurry"));
    assert_eq!((outcomes(sound, "stopped"), outcomes(sound, "missed")), (8, 0));
    assert_eq!((outcomes(hurried, "stopped"), outcomes(hurried, "missed")), (0, 8));
    assert_eq!((&sound["mode"], &sound["engine"]), (&Value::from("enforce"), &Value::from("model")));
    let changes = hits["changes"].as_array().unwrap();
    assert_eq!(changes.iter().filter(|change| change["what"] == "finding").count(), 8);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("Stopped of all"), "{text}");
}

#[test]
fn both_languages_say_the_same() {
    for (name, capture, local) in [
        ("ejabberd-cluster", "captures/erlang/e08-epmd-scan.pcap", "10.88.8.11"),
        ("ejabberd-cluster", "captures/erlang/e01-connect-bridge.pcap", "10.88.1.11"),
    ] {
        let iptables = format!("rulesets/{name}.rules,rulesets/{name}.ipset");
        let nft = format!("rulesets/{name}.nft");
        let (hits, output) =
            replay(capture, &["--local", local, "--mode", "observe", "--rules", &iptables, "--rules", &nft]);
        assert!(output.status.success(), "{output:?}");
        let all = hits["rulesets"].as_array().unwrap();
        assert_eq!(all[0]["verdicts"], all[1]["verdicts"], "{name} on {capture}");
        assert_ne!(all[0]["verdicts"]["accept"], 0);
    }
}

#[test]
fn observed_counters_are_the_kernels() {
    // What iptables 1.8.9 and nft 1.0.6 counted on kernel 6.18 for these packets, forwarded.
    let rules = "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -p tcp -m string --string \"mechanism='PLAIN'\" --algo bm\n\
                 -A FORWARD -p tcp -m string --string \"password\" --algo bm --icase -j REJECT --reject-with tcp-reset\n\
                 -A FORWARD -m conntrack --ctstate NEW\nCOMMIT\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fw.rules");
    std::fs::write(&file, rules).unwrap();
    let (hits, output) = replay(PLAIN, &["--mode", "observe", "--rules", file.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let ruleset = of(&hits, "fw");
    let packets: Vec<u64> =
        ruleset["rules"].as_array().unwrap().iter().map(|rule| rule["packets"].as_u64().unwrap()).collect();
    assert_eq!(packets[..2], [4, 4]);
    assert_eq!(ruleset["verdicts"]["reject"], 4);
    assert_eq!(ruleset["verdicts"]["unsent"], 0);
}

#[test]
fn a_gate_fails_with_a_list_of_what_is_not_as_expected() {
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate.toml");
    std::fs::write(&gate, "findings_stopped = [\"credential.cleartext\"]\nno_unknown_match = true\n").unwrap();
    let gate = gate.to_str().unwrap();
    let run = |rules: &str| replay(PLAIN, &["--local", "10.77.0.10", "--rules", rules, "--expect", gate]).1;
    assert_eq!(run("rulesets/ejabberd-host.rules").status.code(), Some(0));
    let output = run("rulesets/in-a-hurry.rules");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches("credential.cleartext").count(), 5, "one in the summary, four in the list: {text}");
    assert!(text.contains("rulesets/in-a-hurry.rules:24: unknown: -m owner"), "{text}");
}

#[test]
fn rules_are_linted_without_a_capture() {
    let output = jabberscope(&["rules", "rulesets/in-a-hurry.rules", "--json"]);
    assert!(output.status.success());
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let kinds = |line: u64| -> Vec<String> {
        let rules = said["rules"].as_array().unwrap().iter().filter(|rule| rule["line"] == line);
        rules
            .flat_map(|rule| rule["remarks"].as_array().unwrap())
            .map(|one| one["kind"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(kinds(13), ["shadowed"]);
    assert_eq!(kinds(17), ["doubtful", "doubtful"]);
    assert_eq!(kinds(22), ["shadowed"]);
    for file in ["rulesets/ejabberd-host.rules", "rulesets/ejabberd-host.nft", "rulesets/ejabberd-cluster.nft"] {
        let output = jabberscope(&["rules", file]);
        assert!(output.status.success(), "{file}");
    }
}

#[test]
fn a_mistake_in_a_rule_names_file_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let fault = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let output = jabberscope(&["rules", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{text}");
        String::from_utf8(output.stderr).unwrap().replace(&folder.path().display().to_string(), "")
    };
    assert!(fault("a.rules", "*filter\n-A INPUT -p tcp --dprt 80 -j DROP\nCOMMIT\n").contains("/a.rules:2:17"));
    assert!(fault("b.sh", "for p in 1 2; do\niptables -A INPUT -j DROP\ndone\n").contains("/b.sh:1:"));
    assert!(fault("c.nft", "table ip t {\n chain c {\n  tcp dport 5222 acept\n }\n}\n").contains("/c.nft:3:"));
    assert!(fault("d.ipset", "create a hash:up\n").contains("/d.ipset:1:10"));
    assert!(fault("e.txt", "hello\n").contains("not a rule language"));
}

#[test]
fn nothing_to_read_is_told_and_nothing_is_written() {
    let (hits, output) = replay("captures/no-such.pcap", &["--rules", "rulesets/in-a-hurry.rules"]);
    assert_eq!((hits, output.status.code()), (Value::Null, Some(2)));
    let (_, output) = replay(PLAIN, &["--rules", "no-such.rules"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("no-such.rules"));
    assert!(Path::new("rulesets").is_dir());
}

#[test]
fn a_pipe_is_read_as_often_as_needed() {
    let folder = tempfile::tempdir().unwrap();
    let case = folder.path().join("case");
    let arguments = ["replay", "-", "--rules", "rulesets/ejabberd-host.rules", "--local", "10.77.0.10", "-o"];
    let output = Command::new(env!("CARGO_BIN_EXE_jabberscope"))
        .args(arguments)
        .arg(&case)
        .stdin(std::fs::File::open(PLAIN).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let hits: Value = serde_json::from_slice(&std::fs::read(case.join("hits.json")).unwrap()).unwrap();
    assert_eq!(outcomes(of(&hits, "ejabberd-host"), "stopped"), 8);
}

#[test]
fn the_page_shows_what_each_ruleset_does() {
    let folder = tempfile::tempdir().unwrap();
    let case = folder.path().join("case");
    let output = jabberscope(&[
        "replay",
        PLAIN,
        "--local",
        "10.77.0.10",
        "--rules",
        "rulesets/ejabberd-host.nft",
        "--rules",
        "rulesets/in-a-hurry.nft",
        "-o",
        case.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{output:?}");
    let page = std::fs::read_to_string(case.join("report.html")).unwrap();
    for part in ["<h2 id=\"rulesets\">", "<a href=\"#rulesets\">", "<b>4</b> / 0 / 0", "<b>0</b> / 0 / 4"] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches("<h2 id=\"charts\">").count(), 1);
}

#[test]
fn rules_that_do_not_matter_are_told_with_how_sure_that_is() {
    let rules = "*filter\n:INPUT DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n\
                 -A INPUT -p tcp -m conntrack --ctstate ESTABLISHED -j ACCEPT\n\
                 -A INPUT -p tcp --dport 5222 -j ACCEPT\n-A INPUT -p tcp --sport 1024: -j ACCEPT\n\
                 -A INPUT -p tcp -m string --string \"<auth\" --algo bm -j REJECT\n-A INPUT -p tcp --dport 5222 -j DROP\nCOMMIT\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fw.rules");
    std::fs::write(&file, rules).unwrap();
    let (hits, output) = replay(PLAIN, &["--local", "10.77.0.10", "--rules", file.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let rules = of(&hits, "fw")["rules"].as_array().unwrap();
    let told = |at: usize| (rules[at]["state"].as_str().unwrap(), rules[at]["note"].as_str().unwrap());
    assert_eq!(told(0).0, "redundant", "the ports let them through as well: {:?}", told(0));
    assert!(told(0).1.starts_with("by the capture: its "), "{:?}", told(0));
    assert_eq!(told(3).0, "shadowed");
    assert!(told(3).1.starts_with("by the capture: 4 packets would match"), "{:?}", told(3));
    assert_eq!(told(4).0, "shadowed");
    assert!(told(4).1.starts_with("provably: rule 2 (line 5)"), "{:?}", told(4));
}

#[test]
fn what_was_assumed_is_said_beside_the_rule_and_at_the_top() {
    let (hits, output) = replay(PLAIN, &["--local", "10.77.0.10", "--rules", "rulesets/ejabberd-host.nft"]);
    assert!(output.status.success(), "{output:?}");
    assert!(hits["assumptions"][0].as_str().unwrap().starts_with("4 packets are neither from nor to --local"));
    let rules = of(&hits, "ejabberd-host")["rules"].as_array().unwrap();
    let note = |line: u64| rules.iter().find(|rule| rule["line"] == line).unwrap()["note"].as_str().unwrap();
    assert!(note(29).contains("what the host says to itself is not replayed"));
    assert!(note(34).contains("other traffic of the host"));
    let output = jabberscope(&["replay", PLAIN, "--vantage", "host", "--rules", "rulesets/ejabberd-host.nft"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--vantage host needs --local"));
}

#[test]
fn the_example_of_a_gate_lets_the_sound_ruleset_through_and_not_the_hurried_one() {
    let run =
        |rules: &str| replay(PLAIN, &["--local", "10.77.0.10", "--rules", rules, "--expect", "rulesets/gate.toml"]).1;
    let output = run("rulesets/ejabberd-host.nft");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(run("rulesets/in-a-hurry.nft").status.code(), Some(1));
}

#[test]
fn a_signature_in_many_small_packets_is_named() {
    let rules = "*filter\n:FORWARD ACCEPT [0:0]\n\
                 -A FORWARD -p tcp -m string --string \"mechanism='PLAIN'\" --algo bm -j DROP\nCOMMIT\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fw.rules");
    std::fs::write(&file, rules).unwrap();
    let (hits, output) = replay("captures/xmpp/15l-tinyseg.pcap.gz", &["--rules", file.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let ruleset = of(&hits, "fw");
    let split = |one: &&Value| one["reason"] == "signature split over packets";
    let missed = ruleset["findings"].as_array().unwrap().iter().filter(split).count();
    assert_eq!(missed, 1, "{}", ruleset["findings"]);
    assert_eq!(ruleset["evasions"][0]["how"], "split");
}
