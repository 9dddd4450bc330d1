//! How fast packets go through rules: `cargo run --release --example replay_speed -- CAPTURE RULES [kernel]`.
//!
//! RULES is a rule file, or `plain:N`, `nft:N` or `strings:N` for N made-up rules of a kind: ports, addresses, states and flags,
//! none of which ends a packet's way before the last; or strings that are in none of the packets. One thread. The time
//! is that of a whole replay without analysis: reading, headers, conversations, rules.

#![allow(clippy::print_stdout, clippy::expect_used)] // a measuring tool talks to the person who runs it

use jabberscope::capture::Spool;
use jabberscope::replay::candidate::Mode;
use jabberscope::replay::machine::Settings;
use jabberscope::replay::place::Named;
use jabberscope::replay::run::{self, Engine, Replay};
use jabberscope::replay::wiring::{Vantage, Wiring};
use jabberscope::replay::world::Routes;
use jabberscope::ruleset::load;
use std::fmt::Write as _;
use std::time::Instant;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [capture, rules, engine @ ..] = arguments.as_slice() else {
        println!("usage: replay_speed CAPTURE RULES|plain:N|nft:N|strings:N [kernel]");
        return;
    };
    let folder = std::env::temp_dir().join(format!("replay-speed-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let file = made_up(rules).map_or_else(
        || rules.clone(),
        |text| {
            let path = folder.join("made-up.rules");
            std::fs::write(&path, text).expect("a temporary file");
            path.display().to_string()
        },
    );
    let loaded = load::load(&file).expect("rules that can be read");
    let routes = Routes { inside_if: "eth1".into(), outside_if: "eth0".into(), ..Routes::default() };
    let settings = Settings { wiring: Wiring { vantage: Vantage::Gateway, routes }, ..Settings::default() };
    let captures = [capture.clone()];
    let engine = if engine.is_empty() { Engine::Model } else { Engine::Kernel };
    let rulesets = [loaded];
    let replay = Replay {
        captures: &captures,
        kept: &Spool::default(),
        rulesets: &rulesets,
        findings: &[],
        settings,
        named: Named::default(),
        mode: Mode::Observe,
        engine,
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    let started = Instant::now();
    let replayed = pool.install(|| run::run(&replay, &|_, _| {})).expect("a replay");
    let seconds = started.elapsed().as_secs_f64();
    let hits = replayed.hits.rulesets.first().expect("one candidate");
    let verdicts = hits.verdicts;
    let packets = verdicts.accept + verdicts.drop + verdicts.reject + verdicts.held;
    let hit: u64 = hits.rules.iter().map(|rule| rule.packets).sum();
    println!(
        "{} rules, {packets} packets, {hit} rule hits: {seconds:.2} s, {:.0} thousand packets a second",
        hits.rules.len(),
        packets as f64 / seconds / 1000.0
    );
    std::fs::remove_dir_all(&folder).expect("the temporary folder");
}

/// `plain:N` or `strings:N`.
fn made_up(rules: &str) -> Option<String> {
    let (kind, count) = rules.split_once(':')?;
    let count: usize = count.parse().ok()?;
    if kind == "nft" {
        return Some(made_up_nft(count));
    }
    let mut text = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n".to_owned();
    for n in 0..count {
        let rule = match kind {
            "strings" => format!("-p tcp -m string --string \"never in a packet {n}\" --algo bm -j DROP"),
            "plain" => match n % 6 {
                0 => format!("-p tcp -m tcp --dport {} -j DROP", 20_000 + n),
                1 => format!("-s 203.0.113.{n}/32 -p tcp -m tcp --dport 5222 -j DROP"),
                2 => format!("-p udp -m udp --sport {} -j DROP", 20_000 + n),
                3 => format!("-d 198.51.100.{n}/32 -m conntrack --ctstate NEW -j DROP"),
                4 => format!("-p tcp -m tcp --tcp-flags SYN,RST SYN,RST -m multiport --dports 1,2,{n} -j DROP"),
                _ => format!("-p tcp -m conntrack --ctstate INVALID -m length --length {n}:{n} -j DROP"),
            },
            _ => return None,
        };
        writeln!(text, "-A FORWARD {rule}").ok()?;
    }
    text.push_str("-A FORWARD -j ACCEPT\nCOMMIT\n");
    Some(text)
}

/// As `plain`, for nftables.
fn made_up_nft(count: usize) -> String {
    let mut text =
        "table inet f {\n chain c {\n  type filter hook forward priority filter; policy accept;\n".to_owned();
    for n in 0..count {
        let rule = match n % 6 {
            0 => format!("tcp dport {} drop", 20_000 + n),
            1 => format!("ip saddr 203.0.113.{} tcp dport 5222 drop", n % 256),
            2 => format!("udp sport {} drop", 20_000 + n),
            3 => format!("ip daddr 198.51.100.{} ct state new drop", n % 256),
            4 => format!("tcp flags & (syn | rst) == syn | rst tcp dport {{ 1, 2, {} }} drop", 3 + n),
            _ => format!("meta l4proto tcp ct state invalid meta length {n} drop"),
        };
        text.push_str(&format!("  {rule}\n"));
    }
    text + "  counter accept\n }\n}\n"
}
