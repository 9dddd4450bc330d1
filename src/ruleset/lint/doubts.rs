//! Mistakes that are often made with rules for sites like these. Each is worth a sentence, none is proof.

use super::{Kind, Lint};
use crate::ruleset::model::{Body, Chain, Engine, Family, Hook, Policy, Rule, Ruleset, Verdict};
use crate::ruleset::xt::{CtState, Match, RuleBody, StringMatch, Target};

/// Bytes of an IPv4 header: no signature that must end before lies in a payload.
const SMALLEST_HEADER: u32 = 20;

/// Adds what is doubtful.
pub(super) fn of(ruleset: &Ruleset, lints: &mut Vec<Lint>) {
    let mut number = 0;
    for table in &ruleset.tables {
        for chain in &table.chains {
            if table.engine == Engine::Xtables {
                content_after_established(chain, number, lints);
            }
            for (rule, at) in chain.rules.iter().zip(number..) {
                strings(rule, at, lints);
            }
            number += chain.rules.len() as u32;
        }
    }
    bridged(ruleset, lints);
    other_version(ruleset, lints);
    open_policies(ruleset, lints);
}

fn body(rule: &Rule) -> Option<&RuleBody> {
    match &rule.body {
        Body::Xt(body) => Some(body),
        Body::Nft(_) => None,
    }
}

fn string_of(rule: &Rule) -> Option<&StringMatch> {
    body(rule)?.matches.iter().find_map(|extension| match extension {
        Match::String(string) => Some(&**string),
        _ => None,
    })
}

/// Content comes after the handshake: a rule behind the one that accepts ESTABLISHED does not see it.
fn content_after_established(chain: &Chain, first: u32, lints: &mut Vec<Lint>) {
    let accepts_established = |rule: &Rule| {
        let Some(body) = body(rule) else { return false };
        let state = |extension: &Match| match extension {
            Match::State(state) => Some(*state),
            Match::ConnTrack(ct) => ct.state,
            _ => None,
        };
        let other = body.matches.iter().any(|one| state(one).is_none() && !matches!(one, Match::Comment(_)));
        let established =
            body.matches.iter().filter_map(state).any(|state| !state.not && state.value & CtState::ESTABLISHED != 0);
        let bare = body.head == Default::default();
        matches!(body.target, Target::Verdict(Verdict::Accept)) && established && !other && bare
    };
    let Some(at) = chain.rules.iter().position(accepts_established) else { return };
    for (rule, number) in chain.rules.iter().zip(first..).skip(at + 1) {
        if string_of(rule).is_some() {
            let message = format!(
                "looks at content, but rule {} has accepted everything of established connections: it sees their first packets only",
                at + 1
            );
            lints.push(Lint { rule: Some(number), kind: Kind::Doubtful, message });
        }
    }
}

fn strings(rule: &Rule, number: u32, lints: &mut Vec<Lint>) {
    let Some(string) = string_of(rule) else { return };
    let len = string.pattern.value.len() as u32;
    let mut say = |kind, message: String| lints.push(Lint { rule: Some(number), kind, message });
    if string.from.saturating_add(len) > string.to {
        say(
            if string.pattern.not { Kind::Doubtful } else { Kind::Shadowed },
            format!("{len} bytes never fit between offsets {} and {}", string.from, string.to),
        );
    } else if string.to <= SMALLEST_HEADER + len && string.to < u32::from(u16::MAX) {
        say(
            Kind::Doubtful,
            format!("offsets count from the IP header: up to {} there is hardly any payload", string.to),
        );
    }
    let text = String::from_utf8_lossy(&string.pattern.value);
    if text.contains("='") && !string.pattern.not {
        say(
            Kind::Doubtful,
            "XML allows double quotes and spaces too: an attribute can be written in more than one way".to_owned(),
        );
    }
}

/// Whether a host bridges is not in a capture. It is taken to if it has rules for nothing else.
fn bridged(ruleset: &Ruleset, lints: &mut Vec<Lint>) {
    let message = if ruleset.is_for_bridge() {
        "the host is taken to bridge its interfaces, because the ruleset has no chains for IP"
    } else {
        "the host is taken to route, not to bridge, because the ruleset has chains for IP: no frame came here; replayed in a file of their own, the bridge tables are asked"
    };
    let mut number = 0;
    for table in &ruleset.tables {
        for _ in table.chains.iter().flat_map(|chain| &chain.rules) {
            if table.family == Family::Bridge {
                lints.push(Lint { rule: Some(number), kind: Kind::Doubtful, message: message.to_owned() });
            }
            number += 1;
        }
    }
}

/// A host that speaks both versions and filters one.
fn other_version(ruleset: &Ruleset, lints: &mut Vec<Lint>) {
    let has = |family: Family| ruleset.tables.iter().any(|table| table.family == family && !table.chains.is_empty());
    let message = match (has(Family::Ip), has(Family::Ip6), has(Family::Inet)) {
        (true, false, false) => "IPv6 is not filtered at all: no table of family ip6 or inet",
        (false, true, false) => "IPv4 is not filtered at all: no table of family ip or inet",
        _ => return,
    };
    lints.push(Lint { rule: None, kind: Kind::Doubtful, message: message.to_owned() });
}

/// A filter that lets through what no rule names.
fn open_policies(ruleset: &Ruleset, lints: &mut Vec<Lint>) {
    for table in &ruleset.tables {
        for chain in &table.chains {
            let Some(base) = &chain.base else { continue };
            let guards = matches!(base.hook, Hook::Input | Hook::Forward)
                && (table.engine == Engine::Nftables || &*table.name == "filter");
            let ends = chain.rules.last().is_some_and(|rule| super::ending(rule).is_some() && is_bare(rule));
            if guards && base.policy == Policy::Accept && !ends && !chain.rules.is_empty() {
                let message = format!("{} {}: what no rule names is accepted", table.name, chain.name);
                lints.push(Lint { rule: None, kind: Kind::Doubtful, message });
            }
        }
    }
}

/// A rule without conditions.
fn is_bare(rule: &Rule) -> bool {
    match &rule.body {
        Body::Xt(body) => body.head == Default::default() && body.matches.is_empty(),
        Body::Nft(statements) => statements.len() <= 2,
    }
}
