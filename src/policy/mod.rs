//! What the site allows: the policy file (TOML) and its defaults.
//!
//! In goes the text of a policy file; out comes a [`Policy`], or every mistake in the file with line, column and what
//! was expected there. What the sections and keys mean stands in [`TEMPLATE`], which is also what `policy init`
//! writes. [`read`] knows TOML, [`sections`] knows the keys; the types here know neither.

mod error;
mod jid_patterns;
mod link_pattern;
mod network;
mod read;
mod sections;
mod services;

pub use error::{PolicyError, Problem};
pub use jid_patterns::JidPatterns;
pub use link_pattern::LinkPattern;
pub use network::Network;
pub use services::{PortRange, Service, Services, Transports};

use crate::protocol::xmpp::jid;
use std::net::IpAddr;
use std::path::Path;

/// A policy file with every key, its default and what it means.
pub const TEMPLATE: &str = include_str!("template.toml");

/// A parsed policy file. Sections that the file leaves out have their defaults.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// `[site]`
    pub site: Site,
    /// `[xmpp]`
    pub xmpp: Xmpp,
    /// `[transfers]`
    pub transfers: Transfers,
    /// `[erlang]`; `None` where the file has no such section: then nobody is outside.
    pub erlang: Option<Erlang>,
    /// `[dns]`; `None` where the file has no such section: then every resolver is approved.
    pub dns: Option<Dns>,
    /// `[services]`; a stock ejabberd's where the file has no such section.
    pub services: Services,
    /// `[limits]`
    pub limits: Limits,
}

impl Policy {
    /// Reads the text of a policy file; `file` is its name in error messages. All mistakes are reported at once.
    pub fn parse(text: &str, file: &str) -> Result<Self, PolicyError> {
        sections::parse(text, file)
    }

    /// Reads a policy file.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| PolicyError::Read { file: file.clone(), source })?;
        Self::parse(&text, &file)
    }
}

/// `[site]`: what is inside.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// Own XMPP domains, normalised; subdomains are inside too.
    pub domains: Vec<String>,
    /// Own networks.
    pub networks: Vec<Network>,
}

impl Site {
    /// `true` for an own domain or a name below one. Any spelling will do.
    pub fn is_own_domain(&self, domain: &str) -> bool {
        let domain = jid::normalize_domain(domain);
        self.domains.iter().any(|own| is_or_below(&domain, own))
    }

    /// `true` for an address of an own network.
    pub fn is_inside(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }
}

/// `true` if `domain` is `parent` or a name below it; both in normal form.
pub fn is_or_below(domain: &str, parent: &str) -> bool {
    domain.strip_suffix(parent).is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

/// Stanzas larger than this are worth a look: ejabberd's default for servers is twice, for clients equal to this.
pub const DEFAULT_MAX_STANZA_BYTES: u64 = 262_144;
/// Ten a second, for a minute: no person types that fast, a chatty client stays below it.
pub const DEFAULT_STANZAS_PER_MINUTE: u64 = 600;
/// Different addressees of one sender within a minute.
pub const DEFAULT_RECIPIENTS_PER_MINUTE: u64 = 30;

/// `[xmpp]`
#[derive(Debug, Clone)]
pub struct Xmpp {
    /// With whom servers may talk.
    pub federation: Federation,
    /// Domains that an allowlist names, normalised; subdomains count.
    pub allowed_domains: Vec<String>,
    /// Streams without TLS are against the policy.
    pub require_tls: bool,
    /// JID patterns that must not take part.
    pub denied_jids: JidPatterns,
    /// JID patterns that must not talk to other domains.
    pub internal_only: JidPatterns,
    /// Size up to which a stanza is as expected.
    pub max_stanza_bytes: u64,
    /// Stanzas of one sender within a minute.
    pub stanzas_per_minute: u64,
    /// Addressees of one sender within a minute.
    pub recipients_per_minute: u64,
    /// Texts that give spam away.
    pub signatures: Vec<Signature>,
    /// Where no message may link to.
    pub denied_links: Vec<LinkPattern>,
}

impl Default for Xmpp {
    fn default() -> Self {
        Self {
            federation: Federation::default(),
            allowed_domains: Vec::new(),
            require_tls: false,
            denied_jids: JidPatterns::default(),
            internal_only: JidPatterns::default(),
            max_stanza_bytes: DEFAULT_MAX_STANZA_BYTES,
            stanzas_per_minute: DEFAULT_STANZAS_PER_MINUTE,
            recipients_per_minute: DEFAULT_RECIPIENTS_PER_MINUTE,
            signatures: Vec::new(),
            denied_links: Vec::new(),
        }
    }
}

/// With whom servers may talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Federation {
    /// With any domain.
    #[default]
    Open,
    /// With the domains of the list only.
    Allowlist,
    /// With none.
    Closed,
}

/// A text that gives spam away.
#[derive(Debug, Clone)]
pub struct Signature {
    /// How findings call it.
    pub name: String,
    /// Looked for anywhere in a message body.
    pub body: regex::Regex,
}

/// `[transfers]`: what may be moved, how, and between whom.
#[derive(Debug, Clone, Default)]
pub struct Transfers {
    /// Methods as the contract names them; `None`: any.
    pub allow: Option<Vec<String>>,
    /// Largest file.
    pub max_bytes: Option<u64>,
    /// File name extensions in lower case, without the dot.
    pub denied_extensions: Vec<String>,
    /// Who may send; `None`: anyone.
    pub from: Option<JidPatterns>,
    /// Who may receive; `None`: anyone.
    pub to: Option<JidPatterns>,
}

/// `[erlang]`
#[derive(Debug, Clone, Default)]
pub struct Erlang {
    /// Addresses that may speak EPMD and distribution.
    pub cluster: Vec<Network>,
    /// Node names (`name@host`, `*` allowed) that may; empty: any on a cluster address.
    pub nodes: Vec<String>,
}

/// `[dns]`
#[derive(Debug, Clone, Default)]
pub struct Dns {
    /// Whom anyone may ask.
    pub resolvers: Vec<Network>,
    /// Whom those resolvers may ask.
    pub resolver_upstreams: Vec<Network>,
    /// Answers for XMPP domains must be signed.
    pub require_dnssec: bool,
}

/// Two connections a second from one address: several clients behind one gateway stay below it.
pub const DEFAULT_CONNECTIONS_PER_MINUTE: u64 = 120;
/// Nobody mistypes a password this often within [`DEFAULT_FAILED_LOGIN_SECONDS`].
pub const DEFAULT_FAILED_LOGINS: u64 = 5;
/// Five minutes, as fail2ban and ejabberd's mod_fail2ban judge by default in that order of magnitude.
pub const DEFAULT_FAILED_LOGIN_SECONDS: u64 = 300;
/// Different ports of one host tried by one source within a minute.
pub const DEFAULT_PORTS_PER_MINUTE: u64 = 20;

/// `[limits]`: rates of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections or SYNs within a minute.
    pub connections_per_minute: u64,
    /// Failed logins that make a guessing attack ...
    pub failed_logins: u64,
    /// ... if they fall within this time.
    pub failed_login_seconds: u64,
    /// Ports tried within a minute that make a scan.
    pub ports_per_minute: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_per_minute: DEFAULT_CONNECTIONS_PER_MINUTE,
            failed_logins: DEFAULT_FAILED_LOGINS,
            failed_login_seconds: DEFAULT_FAILED_LOGIN_SECONDS,
            ports_per_minute: DEFAULT_PORTS_PER_MINUTE,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests;
