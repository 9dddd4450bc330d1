//! What `iptables-save -c` and `nft` print, as counters.

use super::{Counter, KernelChain, KernelError, KernelObject, KernelRule, Moved};
use crate::ruleset::model::Family;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// All counters of a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// Rules in the order of the tools.
    pub rules: Vec<KernelRule>,
    /// Policies.
    pub chains: Vec<KernelChain>,
    /// Named objects.
    pub objects: Vec<KernelObject>,
}

/// A table by family and name.
pub(super) type TableKey = (String, String);
/// Texts of nftables rules by table and handle.
pub(super) type RuleTexts = HashMap<(TableKey, u64), String>;

impl Snapshot {
    /// Every counter with its name and its value.
    fn values(&self) -> impl Iterator<Item = (Counter, (u64, u64))> {
        let rules = self.rules.iter().enumerate().flat_map(|(at, rule)| {
            rule.counters.iter().enumerate().map(move |(which, count)| (Counter::Rule(at, which), *count))
        });
        let chains = self.chains.iter().enumerate().map(|(at, it)| (Counter::Chain(at), (it.packets, it.bytes)));
        let objects = self.objects.iter().enumerate().map(|(at, it)| (Counter::Object(at), (it.packets, it.bytes)));
        rules.chain(chains).chain(objects)
    }

    /// What moved since an earlier moment.
    pub fn since(&self, before: &Self) -> Vec<Moved> {
        self.values()
            .zip(before.values())
            .filter(|((_, now), (_, then))| now != then)
            .map(|((counter, now), (_, then))| Moved {
                counter,
                packets: now.0.saturating_sub(then.0),
                bytes: now.1.saturating_sub(then.1),
            })
            .collect()
    }

    /// Adds what `iptables-save -c` printed.
    pub fn add_saved(&mut self, family: Family, text: &str) -> Result<(), KernelError> {
        let mut table = "";
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        for line in text.lines() {
            let read = match line.split_at_checked(1) {
                Some(("*", name)) => {
                    table = name;
                    numbers.clear();
                    Some(())
                }
                Some((":", chain)) => self.add_saved_chain(family, table, chain),
                Some(("[", rule)) => self.add_saved_rule(family, table, rule, &mut numbers),
                _ => Some(()),
            };
            read.ok_or_else(|| unreadable("iptables-save", line))?;
        }
        Ok(())
    }

    /// `FORWARD DROP [12:3456]`, or `own - [0:0]`.
    fn add_saved_chain(&mut self, family: Family, table: &str, line: &str) -> Option<()> {
        let (line, counts) = line.rsplit_once(" [")?;
        let (chain, policy) = line.rsplit_once(' ')?;
        let (packets, bytes) = pair(counts)?;
        if policy != "-" {
            let (table, chain, policy) = (table.to_owned(), chain.to_owned(), policy.to_owned());
            self.chains.push(KernelChain { family, table, chain, policy, packets, bytes });
        }
        Some(())
    }

