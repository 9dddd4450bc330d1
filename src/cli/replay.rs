//! `jabberscope replay`

use super::analyze::CaseArguments;
use super::progress::Progress;
use super::{Common, Failure, Status};
use crate::analyze::{self, Case};
use crate::capture::Spool;
use crate::replay::candidate::Mode;
use crate::replay::expect::Expectations;
use crate::replay::hits::Hits;
use crate::replay::machine::Settings;
use crate::replay::place::Named;
use crate::replay::run::{self, Engine, Replay, ReplayError, Replayed};
use crate::replay::wiring::{Vantage, Wiring};
use crate::replay::world::Routes;
use crate::replay::xt::Backend;
use crate::replay::{kernel, output, terminal};
use crate::ruleset::load::{self, Loaded};
use clap::ValueEnum;
use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  jabberscope replay breach.pcap --rules fw.rules --inside 10.0.0.0/24
  jabberscope replay captures/ --rules now.nft --rules next.nft -o cases/compare
  jabberscope replay host.pcapng --rules v4.rules,v6.rules6,sets.ipset --local 10.0.0.5 --expect gate.toml

Each --rules is one candidate; files joined by commas belong together. Languages are told by content: iptables-save,
scripts of iptables commands, ipset save, nftables (text or JSON), l7-filter patterns. Write v6:FILE for ip6tables rules.

