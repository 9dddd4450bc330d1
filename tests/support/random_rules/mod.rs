//! Random rulesets and random packets from a seed, for comparing the model with the kernel.
//!
//! The same seed always gives the same case. What depends on the clock is left out or made so slow (`1/day`) that no
//! time passes for it. The tools refuse some rules that are made here; [`RandomCase::accepted`] finds and drops them.

mod captured;
pub mod coverage;
mod dice;
mod ipset;
mod iptables;
mod nft;
mod packets;
mod talk;

pub use super::frames::OwnedPacket;
use dice::Dice;
use jabberscope::replay::kernel::{
    Backend, FileKind, Interfaces, KernelError, KernelFile, KernelRun, Settings, Timing, Vantage,
};
use std::net::IpAddr;

/// What a case may hold.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Rules that rewrite addresses.
    pub nat: bool,
    /// The host vantage, now and then.
    pub host: bool,
    /// `connlimit` and `ct count`. `nf_conncount.c` looks through its list once a jiffy: of packets that follow faster,
    /// it counts one connection's again and again, so that counters depend on the machine's speed.
    pub conncount: bool,
    /// Rules for each file.
    pub rules: usize,
    /// Packets, about.
    pub packets: usize,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { nat: true, host: true, conncount: false, rules: 30, packets: 120 }
    }
}

/// A ruleset and packets.
#[derive(Debug, Clone)]
pub struct RandomCase {
    /// What it was made from.
    pub seed: u64,
    /// Rule files.
    pub files: Vec<RandomFile>,
    /// Who carries iptables rules.
    pub backend: Backend,
    /// Where the rules stand.
    pub vantage: Vantage,
    /// Settings of connection tracking and sending.
    pub settings: Settings,
    /// Packets in order.
    pub packets: Vec<OwnedPacket>,
}

/// A rule file by its lines, so that single rules can be dropped.
#[derive(Debug, Clone)]
pub struct RandomFile {
    /// Language.
    pub kind: FileKind,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// A line of a rule file.
#[derive(Debug, Clone)]
pub struct Line {
    /// As it stands in the file.
    pub text: String,
    /// It is a rule (or a member of a set), and the file is sound without it.
    pub optional: bool,
}

impl RandomFile {
    fn new(kind: FileKind) -> Self {
        Self { kind, lines: Vec::new() }
    }

    fn frame(&mut self, text: impl Into<String>) {
        self.lines.push(Line { text: text.into(), optional: false });
    }

    fn rule(&mut self, text: impl Into<String>) {
        self.lines.push(Line { text: text.into(), optional: true });
    }

    /// The file.
    pub fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{}\n", line.text)).collect()
    }

    /// Number of its rules.
    pub fn rules(&self) -> usize {
        self.lines.iter().filter(|line| line.optional).count()
    }
}

/// Makes the case of a seed.
pub fn case(seed: u64, wanted: Wanted) -> RandomCase {
    let mut dice = Dice::new(seed);
    let d = &mut dice;
    let v6 = d.chance(1, 3);
    let (mut case, both) = around(d, seed, v6, wanted);
    case.packets = packets::packets(d, (v6, both), case.settings.keep_checksums, wanted.packets);
    case
}

/// Makes a case for some of the packets of a capture.
pub fn case_for(seed: u64, wanted: Wanted, packets: &[OwnedPacket]) -> RandomCase {
    let packets = captured::window(&mut Dice::new(seed), packets, wanted.packets);
    let mut dice = Dice::at(seed, captured::scene(&packets));
    let v6 = packets.iter().all(|packet| packet.ip.first().is_none_or(|first| first >> 4 == 6));
    let (mut case, _) = around(&mut dice, seed, v6, wanted);
    case.settings.keep_checksums = false;
    case.vantage = captured::vantage(&mut dice, &packets, matches!(case.vantage, Vantage::Host { .. }));
    case.packets = packets;
    case
}

