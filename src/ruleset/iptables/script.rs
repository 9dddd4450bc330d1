//! Shell scripts of `iptables` and `ip6tables` commands.

use super::line;
use super::print;
use super::shell::{self, EXPAND, Statement};
use super::tables::Tables;
use super::words::Word;
use super::{Context, Parsed};
use crate::ruleset::error::{Place, RuleError};
use crate::ruleset::model::{Family, Note};
use std::sync::Arc;

/// Reads a script that holds commands for IPv4, IPv6 or both, one after the other, without anything to evaluate.
pub fn parse_script(text: &str, file: &Arc<str>, context: &Context) -> Result<Parsed, RuleError> {
    let mut script = Script { file, tables: Tables::new(file, context), ipset: Vec::new() };
    let mut alternative = false;
    for statement in shell::split(text, file)? {
        let skip = std::mem::replace(&mut alternative, statement.or);
        if skip {
            // `command || true`, `command || exit 1`: what follows a failure, and a failure is an error here.
            script.check_alternative(&statement)?;
            continue;
        }
        if script.run(statement)? == Flow::Exit {
            break;
        }
    }
    let ipset = script.ipset;
    Ok(Parsed { ipset, ..script.tables.finish()? })
}

/// Whether the script goes on.
#[derive(PartialEq)]
enum Flow {
    On,
    Exit,
}

/// Commands without an effect on rules.
const HARMLESS: &[&str] = &[
    "set", "echo", "printf", "true", ":", "sleep", "logger", "export", "unset", "umask", "cd", "shopt", "trap", "date",
    "clear", "readonly", "local",
];

/// Commands that change the host in ways that a replay does not see.
const ELSEWHERE: &[&str] = &[
    "modprobe",
    "insmod",
    "rmmod",
    "sysctl",
    "ip",
    "ifconfig",
    "route",
    "tc",
    "ethtool",
    "conntrack",
    "service",
    "systemctl",
    "iptables-save",
    "ip6tables-save",
    "netfilter-persistent",
    "mkdir",
    "cp",
    "mv",
    "rm",
    "touch",
    "chmod",
    "chown",
    "cat",
    "brctl",
    "bridge",
    "arptables",
    "ebtables",
];

const BLOCKS: &[&str] = &[
    "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "select", "function",
    "{", "}", "[", "[[", "test", "!",
];

struct Script<'a> {
    file: &'a Arc<str>,
    tables: Tables<'a>,
    ipset: Vec<(Place, String)>,
}

impl Script<'_> {
    fn run(&mut self, statement: Statement) -> Result<Flow, RuleError> {
        let words = without_prefixes(&statement.words);
        let Some((command, args)) = words.split_first() else { return Ok(Flow::On) };
        let name = command.text.rsplit('/').next().unwrap_or_default();
        if let Some(family) = family_of(name) {
            self.refuse_variables(&statement)?;
            if let Some(output) = &statement.output {
                return Err(output.fault(self.file, "the output of this command cannot go into a file here"));
            }
            self.iptables(command, args, family, statement.quiet || statement.or)?;
            return Ok(Flow::On);
        }
        match name {
            "ipset" => {
                self.refuse_variables(&statement)?;
                self.ipset.push((command.place(self.file), print::words(args)));
            }
            "exit" => return Ok(Flow::Exit),
            _ if HARMLESS.contains(&name) || is_assignment(command) => {
                if let Some(output) = statement.output.filter(|output| output.text.starts_with("/proc/")) {
                    self.note(
                        &output,
                        format!("`{}` is not changed: settings of the kernel are given otherwise", output.text),
                    );
                }
            }
            _ if ELSEWHERE.contains(&name) => {
                self.note(command, format!("`{name}` is not carried out: only rules are read"));
            }
            _ if BLOCKS.contains(&name) => {
                return Err(command.fault(self.file, format!("`{name}`: loops, conditions and functions: {EXPAND}")));
            }
            _ => {
                self.refuse_variables(&statement)?;
                let message =
                    format!("`{name}` is no command that is understood here: iptables, ip6tables or ipset is expected");
                return Err(command.fault(self.file, message));
            }
        }
        Ok(Flow::On)
    }

    fn refuse_variables(&self, statement: &Statement) -> Result<(), RuleError> {
        match &statement.variable {
            Some(variable) => Err(variable.fault(self.file, EXPAND)),
            None => Ok(()),
        }
    }

    fn check_alternative(&self, statement: &Statement) -> Result<(), RuleError> {
        let Some(command) = statement.words.first() else { return Ok(()) };
        if matches!(command.text.as_str(), "true" | ":" | "exit" | "echo" | "return") {
            return Ok(());
        }
        Err(command.fault(self.file, format!("`||` with anything but `true`, `exit` or `echo`: {EXPAND}")))
    }

    fn note(&mut self, word: &Word, message: String) {
        self.tables.notes.push(Note { place: word.place(self.file), message });
    }

    /// `forgiving`: the script does not care whether the command fails.
    fn iptables(&mut self, command: &Word, args: &[Word], family: Family, forgiving: bool) -> Result<(), RuleError> {
        let mut line = line::parse(args, family, self.file, &mut self.tables.notes)?;
        if line.only.is_some_and(|only| only != family) {
            return Err(command.fault(self.file, "`-4` goes with iptables, `-6` with ip6tables"));
        }
        let changes = line.command.as_ref().is_some_and(line::Command::adds);
        if let Some(word) = line.aside.take().filter(|word| changes && !word.text.contains('w')) {
            return Err(word.fault(self.file, format!("`{}` goes with -L only", word.text)));
        }
        let table = line.table.take().unwrap_or_else(|| Word { text: "filter".into(), ..command.clone() });
        let table = self.tables.open(&table, family)?;
        match self.tables.apply(table, command, line) {
            // Taking away what is not there is what such lines are written for.
            Err(error) if forgiving && !changes => {
                self.tables.notes.push(Note { place: error.place, message: error.message });
                Ok(())
            }
            result => result,
        }
    }
}

/// Family of the rules that a command changes.
fn family_of(name: &str) -> Option<Family> {
    match name {
        "iptables" | "iptables-legacy" | "iptables-nft" => Some(Family::Ip),
        "ip6tables" | "ip6tables-legacy" | "ip6tables-nft" => Some(Family::Ip6),
        _ => None,
    }
}

/// `sudo -n`, `exec` and the like left out.
fn without_prefixes(words: &[Word]) -> &[Word] {
    let mut rest = words;
    while let Some((first, after)) = rest.split_first() {
        match first.text.rsplit('/').next() {
            Some("sudo") => {
                let options = after.iter().take_while(|word| word.text.starts_with('-')).count();
                rest = after.get(options..).unwrap_or_default();
            }
            Some("exec" | "command" | "nice" | "env" | "xtables-nft-multi" | "xtables-legacy-multi") => rest = after,
            _ => break,
        }
    }
    rest
}

/// `NAME=value`.
fn is_assignment(word: &Word) -> bool {
    let name = word.text.split_once('=').map_or("", |(name, _)| name);
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