    /// `12:3456] -A FORWARD -p tcp`
    fn add_saved_rule<'t>(
        &mut self,
        family: Family,
        table: &str,
        line: &'t str,
        numbers: &mut HashMap<&'t str, u32>,
    ) -> Option<()> {
        let (counts, rule) = line.split_once("] -A ")?;
        let (chain, text) = rule.split_once(' ').unwrap_or((rule, ""));
        let n = numbers.entry(chain).or_default();
        *n += 1;
        self.rules.push(KernelRule {
            family,
            table: table.to_owned(),
            chain: chain.to_owned(),
            n: *n,
            text: text.to_owned(),
            counters: vec![pair(counts)?],
        });
        Some(())
    }

    /// Adds what `nft -j list ruleset` printed, but for some tables.
    pub fn add_nft(&mut self, json: &str, texts: &RuleTexts, without: &HashSet<TableKey>) -> Result<(), KernelError> {
        let listed: Value = serde_json::from_str(json).map_err(|error| unreadable("nft", &error.to_string()))?;
        let entries = listed.get("nftables").and_then(Value::as_array);
        let mut numbers = HashMap::new();
        for entry in entries.ok_or_else(|| unreadable("nft", "no list"))? {
            let Some((kind, body)) = entry.as_object().and_then(|entry| entry.iter().next()) else { continue };
            let table = (text_of(body, "family"), text_of(body, "table"));
            if without.contains(&table) {
                continue;
            }
            match kind.as_str() {
                "rule" => self.add_nft_rule(body, table, texts, &mut numbers),
                "counter" => self.add_nft_object("counter", body, table),
                "quota" => self.add_nft_object("quota", body, table),
                _ => {}
            }
        }
        Ok(())
    }

    fn add_nft_rule(
        &mut self,
        body: &Value,
        table: TableKey,
        texts: &RuleTexts,
        numbers: &mut HashMap<(TableKey, String), u32>,
    ) {
        let chain = text_of(body, "chain");
        let n = numbers.entry((table.clone(), chain.clone())).or_default();
        *n += 1;
        let statements = body.get("expr").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        // A counter with a name, or with a map of names, is a reference.
        let counters = statements.iter().filter_map(|it| it.get("counter").filter(|it| it.get("packets").is_some()));
        let counters = counters.map(|counter| (number_of(counter, "packets"), number_of(counter, "bytes"))).collect();
        let text = texts.get(&(table.clone(), number_of(body, "handle"))).cloned().unwrap_or_default();
        let Some(family) = family(&table.0) else { return };
        self.rules.push(KernelRule { family, table: table.1, chain, n: *n, text, counters });
    }

    fn add_nft_object(&mut self, kind: &'static str, body: &Value, (of, table): TableKey) {
        let (packets, bytes) = match kind {
            "quota" => (number_of(body, "used"), number_of(body, "used")),
            _ => (number_of(body, "packets"), number_of(body, "bytes")),
        };
        let Some(family) = family(&of) else { return };
        self.objects.push(KernelObject { family, table, kind, name: text_of(body, "name"), packets, bytes });
    }
}

/// Texts of the rules that `nft -a list ruleset` printed, without counts.
pub(super) fn rule_texts(listing: &str) -> RuleTexts {
    let mut texts = HashMap::new();
    let mut table = TableKey::default();
    for line in listing.lines() {
        if let Some(head) = line.strip_prefix("table ") {
            let mut words = head.split(' ');
            table = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
        } else if let Some((text, handle)) = line.rsplit_once(" # handle ")
            && let Ok(handle) = handle.trim().parse()
        {
            texts.insert((table.clone(), handle), without_counts(text.trim()));
        }
    }
    texts
}

/// `counter packets 3 bytes 120` becomes `counter`.
fn without_counts(text: &str) -> String {
    let mut words = text.split(' ').peekable();
    let mut kept = Vec::new();
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    while let Some(word) = words.next() {
        kept.push(word);
        let mut ahead = words.clone();
        let counts = [ahead.next(), ahead.next(), ahead.next(), ahead.next()];
        if let ("counter", [Some("packets"), Some(packets), Some("bytes"), Some(bytes)]) = (word, counts)
            && is_number(packets)
            && is_number(bytes)
        {
            words = ahead;
        }
    }
    kept.join(" ")
}

/// The tables that `nft -j list tables` printed.
pub(super) fn tables(json: &str) -> HashSet<TableKey> {
    let listed: Value = serde_json::from_str(json).unwrap_or_default();
    let entries = listed.get("nftables").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let tables = entries.iter().filter_map(|entry| entry.get("table"));
    tables.map(|table| (text_of(table, "family"), text_of(table, "name"))).collect()
}

/// `12:3456`, with or without the bracket that follows.
fn pair(counts: &str) -> Option<(u64, u64)> {
    let (packets, bytes) = counts.trim_end_matches(']').split_once(':')?;
    Some((packets.parse().ok()?, bytes.parse().ok()?))
}

fn family(name: &str) -> Option<Family> {
    [Family::Ip, Family::Ip6, Family::Inet, Family::Arp, Family::Bridge, Family::Netdev]
        .into_iter()
        .find(|family| family.as_str() == name)
}

