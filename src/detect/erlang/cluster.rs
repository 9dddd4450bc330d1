//! Who belongs to the cluster, by the policy's `[erlang]` section.

use crate::detect::Settings;
use crate::evidence::is_loopback;
use crate::policy::{Network, Policy};
use std::net::IpAddr;
use std::sync::Arc;

/// The policy's view of addresses and node names. Without a policy, or without its section, nobody is outside.
#[derive(Debug, Clone)]
pub struct Cluster {
    policy: Option<Arc<Policy>>,
}

impl Cluster {
    /// The cluster of a run's policy.
    pub fn new(settings: &Settings) -> Self {
        Self { policy: settings.policy.clone() }
    }

    /// `true` for an address that may not speak EPMD or distribution. Loopback addresses are a node's own.
    pub fn is_address_outside(&self, address: IpAddr) -> bool {
        let Some(erlang) = self.policy.as_ref().and_then(|policy| policy.erlang.as_ref()) else { return false };
        !erlang.cluster.is_empty()
            && !is_loopback(address)
            && !erlang.cluster.iter().any(|network| contains(network, address))
    }

    /// `true` for a node name that may not take part.
    pub fn is_node_outside(&self, node: &str) -> bool {
        let patterns = self.nodes();
        !patterns.is_empty() && !patterns.iter().any(|pattern| matches_glob(pattern, node))
    }

    /// Node names of the policy.
    pub fn nodes(&self) -> &[String] {
        let erlang = self.policy.as_ref().and_then(|policy| policy.erlang.as_ref());
        erlang.map(|erlang| erlang.nodes.as_slice()).unwrap_or_default()
    }
}

/// `true` if the address lies in the network. Mapped IPv4 addresses are taken as IPv4.
fn contains(network: &Network, address: IpAddr) -> bool {
    let bits = |address: IpAddr| match address.to_canonical() {
        IpAddr::V4(address) => (32, u128::from(address.to_bits()) << 96),
        IpAddr::V6(address) => (128, address.to_bits()),
    };
    let ((network_width, network_bits), (width, address_bits)) = (bits(network.address), bits(address));
    // A prefix of the mapped form counts from the start of the 128 bits.
    let mapped = network.address.is_ipv6() && network_width == 32;
    let prefix = u32::from(network.prefix).saturating_sub(if mapped { 96 } else { 0 }).min(width);
    let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
    network_width == width && network_bits & mask == address_bits & mask
}

/// Matches a pattern in which `*` stands for anything. The time is linear in the product of the lengths at worst, and
/// node names are at most 255 characters.
fn matches_glob(pattern: &str, name: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut rest) = name.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = tail.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
pub(in crate::detect) mod tests {
    use super::*;
    use crate::policy::Erlang;

    pub(in crate::detect) fn settings(cluster: &[(&str, u8)], nodes: &[&str]) -> Settings {
        let network = |(address, prefix): &(&str, u8)| Network { address: address.parse().unwrap(), prefix: *prefix };
        let erlang = Erlang {
            cluster: cluster.iter().map(network).collect(),
            nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
        };
        let policy = Policy { erlang: Some(erlang), ..Policy::default() };
        Settings { policy: Some(Arc::new(policy)), quote_chars: 200, ..Settings::default() }
    }

    #[test]
    fn addresses_are_judged_by_prefix() {
        let cluster = Cluster::new(&settings(&[("10.1.2.0", 24), ("192.0.2.7", 32), ("2001:db8::", 32)], &[]));
        for inside in ["10.1.2.255", "192.0.2.7", "2001:db8:1::1", "::ffff:10.1.2.3", "127.0.0.1", "::1"] {
            assert!(!cluster.is_address_outside(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["10.1.3.0", "192.0.2.8", "2001:db9::1"] {
            assert!(cluster.is_address_outside(outside.parse().unwrap()), "{outside}");
        }
        let everywhere = Cluster::new(&settings(&[("0.0.0.0", 0)], &[]));
        assert!(!everywhere.is_address_outside("8.8.8.8".parse().unwrap()));
        assert!(everywhere.is_address_outside("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn nobody_is_outside_of_what_is_not_told() {
        let cluster = Cluster::new(&settings(&[], &[]));
        assert!(!cluster.is_address_outside("8.8.8.8".parse().unwrap()));
        assert!(!cluster.is_node_outside("x@y"));
    }

    #[test]
    fn names_are_judged_by_pattern() {
        let cluster = Cluster::new(&settings(&[], &["ejabberd@*.alpha.lab", "ctl-*-ejabberd@adm"]));
        for inside in ["ejabberd@xmpp1.alpha.lab", "ctl-12-ejabberd@adm"] {
            assert!(!cluster.is_node_outside(inside), "{inside}");
        }
        for outside in ["ejabberd@xmpp1.beta.lab", "ctl-ejabberd@adm", "x@adm", "ejabberd@.alpha.lab2"] {
            assert!(cluster.is_node_outside(outside), "{outside}");
        }
    }
}
