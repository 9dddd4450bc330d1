//! `sctp`: ports and chunk types with flags.

use super::ports::{dports, push_ports, sports};
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Given, Opt, Options};
use crate::ruleset::iptables::print::push_not;
use crate::ruleset::iptables::values::word_of;
use crate::ruleset::xt::{Inv, Match, SctpChunks};
use std::fmt::Write;

pub(super) static ALL: &[Extension<Match>] = &[Extension::new(
    "sctp",
    &[
        Opt::value("source-port").or(&["sport"]).not(),
        Opt::value("destination-port").or(&["dport"]).not(),
        Opt::pair("chunk-types").not(),
    ],
    |o| {
        let chunks = match o.find("chunk-types") {
            Some(given) => Some(Inv { not: given.not, value: chunks(o, given)? }),
            None => None,
        };
        Ok(Match::Sctp { sports: sports(o)?, dports: dports(o)?, chunks })
    },
)
.protocols(&["sctp"])];

const MODES: &[(&str, u8)] = &[("any", 0), ("all", 1), ("only", 2)];

/// Name, number, and letters of the flags from bit 7 to bit 0 (`-` for none).
const CHUNKS: &[(&str, u8, &str)] = &[
    ("DATA", 0, "----IUBE"),
    ("INIT", 1, "--------"),
    ("INIT_ACK", 2, "--------"),
    ("SACK", 3, "--------"),
    ("HEARTBEAT", 4, "--------"),
    ("HEARTBEAT_ACK", 5, "--------"),
    ("ABORT", 6, "-------T"),
    ("SHUTDOWN", 7, "--------"),
    ("SHUTDOWN_ACK", 8, "--------"),
    ("ERROR", 9, "--------"),
    ("COOKIE_ECHO", 10, "--------"),
    ("COOKIE_ACK", 11, "--------"),
    ("ECN_ECNE", 12, "--------"),
    ("ECN_CWR", 13, "--------"),
    ("SHUTDOWN_COMPLETE", 14, "-------T"),
    ("I_DATA", 64, "----IUBE"),
    ("RE_CONFIG", 130, "--------"),
    ("PAD", 132, "--------"),
    ("ASCONF", 193, "--------"),
    ("ASCONF_ACK", 128, "--------"),
    ("FORWARD_TSN", 192, "--------"),
    ("I_FORWARD_TSN", 194, "--------"),
];

fn chunks(o: &Options<'_>, given: &Given) -> Result<SctpChunks, RuleError> {
    let mode = o.read(given, |text| word_of(text, MODES))?;
    let list = given.second();
    let mut chunks: Vec<(u8, Option<(u8, u8)>)> = match list.text.to_ascii_uppercase().as_str() {
        "ALL" => (0..=u8::MAX).map(|number| (number, None)).collect(),
        "NONE" => Vec::new(),
        _ => {
            let mut chunks = Vec::new();
            for item in list.text.split(',') {
                chunks.push(o.read_word(given, list, |_| chunk(item))?);
            }
            chunks
        }
    };
    chunks.sort_by_key(|&(number, _)| number);
    Ok(SctpChunks { mode, chunks })
}

fn chunk(item: &str) -> Result<(u8, Option<(u8, u8)>), String> {
    let (name, letters) = item.split_once(':').map_or((item, None), |(name, letters)| (name, Some(letters)));
    let Some((_, number, flags)) = CHUNKS.iter().find(|(known, _, _)| known.eq_ignore_ascii_case(name)) else {
        return Err(format!("`{name}` is not the name of an SCTP chunk"));
    };
    let Some(letters) = letters else { return Ok((*number, None)) };
    let (mut mask, mut wanted) = (0_u8, 0_u8);
    for letter in letters.chars() {
        let bit = flags.chars().rev().position(|flag| flag != '-' && flag == letter.to_ascii_uppercase());
        let bit = bit.and_then(|bit| 1_u8.checked_shl(bit as u32));
        let bit = bit.ok_or_else(|| format!("`{letter}` is not a flag of the chunk {name}"))?;
        mask |= bit;
        if letter.is_ascii_uppercase() {
            wanted |= bit;
        }
    }
    Ok((*number, Some((mask, wanted))))
}

pub(super) fn print(out: &mut String, one: &Match) {
    let Match::Sctp { sports, dports, chunks } = one else { return };
    out.push_str(" -m sctp");
    push_ports(out, sports, dports);
    let Some(chunks) = chunks else { return };
    push_not(out, chunks.not);
    let mode = MODES.iter().find(|(_, mode)| *mode == chunks.value.mode).map_or("", |&(name, _)| name);
    let list: Vec<String> = match chunks.value.chunks.len() {
        0 => vec!["NONE".into()],
        256.. => vec!["ALL".into()],
        _ => chunks.value.chunks.iter().map(chunk_text).collect(),
    };
    let _ = write!(out, " --chunk-types {mode} {}", list.join(","));
}

fn chunk_text(&(number, flags): &(u8, Option<(u8, u8)>)) -> String {
    let Some((name, _, letters)) = CHUNKS.iter().find(|(_, known, _)| *known == number) else {
        return number.to_string();
    };
    let Some((mask, wanted)) = flags else { return (*name).into() };
    let mut text = format!("{name}:");
    for (letter, bit) in letters.chars().zip((0..8).rev()) {
        let bit = 1_u8 << bit;
        if mask & bit != 0 {
            text.push(if wanted & bit != 0 { letter } else { letter.to_ascii_lowercase() });
        }
    }
    text
}