fn text_of(body: &Value, key: &str) -> String {
    body.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number_of(body: &Value, key: &str) -> u64 {
    body.get(key).and_then(Value::as_u64).unwrap_or_default()
}

fn unreadable(tool: &'static str, message: &str) -> KernelError {
    KernelError::Counters { tool, message: message.chars().take(200).collect() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // tests
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAVED: &str = "# Generated by iptables-save\n*filter\n:FORWARD DROP [7:420]\n:own - [0:0]\n\
        [12:3456] -A FORWARD -p tcp -j own\n[0:0] -A own\n[3:9] -A FORWARD -m comment --comment \"] -A x\"\nCOMMIT\n";

    #[test]
    fn saved_rules_are_numbered_within_their_chain() {
        let mut snapshot = Snapshot::default();
        snapshot.add_saved(Family::Ip, SAVED).unwrap();
        assert_eq!(snapshot.chains.len(), 1);
        assert_eq!((snapshot.chains[0].packets, snapshot.chains[0].bytes), (7, 420));
        let rules: Vec<_> = snapshot.rules.iter().map(|rule| (&*rule.chain, rule.n, rule.count())).collect();
        assert_eq!(rules, [("FORWARD", 1, Some((12, 3456))), ("own", 1, Some((0, 0))), ("FORWARD", 2, Some((3, 9)))]);
        assert_eq!(snapshot.rules[0].text, "-p tcp -j own");
        assert!(snapshot.clone().add_saved(Family::Ip, "[x] -A FORWARD").is_err());
    }

    #[test]
    fn nft_rules_keep_their_number_whether_they_count_or_not() {
        let json = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}}, {"table": {"family": "ip", "name": "t", "handle": 1}},
            {"rule": {"family": "ip", "table": "t", "chain": "f", "handle": 4, "expr": [{"drop": null}]}},
            {"rule": {"family": "ip", "table": "t", "chain": "f", "handle": 5, "expr": [
                {"counter": {"packets": 9, "bytes": 90}}, {"counter": "named"},
                {"counter": {"map": {"key": {"meta": {"key": "mark"}}, "data": "@m"}}}, {"counter": {"packets": 2, "bytes": 20}}]}},
            {"rule": {"family": "ip", "table": "other", "chain": "f", "handle": 5, "expr": []}},
            {"counter": {"family": "ip", "name": "named", "table": "t", "handle": 3, "packets": 1, "bytes": 5}},
            {"quota": {"family": "ip", "name": "q", "table": "t", "handle": 6, "bytes": 100, "used": 40, "inv": true}}]}"#;
        let listing = "table ip t {\n\tchain f {\n\t\tdrop # handle 4\n\
            \t\tcounter packets 9 bytes 90 counter name \"named\" counter packets 2 bytes 20 # handle 5\n";
        let mut snapshot = Snapshot::default();
        let without = HashSet::from([("ip".to_owned(), "other".to_owned())]);
        snapshot.add_nft(json, &rule_texts(listing), &without).unwrap();
        assert_eq!(snapshot.rules.len(), 2);
        assert_eq!((snapshot.rules[0].n, snapshot.rules[0].count()), (1, None));
        assert_eq!((snapshot.rules[1].n, snapshot.rules[1].count()), (2, Some((2, 20))));
        assert_eq!(snapshot.rules[1].text, "counter counter name \"named\" counter");
        assert_eq!((snapshot.objects[1].kind, snapshot.objects[1].bytes), ("quota", 40));
    }

    #[test]
    fn what_moved_is_told() {
        let mut before = Snapshot::default();
        before.add_saved(Family::Ip, SAVED).unwrap();
        let mut now = before.clone();
        now.rules[2].counters[0] = (4, 69);
        assert_eq!(now.since(&before), [Moved { counter: Counter::Rule(2, 0), packets: 1, bytes: 60 }]);
    }

    proptest! {
        #[test]
        fn any_listing_is_read_or_refused(text in "([*:\\[]?[ -~]{0,40}\n){0,8}", json in any::<String>()) {
            let mut snapshot = Snapshot::default();
            let _ = snapshot.add_saved(Family::Ip, &text);
            let _ = snapshot.add_nft(&json, &rule_texts(&text), &tables(&json));
            prop_assert!(snapshot.since(&snapshot.clone()).is_empty());
        }

        #[test]
        fn only_counts_are_taken_out_of_a_text(before in "[a-z ]{0,12}", packets: u32, bytes: u64, after in "[a-z ]{0,12}") {
            let text = format!("{before} counter packets {packets} bytes {bytes} {after}");
            prop_assert_eq!(without_counts(&text), format!("{before} counter {after}"));
        }
    }
}
