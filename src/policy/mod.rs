//! What the site allows: the policy file (TOML) and its defaults.

use std::net::IpAddr;

/// A parsed policy file. Sections that the file leaves out have their defaults.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// `[site]`
    pub site: Site,
    /// `[xmpp]`
    pub xmpp: Xmpp,
    /// `[erlang]`; `None` where the file has no such section: then nobody is outside.
    pub erlang: Option<Erlang>,
    /// `[dns]`; `None` where the file has no such section: then every resolver is approved.
    pub dns: Option<Dns>,
}

/// An address block in CIDR notation, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// First address.
    pub address: IpAddr,
    /// Prefix length in bits, 0..=32 or 0..=128.
    pub prefix: u8,
}

/// `[site]`: what is inside.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// Own XMPP domains; subdomains are inside too.
    pub domains: Vec<String>,
    /// Own networks.
    pub networks: Vec<Network>,
}

/// `[xmpp]`
#[derive(Debug, Clone, Default)]
pub struct Xmpp {
    /// JID patterns that must not take part.
    pub denied_jids: Vec<String>,
    /// JID patterns that must not talk to other domains.
    pub internal_only: Vec<String>,
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
}
