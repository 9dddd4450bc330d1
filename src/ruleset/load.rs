//! Files of a candidate in, one ruleset out: which language a file is in is told by its content.

use super::error::{Place, RuleError};
use super::model::{Family, Note, Ruleset};
use super::{ipset, iptables, l7, nft};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

/// Longest rule file: the largest real ones (country sets) have some tens of megabytes.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// A candidate.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Name of its first file, without folder and ending.
    pub name: String,
    /// Its files.
    pub files: Vec<RuleFile>,
    /// What is in them.
    pub ruleset: Arc<Ruleset>,
}

/// A file of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// As it was named.
    pub path: String,
    /// What it is written in.
    pub language: Language,
    /// What is in it.
    pub text: String,
}

/// A rule language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `iptables-save` or `ip6tables-save`, by family.
    IptablesSave(Family),
    /// A shell script of `iptables` commands.
    IptablesScript,
    /// `ipset save`.
    Ipset,
    /// An nftables script.
    Nft,
    /// `nft -j list ruleset`.
    NftJson,
    /// An l7-filter pattern.
    L7Pattern,
}

impl Language {
    /// As a person calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::IptablesSave(Family::Ip6) => "ip6tables-save",
            Self::IptablesSave(_) => "iptables-save",
            Self::IptablesScript => "iptables script",
            Self::Ipset => "ipset save",
            Self::Nft => "nftables script",
            Self::NftJson => "nftables JSON",
            Self::L7Pattern => "l7-filter pattern",
        }
    }
}

/// Loads a candidate: files joined by commas, each perhaps with `v6:` or `v4:` before it.
pub fn load(files: &str) -> Result<Loaded, RuleError> {
    let named: Vec<&str> = files.split(',').map(str::trim).filter(|file| !file.is_empty()).collect();
    if named.is_empty() {
        let place = Place { file: files.into(), line: 0, column: 0 };
        return Err(RuleError::new(place, "no rule file is named: expected FILE, or FILES joined by commas"));
    }
    let read: Vec<RuleFile> = named.iter().map(|file| read(file)).collect::<Result<_, _>>()?;
    let ruleset = assemble(&read)?;
    let first = read.first().map_or("", |file| file.path.as_str());
    let name = Path::new(first).file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    Ok(Loaded { name, files: read, ruleset: Arc::new(ruleset) })
}

fn read(named: &str) -> Result<RuleFile, RuleError> {
    let (family, path) = match named.split_once(':') {
        Some(("v6", path)) => (Some(Family::Ip6), path),
        Some(("v4", path)) => (Some(Family::Ip), path),
        _ => (None, named),
    };
    let whole_file = || Place { file: path.into(), line: 0, column: 0 };
    let failed = |error: std::io::Error| RuleError::new(whole_file(), error.to_string());
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > MAX_FILE_BYTES {
        return Err(RuleError::new(whole_file(), format!("{size} bytes: expected at most {MAX_FILE_BYTES}")));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line =
            error.as_bytes().get(..at).map_or(0, |before| before.iter().filter(|byte| **byte == b'\n').count()) + 1;
        RuleError::new(
            Place { file: path.into(), line: line as u32, column: 0 },
            "not a rule file: expected text in UTF-8".to_owned(),
        )
    })?;
    let language = told_by(&text, path, family).ok_or_else(|| {
        let expected = "expected iptables-save (`*filter` …), `iptables` commands, `create NAME hash:…`, an nftables `table`, \
                        nft -j JSON, or an l7-filter pattern";
        RuleError::new(whole_file(), format!("not a rule language that is known: {expected}"))
    })?;
    Ok(RuleFile { path: path.to_owned(), language, text })
}