/// A case without packets; and whether its rules are for both families.
fn around(d: &mut Dice, seed: u64, v6: bool, wanted: Wanted) -> (RandomCase, bool) {
    let with_sets = d.chance(1, 2);
    let host = wanted.host && d.chance(1, 6);
    let wanted = Wanted { host, ..wanted };
    let mut files = Vec::new();
    if d.chance(3, 5) {
        if with_sets {
            files.push(ipset::file(d, v6));
        }
        files.push(iptables::file(d, v6, with_sets, wanted));
    } else {
        files.push(nft::file(d, wanted));
    }
    let both = matches!(files.last(), Some(file) if file.kind == FileKind::NftScript);
    let settings =
        Settings { liberal: d.chance(1, 8), loose: !d.chance(1, 8), keep_checksums: d.chance(1, 8), per_packet: false };
    let case = RandomCase {
        seed,
        files,
        backend: if d.chance(1, 3) { Backend::Legacy } else { Backend::Nft },
        vantage: if host { Vantage::Host { local: local() } } else { Vantage::Gateway { inside: inside() } },
        settings,
        packets: Vec::new(),
    };
    (case, both)
}

/// Networks behind the inside interface.
fn inside() -> Vec<(IpAddr, u8)> {
    vec![("10.1.0.0".parse().unwrap(), 16), ("2001:db8:1::".parse().unwrap(), 48)]
}

/// Addresses of the host in the host vantage.
fn local() -> Vec<IpAddr> {
    vec!["10.1.0.1".parse().unwrap(), "2001:db8:1::1".parse().unwrap()]
}

impl RandomCase {
    /// As the kernel engine takes it.
    pub fn kernel_run(&self) -> KernelRun<'static> {
        let file = |file: &RandomFile| KernelFile {
            name: format!("seed-{}.{:?}", self.seed, file.kind),
            text: file.text().into_bytes().into(),
            kind: file.kind,
        };
        KernelRun {
            rules: self.files.iter().map(file).collect(),
            backend: self.backend,
            vantage: self.vantage.clone(),
            interfaces: Interfaces::default(),
            bridges: false,
            timing: Timing::Max,
            settings: self.settings,
        }
    }

    /// Drops the rules that the tools refuse, and gives them with the reason.
    pub fn accepted(&mut self) -> Result<Vec<(String, String)>, KernelError> {
        let mut dropped = Vec::new();
        while let Err(error) = self.kernel_run().run(std::iter::empty(), &mut |_| {}) {
            let KernelError::Load { file, message, .. } = &error else { return Err(error) };
            let Some(at) = self.files.iter().position(|it| file.ends_with(&format!("{:?}", it.kind))) else {
                return Err(error);
            };
            let line = match self.named_line(at, message) {
                Some(line) => line,
                None => match self.search_line(at)? {
                    Some(line) => line,
                    None => return Err(error),
                },
            };
            dropped.push((self.files[at].lines.remove(line).text, message.clone()));
        }
        Ok(dropped)
    }

    /// The line that a message names, if that is a rule.
    fn named_line(&self, file: usize, message: &str) -> Option<usize> {
        let number = |from: &str| -> Option<usize> {
            let digits = message.split(from).nth(1)?.trim_start_matches([':', ' ']);
            digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        let kind = format!("{:?}:", self.files[file].kind);
        let found = number("Error occurred at line").or_else(|| number("line ")).or_else(|| number(&kind))?;
        let line = found.checked_sub(1)?;
        self.files[file].lines.get(line).is_some_and(|line| line.optional).then_some(line)
    }

    /// The first rule with which the file is refused, by halving.
    fn search_line(&self, file: usize) -> Result<Option<usize>, KernelError> {
        let rules: Vec<usize> =
            (0..self.files[file].lines.len()).filter(|at| self.files[file].lines[*at].optional).collect();
        let loads = |kept: usize| {
            let mut part = self.clone();
            let dropped = &rules[kept..];
            let lines = std::mem::take(&mut part.files[file].lines);
            let lines = lines.into_iter().enumerate().filter(|(at, _)| !dropped.contains(at));
            part.files[file].lines = lines.map(|(_, line)| line).collect();
            match part.kernel_run().run(std::iter::empty(), &mut |_| {}) {
                Ok(_) => Ok(true),
                Err(KernelError::Load { .. }) => Ok(false),
                Err(error) => Err(error),
            }
        };
        let (mut good, mut bad) = (0, rules.len());
        if !loads(0)? {
            return Ok(None);
        }
        while bad - good > 1 {
            let middle = good.midpoint(bad);
            if loads(middle)? {
                good = middle;
            } else {
                bad = middle;
            }
        }
        Ok(rules.get(bad.wrapping_sub(1)).copied())
    }
}
