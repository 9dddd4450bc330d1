//! The kernel engine on small packets made here: what it counts, what it refuses, and that it leaves nothing behind.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)] // tests

use jabberscope::replay::kernel::{
    Backend, FileKind, Interfaces, KernelError, KernelFile, KernelResult, KernelRun, PacketVerdict, Settings,
    SkipReason, Timing, Vantage, available,
};
use std::collections::BTreeSet;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

/// `false`, and says so, where the engine cannot work.
fn possible() -> bool {
    match available() {
        Ok(()) => true,
        Err(why) => {
            assert!(why.is_unavailable(), "{why}");
            eprintln!("SKIPPED: {why}");
            false
        }
    }
}

fn gateway<'a>(kind: FileKind, text: &'a str) -> KernelRun<'a> {
    KernelRun {
        rules: vec![KernelFile { name: "candidate".to_owned(), text: text.as_bytes().into(), kind }],
        backend: Backend::Nft,
        vantage: Vantage::Gateway { inside: vec![("10.1.0.0".parse().unwrap(), 16)] },
        interfaces: Interfaces::default(),
        bridges: false,
        timing: Timing::Max,
        settings: Settings::default(),
    }
}

fn run(run: &KernelRun<'_>, packets: &[Vec<u8>]) -> Result<KernelResult, KernelError> {
    run.run(packets.iter().map(|packet| (0, &[][..], &**packet)), &mut |_| {})
}

fn letters(result: &KernelResult) -> String {
    result.verdicts.iter().map(|verdict| verdict.letter()).collect()
}

/// A UDP datagram; its checksums are left to the engine.
fn udp(src: [u8; 4], dst: [u8; 4], port: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(28 + payload.len()).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend(len.to_be_bytes());
    packet.extend([0, 7, 0, 0, 64, 17, 0, 0]);
    packet.extend(src);
    packet.extend(dst);
    packet.extend(5000u16.to_be_bytes());
    packet.extend(port.to_be_bytes());
    packet.extend((len - 20).to_be_bytes());
    packet.extend([1, 1]);
    packet.extend(payload);
    packet
}

const INSIDE: [u8; 4] = [10, 1, 0, 5];
const OUTSIDE: [u8; 4] = [198, 18, 0, 5];

#[test]
fn rules_count_and_verdicts_are_told_apart() {
    if !possible() {
        return;
    }
    let rules = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n\
        -A FORWARD -i eth0 -o eth1 -p udp --dport 53 -j ACCEPT\n-A FORWARD -p udp --dport 99 -j REJECT\n\
        -A FORWARD -m ttl --ttl-eq 64\n-A OUTPUT -p icmp\nCOMMIT\n";
    let loopback = [127, 0, 0, 1];
    let packets = [
        udp(OUTSIDE, INSIDE, 53, b"in"),
        udp(INSIDE, OUTSIDE, 53, b"out"),
        udp(OUTSIDE, INSIDE, 99, b"no"),
        udp(loopback, INSIDE, 53, b"self"),
        udp(OUTSIDE, INSIDE, 53, b"in"),
        b"no IP".to_vec(),
    ];
    for backend in [Backend::Nft, Backend::Legacy] {
        for per_packet in [false, true] {
            let mut candidate = gateway(FileKind::Iptables4, rules);
            candidate.backend = backend;
            candidate.settings.per_packet = per_packet;
            let result = run(&candidate, &packets).unwrap();
            assert_eq!(letters(&result), "ADRSAS", "{backend:?}");
            assert_eq!(result.verdicts.get(3), Some(&PacketVerdict::Skipped(SkipReason::Loopback)));
            let counts: Vec<_> = result.rules.iter().map(|rule| rule.count().unwrap()).collect();
            assert_eq!(counts, [(2, 60), (1, 30), (1, 31), (1, 58)], "{}", result.listing);
            let policy = result.chains.iter().find(|chain| chain.chain == "FORWARD").unwrap();
            assert_eq!((&*policy.policy, policy.packets), ("DROP", 1));
            assert_eq!(result.per_packet.is_some(), per_packet);
        }
    }
}

