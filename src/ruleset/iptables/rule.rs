//! A rule's options into the rules that it stands for: one for each pair of addresses.

use super::Context;
use super::address;
use super::bounds::MAX_EXPANSION;
use super::extension::Extension;
use super::line::{Jump, Loaded, Spec};
use super::options::{Env, Options};
use super::print;
use super::unmodelled;
use super::words::Word;
use super::{names, values};
use crate::ruleset::error::{Place, RuleError};
use crate::ruleset::model::{Body, ChainId, Family, Note, Rule, Unknown, Verdict};
use crate::ruleset::xt::{Head, Inv, Masked, Match, RuleBody, Target};
use std::cell::RefCell;
use std::sync::Arc;

/// Where a rule is to stand.
pub(super) struct Site<'a> {
    pub file: &'a Arc<str>,
    pub family: Family,
    pub table: &'static str,
    pub chain: &'a str,
    pub place: Place,
    /// Bytes that are left for rules of this file.
    pub room: usize,
    pub context: &'a Context,
    /// Chains of the table by name.
    pub chain_by_name: &'a dyn Fn(&str) -> Option<ChainId>,
}

/// What a rule takes beside its text and matches, roughly.
const RULE_BYTES: usize = 512;
/// What a match takes beside its text.
const MATCH_BYTES: usize = 128;

/// Makes the rules, not numbered yet; and the bytes that they take, roughly.
pub(super) fn make(spec: Spec, site: &Site<'_>, notes: &mut Vec<Note>) -> Result<(Vec<Rule>, usize), RuleError> {
    check_interfaces(&spec, site)?;
    let collected = RefCell::new(Vec::new());
    let env = Env {
        file: site.file,
        family: site.family,
        protocol: spec.protocol.filter(|protocol| protocol.value != 0),
        context: site.context,
        notes: &collected,
    };
    let mut unknown = Vec::new();
    let mut matches = Vec::new();
    for loaded in &spec.matches {
        matches.push(build_match(loaded, site, &env)?);
    }
    let target = match &spec.target {
        Some(jump) => build_target(jump, site, &env)?,
        None => Target::None,
    };
    unknown.extend(matches.iter().filter_map(unmodelled::of_match));
    unknown.extend(unmodelled::of_target(&target));
    notes.append(&mut collected.borrow_mut());

    let tail = print::tail(&matches, spec.target.as_ref(), &target, site.family);
    // The kernel compares masked addresses; only printing wants them as written.
    matches.iter_mut().for_each(print::forget_spelling);
    expand(&spec, site, Made { matches, target, tail, unknown })
}

struct Made {
    matches: Vec<Match>,
    target: Target,
    /// Text after the head.
    tail: String,
    unknown: Vec<Unknown>,
}

fn expand(spec: &Spec, site: &Site<'_>, made: Made) -> Result<(Vec<Rule>, usize), RuleError> {
    let each = |list: &Option<Inv<Vec<Masked>>>| -> Vec<Option<Inv<Masked>>> {
        match list {
            Some(list) => list.value.iter().map(|&value| keep(Inv { not: list.not, value })).collect(),
            None => vec![None],
        }
    };
    let (sources, destinations) = (each(&spec.sources), each(&spec.destinations));
    let count = sources.len().saturating_mul(destinations.len());
    if count > MAX_EXPANSION {
        let message = format!("its lists of addresses make more than {MAX_EXPANSION} rules of one");
        return Err(RuleError::new(site.place.clone(), message));
    }
    // Strings stand in the text and in the parameters.
    let each_takes = made.tail.len().saturating_mul(2).saturating_add(made.matches.len().saturating_mul(MATCH_BYTES));
    let size = count.saturating_mul(each_takes.saturating_add(RULE_BYTES));
    if size > site.room {
        return Err(RuleError::new(site.place.clone(), "the rules of this file are too large"));
    }
    let comment = made.matches.iter().find_map(|one| match one {
        Match::Comment(text) => Some(text.clone()),
        _ => None,
    });
    let mut rules = Vec::new();
    for &src in &sources {
        for &dst in &destinations {
            let head = Head {
                src,
                dst,
                in_if: spec.in_if.clone().filter(|name| name.not || !is_any(&name.value)),
                out_if: spec.out_if.clone().filter(|name| name.not || !is_any(&name.value)),
                protocol: spec.protocol.filter(|protocol| protocol.value != 0),
                fragment: spec.fragment,
            };
            let text = format!("{}{}", print::head(&head), made.tail).trim_start().to_owned();
            let body = RuleBody { head, matches: made.matches.clone(), target: made.target.clone() };
            rules.push(Rule {
                n: 0,
                text,
                place: site.place.clone(),
                body: Body::Xt(Box::new(body)),
                unknown: made.unknown.clone(),
                comment: comment.clone(),
            });
        }
    }
    Ok((rules, size))
}

/// `/0` is no condition, unless inverted.
fn keep(address: Inv<Masked>) -> Option<Inv<Masked>> {
    (address.not || !address::is_zero(address.value.mask)).then_some(address)
}

fn is_any(name: &crate::ruleset::xt::IfName) -> bool {
    name.prefix && name.name.is_empty()
}

