//! A cookie that is readable, as a finding: once for each conversation and way.

use crate::detect::{Finding, Kind, filter};
use crate::evidence::{Seen, Sighting};
use std::collections::HashSet;

/// Distinct leaks remembered so that none is told twice; beyond, they are told again rather than lost.
const MAX_REMEMBERED: usize = 16_384;

/// A readable cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leak {
    pub(super) cookie: String,
    /// As in the contract: `rpc-reply`, `rpc-argument`, `http`, `command-line`, `file` …
    pub(super) via: &'static str,
    /// Node whose cookie it is, where that is known.
    pub(super) node: Option<String>,
}

/// The finding that a leak is.
pub(super) fn finding(leak: &Leak, protocol: &'static str, seen: &Seen<'_>) -> Finding {
    let of = leak.node.as_deref().map(|node| format!(" of {node}")).unwrap_or_default();
    let title = format!("Erlang cookie{of} readable {}", how(leak.via));
    let finding = Finding::new(Kind::CookieLeaked, protocol, seen, title)
        .with_secret("cookie", leak.cookie.as_str())
        .with("via", leak.via)
        .with_some("node", leak.node.as_deref());
    filter::shown(finding, seen.flow)
}

fn how(via: &str) -> &'static str {
    match via {
        "rpc-reply" => "in the answer to a remote call",
        "rpc-argument" => "in the arguments of a remote call",
        "file" => "as a file's content",
        "http" => "over HTTP",
        "command-line" => "on a command line",
        "environment" => "in an environment variable",
        "shell" => "in a shell session",
        _ => "in a message",
    }
}

/// Tells every leak once for each conversation and way.
#[derive(Debug, Default)]
pub(super) struct Leaks {
    told: HashSet<(String, &'static str, Box<str>)>,
}

impl Leaks {
    /// Reports a leak unless it was.
    pub(super) fn tell(&mut self, leak: &Leak, protocol: &'static str, at: &Sighting, out: &mut Vec<Finding>) {
        let key = (leak.cookie.clone(), leak.via, at.flow.community_id.clone());
        if self.told.contains(&key) {
            return;
        }
        if self.told.len() < MAX_REMEMBERED {
            self.told.insert(key);
        }
        out.push(finding(leak, protocol, &at.as_seen()));
    }

    /// `true` if this cookie was told in this conversation.
    pub(super) fn has_told(&self, cookie: &str, at: &Sighting) -> bool {
        self.told.iter().any(|(told, _, flow)| told == cookie && *flow == at.flow.community_id)
    }
}