#[test]
fn a_bridge_passes_frames_as_they_came() {
    if !possible() {
        return;
    }
    let rules = "table bridge b {\n chain f { type filter hook forward priority 0; iifname eth1 oifname eth0 counter; \
        ip ttl 64 counter; udp dport 99 counter drop; }\n \
        chain own { type filter hook output priority 0; counter; }\n}\n\
        table netdev n {\n chain e { type filter hook egress device eth0 priority 0; counter; }\n}\n";
    let mut candidate = gateway(FileKind::NftScript, rules);
    candidate.bridges = true;
    let packets = [udp(INSIDE, OUTSIDE, 53, b"out"), udp(OUTSIDE, INSIDE, 99, b"no"), udp(OUTSIDE, INSIDE, 53, b"in")];
    let result = match run(&candidate, &packets) {
        Err(KernelError::Setup { message, .. }) => return eprintln!("SKIPPED: no bridges here: {message}"),
        result => result.unwrap(),
    };
    assert_eq!(letters(&result), "ADA");
    let counts: Vec<_> = result.rules.iter().map(|rule| rule.count().unwrap()).collect();
    assert_eq!(counts, [(1, 31), (3, 91), (1, 30), (0, 0), (1, 45)], "{}", result.listing);
}

#[test]
fn a_host_sends_and_receives() {
    if !possible() {
        return;
    }
    let rules = "table inet t {\n chain i { type filter hook input priority 0; udp dport 53 counter accept; counter drop; }\n \
        chain o { type filter hook output priority 0; udp dport 1 counter drop; counter; }\n}\n";
    let mut candidate = gateway(FileKind::NftScript, rules);
    candidate.vantage = Vantage::Host { local: vec![INSIDE.into()] };
    let packets = [
        udp(OUTSIDE, INSIDE, 53, b""),
        udp(OUTSIDE, INSIDE, 54, b""),
        udp(INSIDE, OUTSIDE, 1, b""),
        udp(INSIDE, OUTSIDE, 2, b""),
        udp(INSIDE, INSIDE, 2, b""),
        udp(OUTSIDE, [198, 18, 0, 6], 2, b""),
    ];
    let result = run(&candidate, &packets).unwrap();
    assert_eq!(letters(&result), "ADDASA");
    let counts: Vec<_> = result.rules.iter().map(|rule| rule.count().unwrap().0).collect();
    assert_eq!(counts, [1, 1, 1, 1]);
}

#[test]
fn a_script_that_flushes_does_not_take_the_guard_away() {
    if !possible() {
        return;
    }
    // Without the guard the host's own port-unreachable message would be counted here.
    let rules = "flush ruleset\ntable ip t {\n chain o { type filter hook output priority 0; counter; }\n}\n";
    let mut candidate = gateway(FileKind::NftScript, rules);
    candidate.vantage = Vantage::Host { local: vec![INSIDE.into()] };
    let result = run(&candidate, &[udp(OUTSIDE, INSIDE, 53, b"")]).unwrap();
    assert_eq!(letters(&result), "A");
    assert_eq!(result.rules.first().unwrap().count(), Some((0, 0)));
    assert!(!result.listing.contains("guard"), "{}", result.listing);
}

#[test]
fn many_packets_in_one_go_count_like_one_by_one() {
    if !possible() {
        return;
    }
    // All alike: only their order tells which were dropped.
    let rules = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
        -A FORWARD -m statistic --mode nth --every 3 --packet 0 -j DROP\nCOMMIT\n";
    let packets: Vec<_> = (0..3000).map(|_| udp(OUTSIDE, INSIDE, 53, &[b'x'; 1000])).collect();
    let result = run(&gateway(FileKind::Iptables4, rules), &packets).unwrap();
    assert_eq!(letters(&result), "DAA".repeat(1000));
    assert_eq!(result.rules.first().unwrap().count(), Some((1000, 1_028_000)));
}

#[test]
fn the_captured_sender_reaches_the_rules() {
    if !possible() {
        return;
    }
    let rules = "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m mac --mac-source 02:11:22:33:44:55\nCOMMIT\n";
    let packet = udp(OUTSIDE, INSIDE, 53, b"");
    let link = [0, 0, 0, 0, 0, 1, 2, 0x11, 0x22, 0x33, 0x44, 0x55, 8, 0];
    let candidate = gateway(FileKind::Iptables4, rules);
    let result = candidate.run([(0, &link[..], &*packet)].into_iter(), &mut |_| {}).unwrap();
    assert_eq!(result.rules.first().unwrap().count(), Some((1, 28)));
}

