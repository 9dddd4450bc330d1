//! Which extensions there are.

use super::matches;
use super::options::{Opt, Options};
use super::targets;
use crate::ruleset::error::RuleError;
use crate::ruleset::model::Family;
use crate::ruleset::xt::{Match, Target};

/// A match or target that iptables knows.
pub(super) struct Extension<T: 'static> {
    /// Name.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// Only for this family.
    pub family: Option<Family>,
    /// Protocols of which one must be given with `-p`; empty for any.
    pub protocols: &'static [&'static str],
    /// Tables in which the kernel takes it; empty for all.
    pub tables: &'static [&'static str],
    /// Built-in chains in which the kernel takes it; empty for all. (In other chains it asks where rules lead there.)
    pub chains: &'static [&'static str],
    /// Its options.
    pub options: &'static [Opt],
    /// Options into parameters.
    pub build: fn(&Options<'_>) -> Result<T, RuleError>,
}

impl<T> Extension<T> {
    /// For both families, any protocol and table.
    pub const fn new(
        name: &'static str,
        options: &'static [Opt],
        build: fn(&Options<'_>) -> Result<T, RuleError>,
    ) -> Self {
        Self { name, aliases: &[], family: None, protocols: &[], tables: &[], chains: &[], options, build }
    }

    /// Also known by these names.
    pub const fn or(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// IPv4 only.
    pub const fn v4(mut self) -> Self {
        self.family = Some(Family::Ip);
        self
    }

    /// IPv6 only.
    pub const fn v6(mut self) -> Self {
        self.family = Some(Family::Ip6);
        self
    }

    /// Needs one of these protocols.
    pub const fn protocols(mut self, protocols: &'static [&'static str]) -> Self {
        self.protocols = protocols;
        self
    }

    /// Needs one of these tables.
    pub const fn tables(mut self, tables: &'static [&'static str]) -> Self {
        self.tables = tables;
        self
    }

    /// Needs one of these built-in chains.
    pub const fn chains(mut self, chains: &'static [&'static str]) -> Self {
        self.chains = chains;
        self
    }

    fn is(&self, name: &str, family: Family) -> bool {
        (self.name == name || self.aliases.contains(&name)) && self.family.is_none_or(|only| only == family)
    }

    /// Whether an option of this name, or one that begins so, is among its own.
    pub fn takes(&self, option: &str) -> bool {
        self.options.iter().flat_map(Opt::names).any(|name| name.starts_with(option))
    }
}

/// A match by name.
pub(super) fn find_match(name: &str, family: Family) -> Option<&'static Extension<Match>> {
    matches::ALL.iter().copied().flatten().find(|extension| extension.is(name, family))
}

/// A target by name.
pub(super) fn find_target(name: &str, family: Family) -> Option<&'static Extension<Target>> {
    targets::ALL.iter().copied().flatten().find(|extension| extension.is(name, family))
}

/// Whether an extension of the other kind of rules, IPv4 or IPv6, has this name.
pub(super) fn of_other_family(name: &str, family: Family) -> bool {
    let other = if family == Family::Ip6 { Family::Ip } else { Family::Ip6 };
    find_match(name, other).is_some() || find_target(name, other).is_some()
}

/// Whether a match that `-p` loads has an option that begins so.
pub(super) fn of_a_protocol(option: &str, family: Family) -> bool {
    let named = |name: &str| super::names::protocol(name).and_then(super::names::protocol_name).is_some();
    let all = matches::ALL.iter().copied().flatten().filter(|one| one.family.is_none_or(|only| only == family));
    all.filter(|one| named(one.name) || one.aliases.iter().any(|alias| named(alias))).any(|one| one.takes(option))
}

/// Names of extensions that have an option: for the message that it was not loaded.
pub(super) fn owners(option: &str, family: Family) -> Vec<String> {
    let mut found = Vec::new();
    let of = |family_of: Option<Family>| family_of.is_none_or(|only| only == family);
    for extension in matches::ALL.iter().copied().flatten() {
        if of(extension.family) && extension.options.iter().flat_map(Opt::names).any(|name| name == option) {
            found.push(match extension.protocols.first() {
                Some(protocol) => format!("`-p {protocol}` or `-m {}`", extension.name),
                None => format!("`-m {}`", extension.name),
            });
        }
    }
    for extension in targets::ALL.iter().copied().flatten() {
        if of(extension.family) && extension.options.iter().flat_map(Opt::names).any(|name| name == option) {
            found.push(format!("`-j {}`", extension.name));
        }
    }
    found
}