/// The language of a text. `family` is for iptables files, which do not say theirs.
pub fn told_by(text: &str, path: &str, family: Option<Family>) -> Option<Language> {
    if text.trim_start().starts_with('{') {
        return Some(Language::NftJson);
    }
    let by_name = if path.ends_with("6") || path.ends_with(".v6") { Family::Ip6 } else { Family::Ip };
    let family = family.unwrap_or(by_name);
    if Path::new(path).extension().is_some_and(|ending| ending == "pat") {
        return Some(Language::L7Pattern);
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut shell = false;
    for line in lines {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        let program = first.rsplit('/').next().unwrap_or_default();
        let second = words.next().unwrap_or_default();
        match program {
            _ if line.starts_with('*') || line.starts_with(':') && line.contains('[') => {
                return Some(Language::IptablesSave(family));
            }
            "table" | "define" | "flush" | "include" | "nft" | "insert" | "replace" | "rename" | "destroy"
            | "undefine" | "redefine" | "reset" => return Some(Language::Nft),
            "add" | "delete" if NFT_OBJECTS.contains(&second) => return Some(Language::Nft),
            "create" if !NFT_OBJECTS.contains(&second) => return Some(Language::Ipset),
            "create" => return Some(Language::Nft),
            "add" | "-N" | "-A" | "del" | "destroy-set" | "swap" => return Some(Language::Ipset),
            name if is_iptables(name) => return Some(Language::IptablesScript),
            "sudo" if is_iptables(second.rsplit('/').next().unwrap_or_default()) => {
                return Some(Language::IptablesScript);
            }
            "ipset" if !shell && !text.contains("iptables") && !text.contains("ip6tables") => {
                return Some(Language::Ipset);
            }
            _ => shell = true,
        }
    }
    // A script may begin with assignments, loops and the like: they are refused with a better word than "unknown".
    (shell && (text.contains("iptables") || text.contains("ip6tables"))).then_some(Language::IptablesScript)
}

const NFT_OBJECTS: [&str; 14] = [
    "table",
    "chain",
    "rule",
    "set",
    "map",
    "element",
    "counter",
    "quota",
    "limit",
    "flowtable",
    "ct",
    "secmark",
    "synproxy",
    "index",
];

fn is_iptables(name: &str) -> bool {
    name.starts_with("iptables") || name.starts_with("ip6tables")
}

/// Puts the files of a candidate together: patterns and sets first, for rules name them.
pub fn assemble(files: &[RuleFile]) -> Result<Ruleset, RuleError> {
    let mut ruleset = Ruleset::default();
    let of = |wanted: fn(Language) -> bool| files.iter().filter(move |file| wanted(file.language));
    for file in of(|language| language == Language::L7Pattern) {
        let pattern = l7::parse(&file.text, &Arc::from(file.path.as_str()), &mut ruleset.notes)?;
        ruleset.patterns.push(pattern);
    }
    for file in of(|language| language == Language::Ipset) {
        ipset::parse(&file.text, &Arc::from(file.path.as_str()), &mut ruleset.ipsets, &mut ruleset.notes)?;
    }
    // Sets that are not given are a remark, not an error: the rules can be judged all the same.
    let context = iptables::Context { patterns: ruleset.patterns.clone(), sets: None };
    for file in files {
        let name = Arc::from(file.path.as_str());
        let (tables, notes) = match file.language {
            Language::IptablesSave(family) => {
                let parsed = iptables::parse_save(&file.text, &name, family, &context)?;
                (parsed.tables, parsed.notes)
            }
            Language::IptablesScript => {
                let parsed = iptables::parse_script(&file.text, &name, &context)?;
                sets_of_script(&parsed.ipset, &name, &mut ruleset)?;
                (parsed.tables, parsed.notes)
            }
            Language::Nft => {
                let lowered = nft::lower(&nft::parse_script(&file.text, &name)?, &name)?;
                (lowered.tables, lowered.notes)
            }
            Language::NftJson => {
                let lowered = nft::read_json(&file.text, &name)?;
                (lowered.tables, lowered.notes)
            }
            Language::Ipset | Language::L7Pattern => continue,
        };
        ruleset.tables.extend(tables);
        ruleset.notes.extend(notes);
    }
    missing_sets(&mut ruleset);
    Ok(ruleset)
}

/// Sets that a script of commands makes itself; lines keep their numbers.
fn sets_of_script(commands: &[(Place, String)], name: &Arc<str>, ruleset: &mut Ruleset) -> Result<(), RuleError> {
    let mut text = String::new();
    let mut line = 1;
    for (place, command) in commands {
        while line < place.line {
            text.push('\n');
            line += 1;
        }
        text.push_str(command);
        text.push('\n');
        line += 1;
    }
    ipset::parse(&text, name, &mut ruleset.ipsets, &mut ruleset.notes)
}

/// A set that is named and not given is taken as empty: that must be known.
fn missing_sets(ruleset: &mut Ruleset) {
    use super::model::Body;
    use super::xt::{Match, Target};
    let given: HashSet<&str> = ruleset.ipsets.iter().map(|set| &*set.name).collect();
    let (mut notes, mut told): (Vec<Note>, HashSet<(&Place, &str)>) = Default::default();
    for (_, _, rule) in ruleset.rules() {
        let Body::Xt(body) = &rule.body else { continue };
        let matched = body.matches.iter().filter_map(|extension| match extension {
            Match::Set(set) => Some(&set.set.value),
            _ => None,
        });
        let changed = match &body.target {
            Target::Set { add, del, map, .. } => [add, del, map].into_iter().flatten().map(|(name, _)| name).collect(),
            _ => Vec::new(),
        };
        for name in matched.chain(changed) {
            if !given.contains(&**name) && told.insert((&rule.place, name)) {
                let message = format!(
                    "set {name} is not given: taken as empty (give the output of `ipset save` too, joined by a comma)"
                );
                notes.push(Note { place: rule.place.clone(), message });
            }
        }
    }
    ruleset.notes.extend(notes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_by_content() {
        let told = |text: &str| told_by(text, "x", None);
        assert_eq!(told("# c\n*filter\n:INPUT DROP [0:0]\nCOMMIT\n"), Some(Language::IptablesSave(Family::Ip)));
        assert_eq!(told("#!/bin/sh\nset -e\niptables -A INPUT -j DROP\n"), Some(Language::IptablesScript));
        assert_eq!(told("for p in 1 2; do\n iptables -A INPUT -j DROP\ndone"), Some(Language::IptablesScript));
        assert_eq!(told("sudo /sbin/ip6tables -P INPUT DROP"), Some(Language::IptablesScript));
        assert_eq!(told("create a hash:ip family inet\nadd a 1.2.3.4"), Some(Language::Ipset));
        assert_eq!(told("ipset create a hash:ip"), Some(Language::Ipset));
        assert_eq!(told("flush ruleset\ntable inet f {\n}"), Some(Language::Nft));
        assert_eq!(told("add rule inet f c accept"), Some(Language::Nft));
        assert_eq!(told("create table ip f"), Some(Language::Nft));
        assert_eq!(told("nft add table ip f"), Some(Language::Nft));
        assert_eq!(told(" {\"nftables\": []}"), Some(Language::NftJson));
        assert_eq!(told_by("jabber\n<stream:stream", "jabber.pat", None), Some(Language::L7Pattern));
        assert_eq!(told("hello"), None);
        assert_eq!(told(""), None);
    }

    #[test]
    fn ip6tables_is_told_by_name() {
        let told = |path: &str, family| told_by("*filter\nCOMMIT", path, family);
        let v6 = Some(Language::IptablesSave(Family::Ip6));
        assert_eq!(told("a/rules.v6", None), v6);
        assert_eq!(told("fw.rules6", None), v6);
        assert_eq!(told("fw.rules", Some(Family::Ip6)), v6);
        assert_eq!(told("fw.rules", None), Some(Language::IptablesSave(Family::Ip)));
        assert_eq!(told("fw.rules6", Some(Family::Ip)), Some(Language::IptablesSave(Family::Ip)));
    }
}
