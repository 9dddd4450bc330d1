//! The chains that the kernel's tables have.

use crate::ruleset::model::{Base, ChainKind, Hook, Policy, priority};

/// Name, hook and priority of a built-in chain.
type BuiltIn = (&'static str, Hook, i32);

/// Built-in chains of the kernel's tables, in the order of listing.
const BUILTIN: &[(&str, &[BuiltIn])] = &[
    (
        "filter",
        &[
            ("INPUT", Hook::Input, priority::FILTER),
            ("FORWARD", Hook::Forward, priority::FILTER),
            ("OUTPUT", Hook::Output, priority::FILTER),
        ],
    ),
    (
        "nat",
        &[
            ("PREROUTING", Hook::Prerouting, priority::NAT_DST),
            ("INPUT", Hook::Input, priority::NAT_SRC),
            ("OUTPUT", Hook::Output, priority::NAT_DST),
            ("POSTROUTING", Hook::Postrouting, priority::NAT_SRC),
        ],
    ),
    (
        "mangle",
        &[
            ("PREROUTING", Hook::Prerouting, priority::MANGLE),
            ("INPUT", Hook::Input, priority::MANGLE),
            ("FORWARD", Hook::Forward, priority::MANGLE),
            ("OUTPUT", Hook::Output, priority::MANGLE),
            ("POSTROUTING", Hook::Postrouting, priority::MANGLE),
        ],
    ),
    ("raw", &[("PREROUTING", Hook::Prerouting, priority::RAW), ("OUTPUT", Hook::Output, priority::RAW)]),
    (
        "security",
        &[
            ("INPUT", Hook::Input, priority::SECURITY),
            ("FORWARD", Hook::Forward, priority::SECURITY),
            ("OUTPUT", Hook::Output, priority::SECURITY),
        ],
    ),
];

/// Names of a table's built-in chains in the order of listing.
pub(super) fn builtin_chains(table: &str) -> impl Iterator<Item = &'static str> {
    hooks(table).iter().map(|&(name, _, _)| name)
}

/// Whether a chain is built in.
pub(super) fn is_builtin(table: &str, chain: &str) -> bool {
    builtin_chains(table).any(|name| name == chain)
}

/// Names of the kernel's tables.
pub(super) fn table_names() -> impl Iterator<Item = &'static str> {
    BUILTIN.iter().map(|&(table, _)| table)
}

fn hooks(table: &str) -> &'static [BuiltIn] {
    BUILTIN.iter().find(|(name, _)| *name == table).map_or(&[], |&(_, chains)| chains)
}

/// What a built-in chain is attached to; `None` for any other.
pub(super) fn base(table: &str, chain: &str, policy: Policy) -> Option<Base> {
    let &(_, hook, priority) = hooks(table).iter().find(|(name, _, _)| *name == chain)?;
    let kind = match (table, hook) {
        ("nat", _) => ChainKind::Nat,
        ("mangle", Hook::Output) => ChainKind::Route,
        _ => ChainKind::Filter,
    };
    Some(Base { kind, hook, priority, policy, devices: Vec::new() })
}
