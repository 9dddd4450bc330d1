//! Messages of RFC 1928 (sections 3 to 6) and RFC 1929: bytes in, fields out.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

pub(super) const VERSION: u8 = 5;
pub(super) const AUTH_VERSION: u8 = 1;
pub(super) const NO_METHOD: u8 = 0xff;
pub(super) const PASSWORD: u8 = 2;
pub(super) const CONNECT: u8 = 1;

/// A message, and the bytes it takes; or a beginning of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parsed<T> {
    Whole(T, usize),
    Part,
}

/// Methods that a client offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Greeting {
    methods: Vec<u8>,
}

impl Greeting {
    /// `None` if bytes are none.
    pub(super) fn parse(data: &[u8]) -> Option<Parsed<Self>> {
        match data {
            [] | [VERSION] => Some(Parsed::Part),
            [VERSION, count, rest @ ..] if *count > 0 => match rest.get(..usize::from(*count)) {
                Some(methods) => Some(Parsed::Whole(Self { methods: methods.to_vec() }, 2 + methods.len())),
                None => Some(Parsed::Part),
            },
            _ => None,
        }
    }

    pub(super) fn offers(&self, method: u8) -> bool {
        self.methods.contains(&method)
    }
}

/// Name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Auth {
    pub username: String,
    pub password: String,
}

impl Auth {
    pub(super) fn parse(data: &[u8]) -> Option<Parsed<Self>> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let Some((version, rest)) = data.split_first() else { return Some(Parsed::Part) };
        if *version != AUTH_VERSION {
            return None;
        }
        let counted = |data: &[u8]| {
            let (length, rest) = data.split_first()?;
            rest.split_at_checked(usize::from(*length)).map(|(field, _)| field.to_vec())
        };
        let Some(username) = counted(rest) else { return Some(Parsed::Part) };
        let Some(password) = counted(rest.get(1 + username.len()..).unwrap_or_default()) else {
            return Some(Parsed::Part);
        };
        let length = 3 + username.len() + password.len();
        Some(Parsed::Whole(Self { username: text(&username), password: text(&password) }, length))
    }
}

/// A request, or an answer, which has the same form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// Command of a request, or reply code of an answer.
    pub code: u8,
    pub address: Address,
}

/// An address and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    V4(SocketAddrV4),
    V6(SocketAddrV6),
    Name(Vec<u8>, u16),
}

impl Request {
    pub(super) fn parse(data: &[u8]) -> Option<Parsed<Self>> {
        let part = || Some(Parsed::Part);
        let (code, kind, rest) = match data {
            [] | [VERSION] | [VERSION, _] | [VERSION, _, 0] => return part(),
            [VERSION, code, 0, kind, rest @ ..] => (*code, *kind, rest),
            _ => return None,
        };
        let (address, length) = match kind {
            1 => {
                let Some((address, port)) = rest.split_first_chunk::<4>().and_then(with_port) else { return part() };
                (Address::V4(SocketAddrV4::new(Ipv4Addr::from(*address), port)), 4)
            }
            4 => {
                let Some((address, port)) = rest.split_first_chunk::<16>().and_then(with_port) else { return part() };
                (Address::V6(SocketAddrV6::new(Ipv6Addr::from(*address), port, 0, 0)), 16)
            }
            3 => {
                let Some((length, rest)) = rest.split_first() else { return part() };
                let named = rest.split_at_checked(usize::from(*length));
                let Some((name, port)) = named.and_then(|(name, rest)| with_port((name, rest))) else { return part() };
                (Address::Name(name.to_vec(), port), 1 + name.len())
            }
            _ => return None,
        };
        Some(Parsed::Whole(Self { code, address }, 4 + length + 2))
    }
}

fn with_port<T>((address, rest): (T, &[u8])) -> Option<(T, u16)> {
    rest.first_chunk().map(|port| (address, u16::from_be_bytes(*port)))
}

impl Address {
    /// The forty digits of XEP-0065, in lower case.
    pub(super) fn bytestream(&self) -> Option<String> {
        let Self::Name(name, _) = self else { return None };
        let is_hash = name.len() == 40 && name.iter().all(u8::is_ascii_hexdigit);
        is_hash.then(|| String::from_utf8_lossy(name).to_ascii_lowercase())
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{}:{port}", String::from_utf8_lossy(name)),
        }
    }
}

/// Name of a method of authentication.
pub(super) fn method_name(method: u8) -> String {
    match method {
        0 => "none".to_owned(),
        1 => "gssapi".to_owned(),
        PASSWORD => "password".to_owned(),
        NO_METHOD => "refused".to_owned(),
        other => other.to_string(),
    }
}

/// Name of a command.
pub(super) fn command_name(command: u8) -> String {
    match command {
        CONNECT => "connect".to_owned(),
        2 => "bind".to_owned(),
        3 => "udp-associate".to_owned(),
        other => other.to_string(),
    }
}