Exit status: 0 done; 1 an expectation of --expect failed; 2 wrong usage, or nothing could be read; 3 internal error.")]
pub struct Arguments {
    #[command(flatten)]
    case: CaseArguments,
    /// A candidate: rule files joined by commas; may be given several times
    #[arg(long, required = true, value_name = "FILE[,FILE...]")]
    rules: Vec<String>,
    /// Where the host with the rules stands [default: host if --local is given, else gateway]
    #[arg(long, value_enum)]
    vantage: Option<VantageName>,
    /// Networks behind the inside interface [default: the policy's networks]
    #[arg(long, value_name = "CIDR,...", value_delimiter = ',', value_parser = parse_network)]
    inside: Vec<(IpAddr, u8)>,
    /// The host's own addresses
    #[arg(long, value_name = "IP,...", value_delimiter = ',')]
    local: Vec<IpAddr>,
    /// Names of the interfaces
    #[arg(long, value_name = "inside=NAME,outside=NAME", value_delimiter = ',', value_parser = parse_interface)]
    iface: Vec<(Side, String)>,
    /// Which iptables: they differ in what they do with fragments and cut headers
    #[arg(long, value_enum, default_value = "nft")]
    backend: BackendName,
    /// Who judges: the model, the kernel of this machine (needs root), or both, compared
    #[arg(long, value_enum, default_value = "model")]
    engine: EngineName,
    /// observe: each packet as captured; enforce: what could not have been sent after a drop is left out
    #[arg(long, value_enum, default_value = "enforce")]
    mode: ModeName,
    /// What must be true (TOML); if it is not, the exit status is 1
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum VantageName {
    Gateway,
    Host,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BackendName {
    Nft,
    Legacy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EngineName {
    Model,
    Kernel,
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ModeName {
    Observe,
    Enforce,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Inside,
    Outside,
}

fn parse_network(text: &str) -> Result<(IpAddr, u8), String> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().map_err(|_| format!("{address:?} is not an IP address"))?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    match bits.map(str::parse).transpose() {
        Ok(bits) if bits.unwrap_or(most) <= most => Ok((address, bits.unwrap_or(most))),
        _ => Err(format!("expected a prefix length from 0 to {most} after the slash")),
    }
}

fn parse_interface(text: &str) -> Result<(Side, String), String> {
    match text.split_once('=') {
        Some(("inside", name)) if !name.is_empty() => Ok((Side::Inside, name.to_owned())),
        Some(("outside", name)) if !name.is_empty() => Ok((Side::Outside, name.to_owned())),
        _ => Err("expected inside=NAME or outside=NAME".to_owned()),
    }
}

/// Analyses the captures, replays them through the candidates, and says what came of it.
pub fn run(common: &Common, arguments: &Arguments) -> Result<Status, Failure> {
    let input = |error: &dyn std::error::Error| Failure::Input(error.to_string());
    // Rule files are small and captures are not: a mistake in a rule is told before any waiting.
    let rulesets: Vec<Loaded> = arguments
        .rules
        .iter()
        .map(|files| load::load(files))
        .collect::<Result<_, _>>()
        .map_err(|error| input(&error))?;
    let expectations =
        arguments.expect.as_deref().map(Expectations::load).transpose().map_err(|error| input(&error))?;
    if arguments.engine != EngineName::Model {
        kernel::available().map_err(|error| input(&ReplayError::from(error)))?;
    }
    let mut options = arguments.case.options(common)?;
    // Captures are read twice or more: first for findings, then for the rules.
    options.kept = Spool::of(&options.captures).map_err(|error| input(&error))?;
    let settings = settings(arguments, &options)?;
    let progress = Progress::new(common.quiet || common.no_progress || common.json);
    let case = analyze::run(&options, &|done, total| progress.update(done, total)).map_err(super::analyze::failure)?;
    let replay = Replay {
        captures: &options.captures,
        kept: &options.kept,
        rulesets: &rulesets,
        findings: &case.findings,
        settings,
        named: named(arguments),
        mode: match arguments.mode {
            ModeName::Observe => Mode::Observe,
            ModeName::Enforce => Mode::Enforce,
        },
        engine: match arguments.engine {
            EngineName::Model => Engine::Model,
            EngineName::Kernel => Engine::Kernel,
            EngineName::Both => Engine::Both,
        },
    };
    let replayed = run::run(&replay, &|done, total| progress.update(done, total));
    progress.finish();
    let replayed = replayed.map_err(|error| input(&error))?;
    output::write(&case.folder, &replayed.hits, &case.findings, options.formats).map_err(|error| input(&error))?;
    let failures = expectations.map_or_else(Vec::new, |all| all.check(&replayed.hits, &replayed.flows, &case.findings));
    print(common, &case, &replayed, &failures);
    Ok(if failures.is_empty() { Status::Done } else { Status::GateFailed })
}

/// Which interfaces were given names.
fn named(arguments: &Arguments) -> Named {
    let is = |side: Side| arguments.iface.iter().any(|(of, _)| *of == side);
    Named { inside: is(Side::Inside), outside: is(Side::Outside) }
}

fn settings(arguments: &Arguments, options: &analyze::Options) -> Result<Settings, Failure> {
    if arguments.vantage == Some(VantageName::Host) && arguments.local.is_empty() {
        let message = "--vantage host needs --local: without the host's own addresses no packet is for it or from it";
        return Err(Failure::Input(message.to_owned()));
    }
    let name = |side: Side, standard: &str| {
        let given = arguments.iface.iter().rfind(|(of, _)| *of == side).map(|(_, name)| name.as_str());
        Arc::from(given.unwrap_or(standard))
    };
    let vantage = match arguments.vantage {
        Some(VantageName::Gateway) => Vantage::Gateway,
        Some(VantageName::Host) => Vantage::Host,
        None if arguments.local.is_empty() => Vantage::Gateway,
        None => Vantage::Host,
    };
    let policy = options.settings.policy.as_ref();
    let inside = match (arguments.inside.is_empty(), policy) {
        (true, Some(policy)) => policy.site.networks.iter().map(|network| (network.address, network.prefix)).collect(),
        _ => arguments.inside.clone(),
    };
    let routes = Routes {
        local: arguments.local.clone(),
        inside,
        inside_if: name(Side::Inside, "eth1"),
        outside_if: name(Side::Outside, "eth0"),
    };
    Ok(Settings {
        wiring: Wiring { vantage, routes },
        backend: match arguments.backend {
            BackendName::Nft => Backend::Nft,
            BackendName::Legacy => Backend::Legacy,
        },
        ..Settings::default()
    })
}

fn print(common: &Common, case: &Case, replayed: &Replayed, failures: &[String]) {
    let text = match (common.quiet, common.json) {
        (_, true) => json(&replayed.hits, failures),
        (true, false) => failures.iter().map(|failure| format!("not as expected: {failure}\n")).collect(),
        (false, false) => {
            let mut text = terminal::summary(&replayed.hits, &case.findings, common.verbose);
            if !failures.is_empty() {
                text += &format!("\nNot as expected:\n  {}\n", failures.join("\n  "));
            }
            text + &format!("\nHits      {}\n", case.folder.hits().display())
        }
    };
    // A closed pipe ends the printing, not the work: the case is written.
    let _ = anstream::stdout().write_all(text.as_bytes());
}

fn json(hits: &Hits, failures: &[String]) -> String {
    let mut value = serde_json::to_value(hits).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.insert("not_as_expected".to_owned(), failures.into());
    }
    format!("{value:#}\n")
}
