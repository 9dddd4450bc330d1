//! Rules and tables as `iptables-save` 1.8.9 prints them.

use super::built_in;
use super::line::Jump;
use super::quoting::push_word;
use super::words::Word;
use super::{address, matches, names, targets};
use crate::ruleset::model::{Family, Policy, Table, Verdict};
use crate::ruleset::xt::{ConnTrack, Head, IfName, Inv, Masked, Match, Target};
use std::fmt::Write;

/// Counters to print, by the places of table, chain and rule.
pub trait Counters {
    /// Packets and bytes that reached a base chain's policy.
    fn policy(&self, table: usize, chain: usize) -> (u64, u64);
    /// Packets and bytes of a rule.
    fn rule(&self, table: usize, chain: usize, rule: usize) -> (u64, u64);
}

/// Tables of iptables as `iptables-save` prints them, with counters as `iptables-save -c`.
pub fn print_save(tables: &[Table], counters: Option<&dyn Counters>) -> String {
    let mut out = String::new();
    for (index, table) in tables.iter().enumerate() {
        let _ = writeln!(out, "*{}", table.name);
        print_chains(&mut out, table, index, counters);
        for (chain_index, chain) in table.chains.iter().enumerate() {
            for (rule_index, rule) in chain.rules.iter().enumerate() {
                if let Some(counters) = counters {
                    let (packets, bytes) = counters.rule(index, chain_index, rule_index);
                    let _ = write!(out, "[{packets}:{bytes}] ");
                }
                let blank = if rule.text.is_empty() { "" } else { " " };
                let _ = writeln!(out, "-A {}{blank}{}", chain.name, rule.text);
            }
        }
        out.push_str("COMMIT\n");
    }
    out
}

/// Built-in chains are all printed, also those that were not declared.
fn print_chains(out: &mut String, table: &Table, index: usize, counters: Option<&dyn Counters>) {
    let own = |name: &str| table.chains.iter().enumerate().find(|(_, chain)| &*chain.name == name);
    for name in built_in::builtin_chains(&table.name) {
        let (policy, (packets, bytes)) = match own(name) {
            Some((at, chain)) => (
                chain.base.as_ref().map_or(Policy::Accept, |base| base.policy),
                counters.map_or((0, 0), |counters| counters.policy(index, at)),
            ),
            None => (Policy::Accept, (0, 0)),
        };
        let policy = if policy == Policy::Drop { "DROP" } else { "ACCEPT" };
        let _ = writeln!(out, ":{name} {policy} [{packets}:{bytes}]");
    }
    for chain in table.chains.iter().filter(|chain| chain.base.is_none()) {
        let _ = writeln!(out, ":{} - [0:0]", chain.name);
    }
}

/// `-s … -d … -i … -o … -p … -f`, each with a blank before it.
pub(super) fn head(head: &Head) -> String {
    let mut out = String::new();
    push_address(&mut out, head.src, "-s");
    push_address(&mut out, head.dst, "-d");
    push_interface(&mut out, head.in_if.as_ref(), "-i");
    push_interface(&mut out, head.out_if.as_ref(), "-o");
    if let Some(protocol) = head.protocol {
        push_not(&mut out, protocol.not);
        match names::protocol_name(protocol.value) {
            Some(name) => out.push_str(&format!(" -p {name}")),
            None => out.push_str(&format!(" -p {}", protocol.value)),
        }
    }
    if let Some(fragment) = head.fragment {
        push_not(&mut out, fragment.not);
        out.push_str(" -f");
    }
    out
}

fn push_address(out: &mut String, address: Option<Inv<Masked>>, option: &str) {
    let Some(Inv { not, value }) = address else { return };
    push_not(out, not);
    let _ = write!(out, " {option} {}{}", address::text(value.addr), address::mask_text(value.mask));
}

fn push_interface(out: &mut String, name: Option<&Inv<IfName>>, option: &str) {
    let Some(Inv { not, value }) = name else { return };
    push_not(out, *not);
    let _ = write!(out, " {option} {}", interface(value));
}

/// An interface name as written.
pub(super) fn interface(name: &IfName) -> String {
    format!("{}{}", name.name, if name.prefix { "+" } else { "" })
}

/// ` !`, if inverted.
pub(super) fn push_not(out: &mut String, not: bool) {
    if not {
        out.push_str(" !");
    }
}

/// What stands after the head: matches and the target.
pub(super) fn tail(all: &[Match], jump: Option<&Jump>, target: &Target, family: Family) -> String {
    let mut out = String::new();
    for one in all {
        matches::print(&mut out, one, family);
    }
    let Some(jump) = jump else { return out };
    let name = &jump.loaded.name.text;
    match target {
        Target::Chain { goto: true, .. } => out.push_str(&format!(" -g {name}")),
        Target::Chain { goto: false, .. } => out.push_str(&format!(" -j {name}")),
        Target::Verdict(Verdict::Accept) => out.push_str(" -j ACCEPT"),
        Target::Verdict(Verdict::Drop) => out.push_str(" -j DROP"),
        Target::Verdict(_) => out.push_str(" -j RETURN"),
        // Other names for targets that are the same in the kernel.
        _ if matches!(name.as_str(), "NOTRACK" | "QUEUE") => out.push_str(&format!(" -j {name}")),
        _ => targets::print(&mut out, target, family),
    }
    out
}

/// Masks addresses that are printed as written.
pub(super) fn forget_spelling(one: &mut Match) {
    if let Match::ConnTrack(tracked) = one {
        let ConnTrack { orig_src, orig_dst, repl_src, repl_dst, .. } = &mut **tracked;
        for address in [orig_src, orig_dst, repl_src, repl_dst].into_iter().flatten() {
            address.value = address::masked(address.value);
        }
    }
}

/// Words as an iptables file has them.
pub(super) fn words(words: &[Word]) -> String {
    let mut out = String::new();
    for word in words {
        push_word(&mut out, &word.text);
    }
    out.trim_start().to_owned()
}