#[test]
fn what_the_tool_says_of_a_rule_is_passed_on() {
    if !possible() {
        return;
    }
    let cases = [
        (FileKind::Iptables4, "*filter\n-A FORWARD -m nosuchmatch\nCOMMIT\n", "nosuchmatch"),
        (FileKind::NftScript, "table ip t {\n nonsense\n}\n", "candidate:2"),
        (FileKind::NftJson, "{\"nftables\": 5}", "nft"),
        (FileKind::Ipset, "create a hash:nothing\n", "hash:nothing"),
    ];
    for (kind, text, part) in cases {
        let error = run(&gateway(kind, text), &[]).unwrap_err();
        assert!(matches!(error, KernelError::Load { .. }), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn a_capture_too_long_for_its_own_timing_is_refused() {
    if !possible() {
        return;
    }
    let mut candidate = gateway(FileKind::Iptables4, "*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n");
    candidate.timing = Timing::Real { limit: Duration::from_secs(5) };
    let packet = udp(OUTSIDE, INSIDE, 53, b"");
    let packets = [(0, &[][..], &*packet), (6_000_000_000, &[][..], &*packet)];
    let error = candidate.run(packets.into_iter(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, KernelError::TooLong { packet: 2, .. }), "{error}");
}

/// Not a test: a run that waits, for the one below to kill.
#[test]
#[ignore = "waits to be killed"]
fn run_without_end() {
    let mut candidate = gateway(FileKind::Iptables4, "*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n");
    candidate.timing = Timing::Real { limit: Duration::from_secs(600) };
    let packet = udp(OUTSIDE, INSIDE, 53, b"");
    let packets = [(0, &[][..], &*packet), (500_000_000_000, &[][..], &*packet)];
    let packets = packets.into_iter().inspect(|(time, _, _)| {
        if *time > 0 {
            eprintln!("WAITING");
        }
    });
    candidate.run(packets, &mut |_| {}).ok();
}

#[test]
fn nothing_is_left_when_a_run_is_killed() {
    if !possible() {
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "run_without_end"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    let mut errors = child.stderr.take().unwrap();
    while !String::from_utf8_lossy(&said).contains("WAITING") {
        let mut some = [0; 256];
        let len = errors.read(&mut some).unwrap();
        assert!(len > 0, "it ended: {}", String::from_utf8_lossy(&said));
        said.extend(&some[..len]);
    }
    let own = namespaces_of(child.id());
    let host = std::fs::read_link("/proc/self/ns/net").unwrap().display().to_string();
    assert!(own.iter().any(|namespace| *namespace != host), "it works in another namespace: {own:?}");
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    // A namespace with a name (`ip netns`) or kept by a file is a mount.
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!own.iter().any(|namespace| *namespace != host && mounts.contains(namespace)), "{mounts}");
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|it| it.ok()?.file_name().to_str()?.parse().ok());
    let left: Vec<u32> = processes
        .filter(|process| namespaces_of(*process).iter().any(|namespace| *namespace != host && own.contains(namespace)))
        .collect();
    assert!(left.is_empty(), "{left:?} hold the namespaces of the killed run");
}

/// Namespaces that the threads of a process are in.
fn namespaces_of(process: u32) -> BTreeSet<String> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { return BTreeSet::new() };
    let links = threads.filter_map(|thread| std::fs::read_link(thread.ok()?.path().join("ns/net")).ok());
    links.map(|link| link.display().to_string()).collect()
}

/// Not a test: prints how fast packets go through, for those who change how they are sent.
#[test]
#[ignore = "measures"]
fn throughput() {
    let rules = "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m conntrack --ctstate NEW\nCOMMIT\n";
    let packets: Vec<_> = (0..200_000u32).map(|n| udp(OUTSIDE, [10, 1, 0, (n % 50) as u8], 53, &[b'x'; 200])).collect();
    for vantage in [gateway(FileKind::Iptables4, rules).vantage, Vantage::Host { local: vec![OUTSIDE.into()] }] {
        let mut candidate = gateway(FileKind::Iptables4, rules);
        candidate.vantage = vantage;
        let start = std::time::Instant::now();
        run(&candidate, &packets[..1]).unwrap();
        let bench = start.elapsed();
        run(&candidate, &packets).unwrap();
        let each = (start.elapsed() - bench * 2) / u32::try_from(packets.len()).unwrap();
        eprintln!("{each:?} a packet, {bench:?} for the bench: {:?}", candidate.vantage);
    }
}
