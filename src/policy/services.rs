//! Which services the site opens, to whom.

use super::Network;
use crate::evidence::Transport;
use std::net::IpAddr;

/// Ports of a stock ejabberd: name, transports, first and last port of each range.
///
/// The distribution has no port of its own; these are what ejabberdctl.cfg suggests (`ERL_DIST_PORT`, and the range
/// of its firewall window).
const STOCK_EJABBERD: &[(&str, Transports, &[(u16, u16)])] = &[
    ("xmpp-client", Transports::Tcp, &[(5222, 5223)]),
    ("xmpp-server", Transports::Tcp, &[(5269, 5269)]),
    ("http", Transports::Tcp, &[(5280, 5280), (5443, 5443)]),
    ("mqtt", Transports::Tcp, &[(1883, 1883), (8883, 8883)]),
    ("stun", Transports::Both, &[(3478, 3478), (5349, 5349)]),
    ("sip", Transports::Both, &[(5060, 5061)]),
    ("socks5", Transports::Tcp, &[(7777, 7777)]),
    ("epmd", Transports::Tcp, &[(4369, 4369)]),
    ("distribution", Transports::Tcp, &[(4370, 4375), (5210, 5210)]),
];

/// `[services]`: what the site opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Services {
    /// What is open; anything else is not.
    pub list: Vec<Service>,
    /// The policy lists them; `false`: they are those of a stock ejabberd.
    pub given: bool,
}

impl Services {
    /// The service that opens a port to an address.
    pub fn opens(&self, transport: Transport, port: u16, source: IpAddr) -> Option<&Service> {
        self.list.iter().find(|service| service.has_port(transport, port) && service.admits(source))
    }
}

impl Default for Services {
    fn default() -> Self {
        let list = STOCK_EJABBERD.iter().map(|(name, ..)| Service::stock(name)).collect();
        Self { list, given: false }
    }
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Service {
    /// How findings call it.
    pub name: String,
    /// Where it listens.
    pub ports: Vec<PortRange>,
    /// Over what.
    pub transports: Transports,
    /// Who may use it; empty: anyone.
    pub sources: Vec<Network>,
}

impl Service {
    /// A service as a stock ejabberd has it; without ports if it has none of that name.
    pub fn stock(name: &str) -> Self {
        let mut service = Self { name: name.to_owned(), ..Self::default() };
        if let Some((_, transports, ports)) = STOCK_EJABBERD.iter().find(|(stock, ..)| *stock == name) {
            service.transports = *transports;
            service.ports = ports.iter().map(|&(first, last)| PortRange { first, last }).collect();
        }
        service
    }

    /// `true` if it listens on a port.
    pub fn has_port(&self, transport: Transport, port: u16) -> bool {
        self.transports.include(transport) && self.ports.iter().any(|range| range.contains(port))
    }

    /// `true` if an address may use it.
    pub fn admits(&self, source: IpAddr) -> bool {
        self.sources.is_empty() || self.sources.iter().any(|network| network.contains(source))
    }
}

/// TCP, UDP or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transports {
    /// TCP only.
    #[default]
    Tcp,
    /// UDP only.
    Udp,
    /// TCP and UDP.
    Both,
}

impl Transports {
    /// `true` if the transport is among them.
    pub fn include(self, transport: Transport) -> bool {
        match self {
            Self::Tcp => transport == Transport::Tcp,
            Self::Udp => transport == Transport::Udp,
            Self::Both => matches!(transport, Transport::Tcp | Transport::Udp),
        }
    }
}

/// Ports from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// Lowest port, not 0.
    pub first: u16,
    /// Highest port, not below the lowest.
    pub last: u16,
}

impl PortRange {
    /// Reads `5222` or `4370-4375`. The error says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let range = Self { first: parse_port(first)?, last: parse_port(last)? };
        if range.first > range.last {
            return Err(format!("the range `{text}` runs backwards"));
        }
        Ok(range)
    }

    /// `true` if the port is one of them.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    match text.trim().parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(format!("`{}` is not a port from 1 to 65535", text.trim())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn stock_services_are_open_to_anyone() {
        let services = Services::default();
        let anyone = "203.0.113.9".parse().unwrap();
        let name = |transport, port| services.opens(transport, port, anyone).map(|service| service.name.as_str());
        assert_eq!(name(Transport::Tcp, 5222), Some("xmpp-client"));
        assert_eq!(name(Transport::Tcp, 4372), Some("distribution"));
        assert_eq!(name(Transport::Udp, 3478), Some("stun"));
        assert_eq!(name(Transport::Udp, 5222), None);
        assert_eq!(name(Transport::Tcp, 22), None);
    }

    #[test]
    fn sources_limit_a_service() {
        let sources = vec![Network::parse("10.0.0.0/8").unwrap()];
        let services = Services { list: vec![Service { sources, ..Service::stock("epmd") }], given: true };
        assert!(services.opens(Transport::Tcp, 4369, "10.1.1.1".parse().unwrap()).is_some());
        assert!(services.opens(Transport::Tcp, 4369, "192.0.2.1".parse().unwrap()).is_none());
    }

    #[test]
    fn port_ranges() {
        assert_eq!(PortRange::parse("4370-4375"), Ok(PortRange { first: 4370, last: 4375 }));
        assert_eq!(PortRange::parse(" 22 "), Ok(PortRange { first: 22, last: 22 }));
        for wrong in ["0", "65536", "-1", "9-8", "1-2-3", "http", "", "-"] {
            assert!(PortRange::parse(wrong).is_err(), "{wrong}");
        }
    }
}