/// Built-in chains that a packet passes before it has an outgoing, or after it lost its incoming interface.
fn check_interfaces(spec: &Spec, site: &Site<'_>) -> Result<(), RuleError> {
    let wrong = match site.chain {
        "PREROUTING" | "INPUT" if spec.out_if.is_some() => "-o",
        "OUTPUT" | "POSTROUTING" if spec.in_if.is_some() => "-i",
        _ => return Ok(()),
    };
    let message = format!("`{wrong}` cannot be used in {}: no such interface is known there", site.chain);
    Err(RuleError::new(site.place.clone(), message))
}

fn build_match(loaded: &Loaded<Match>, site: &Site<'_>, env: &Env<'_>) -> Result<Match, RuleError> {
    let title = format!("-m {}", loaded.name.text);
    let Some(extension) = loaded.extension else {
        note_stranger(&title, &loaded.name, unmodelled::is_third_party_match(&loaded.name.text), env);
        return Ok(Match::Unknown { name: loaded.name.text.clone(), options: print::words(&loaded.raw) });
    };
    let options = Options { title, at: &loaded.name, given: &loaded.given, env };
    check(extension, &options, site)?;
    (extension.build)(&options)
}

fn build_target(jump: &Jump, site: &Site<'_>, env: &Env<'_>) -> Result<Target, RuleError> {
    let name = &jump.loaded.name;
    let verdict = matches!(name.text.as_str(), "ACCEPT" | "DROP" | "RETURN" | "QUEUE");
    if let Some(option) = jump.loaded.raw.first().filter(|_| verdict) {
        let message = format!("unknown option `{}`: {} has no options", option.text, name.text);
        return Err(option.fault(site.file, message));
    }
    if !jump.goto {
        match name.text.as_str() {
            "ACCEPT" => return Ok(Target::Verdict(Verdict::Accept)),
            "DROP" => return Ok(Target::Verdict(Verdict::Drop)),
            "RETURN" => return Ok(Target::Verdict(Verdict::Return)),
            // The kernel queues to number 0, as `NFQUEUE` does without options.
            "QUEUE" => {
                return Ok(Target::Nfqueue { first: 0, total: 1, bypass: false, cpu_fanout: false });
            }
            _ => {}
        }
    }
    let title = format!("-j {}", name.text);
    if let Some(extension) = jump.loaded.extension {
        let options = Options { title, at: name, given: &jump.loaded.given, env };
        check(extension, &options, site)?;
        return (extension.build)(&options);
    }
    if super::built_in::is_builtin(site.table, &name.text) {
        let message = format!("a rule cannot lead into the built-in chain {}", name.text);
        return Err(name.fault(site.file, message));
    }
    if let Some(chain) = (site.chain_by_name)(&name.text) {
        if let Some(option) = jump.loaded.raw.first() {
            return Err(option.fault(site.file, format!("unknown option `{}`: a chain has no options", option.text)));
        }
        return Ok(Target::Chain { chain, goto: jump.goto });
    }
    let third_party = unmodelled::is_third_party_target(&name.text);
    if jump.goto || (jump.loaded.raw.is_empty() && !third_party) {
        let message =
            format!("`{}` is neither a chain of table {} declared so far nor a target", name.text, site.table);
        return Err(name.fault(site.file, message));
    }
    note_stranger(&title, name, third_party, env);
    Ok(Target::Unknown { name: name.text.clone(), options: print::words(&jump.loaded.raw) })
}

fn note_stranger(title: &str, name: &Word, third_party: bool, env: &Env<'_>) {
    let origin = if third_party { " (known from xtables-addons or old kernels)" } else { "" };
    let message = format!("{title}: not an extension of stock Debian{origin}; its options are not checked");
    env.notes.borrow_mut().push(Note { place: name.place(env.file), message });
}

/// What the kernel module asks of the rule around it.
fn check<T>(extension: &Extension<T>, options: &Options<'_>, site: &Site<'_>) -> Result<(), RuleError> {
    if !extension.tables.is_empty() && !extension.tables.contains(&site.table) {
        let tables = extension.tables.join(" or ");
        let message = format!("is possible in table {tables} only, this is {}", site.table);
        return Err(options.fault(options.at, message));
    }
    let elsewhere = super::built_in::is_builtin(site.table, site.chain) && !extension.chains.contains(&site.chain);
    if !extension.chains.is_empty() && elsewhere {
        let message = format!("is possible in {} only, this is {}", extension.chains.join(" or "), site.chain);
        return Err(options.fault(options.at, message));
    }
    if extension.protocols.is_empty() {
        return Ok(());
    }
    let allowed = options.env.protocol.filter(|protocol| !protocol.not).is_some_and(|protocol| {
        extension.protocols.iter().any(|name| values::protocol(name).is_ok_and(|number| number == protocol.value))
    });
    if allowed {
        return Ok(());
    }
    let named: Vec<String> = extension
        .protocols
        .iter()
        .map(|name| format!("`-p {}`", names::protocol(name).and_then(names::protocol_name).unwrap_or(name)))
        .collect();
    Err(options.fault(options.at, format!("{} is missing in this rule", named.join(" or "))))
}
