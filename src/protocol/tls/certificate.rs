//! X.509 certificates (RFC 5280) by `x509-parser`: DER in, what a reader asks of a certificate out.

use super::event::Certificate;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

/// Certificates kept of a chain: chains have two to four.
const MAX_CHAIN: usize = 8;
/// Names kept of a certificate: certificates of hosting companies list a hundred.
const MAX_NAMES: usize = 128;
/// Characters kept of a name: DNS names end at 255, distinguished names at some hundreds.
const MAX_NAME_CHARS: usize = 1024;
/// Type of an alternative name that holds a JID (RFC 6120, 13.7.1.4).
const XMPP_ADDR: &str = "1.3.6.1.5.5.7.8.5";
/// Type of one that holds a service and a domain, such as `_xmpp-client.alpha.test` (RFC 4985).
const SRV_NAME: &str = "1.3.6.1.5.5.7.8.7";

/// Reads the certificates of a chain, the sender's own first.
pub(super) fn read_chain<'a>(chain: impl Iterator<Item = &'a [u8]>) -> Vec<Certificate> {
    chain.take(MAX_CHAIN).map(read).collect()
}

fn read(der: &[u8]) -> Certificate {
    let sha256 = Sha256::digest(der).into();
    let Ok((_, parsed)) = X509Certificate::from_der(der) else {
        return Certificate { sha256, is_unreadable: true, ..Certificate::default() };
    };
    let validity = parsed.validity();
    Certificate {
        sha256,
        subject: clean(&parsed.subject().to_string()),
        issuer: clean(&parsed.issuer().to_string()),
        not_before: validity.not_before.timestamp(),
        not_after: validity.not_after.timestamp(),
        names: names(&parsed),
        serial: parsed.raw_serial().iter().take(32).map(|byte| format!("{byte:02x}")).collect(),
        is_self_issued: parsed.subject().as_raw() == parsed.issuer().as_raw(),
        is_unreadable: false,
    }
}

fn names(parsed: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternative)) = parsed.subject_alternative_name() else { return Vec::new() };
    alternative.value.general_names.iter().take(MAX_NAMES).filter_map(name_text).collect()
}

fn name_text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(clean(&name.to_ascii_lowercase())),
        GeneralName::RFC822Name(name) | GeneralName::URI(name) => Some(clean(name)),
        GeneralName::IPAddress(bytes) => address_text(bytes),
        GeneralName::OtherName(kind, value) if [XMPP_ADDR, SRV_NAME].contains(&kind.to_id_string().as_str()) => {
            short_text(value)
        }
        _ => None,
    }
}

fn address_text(bytes: &[u8]) -> Option<String> {
    let address = match bytes.len() {
        4 => IpAddr::from(*bytes.first_chunk::<4>()?),
        16 => IpAddr::from(*bytes.first_chunk::<16>()?),
        _ => return None,
    };
    Some(address.to_string())
}

/// A UTF8String or IA5String, in its explicit tag or bare; JIDs in certificates are shorter than 128 bytes.
fn short_text(value: &[u8]) -> Option<String> {
    let text = match value {
        [0xa0, _, 0x0c | 0x16, length, text @ ..] | [0x0c | 0x16, length, text @ ..] => {
            text.get(..usize::from(*length))?
        }
        _ => return None,
    };
    std::str::from_utf8(text).ok().map(clean)
}

/// Text of a certificate, without what a terminal would act on.
fn clean(text: &str) -> String {
    text.chars().take(MAX_NAME_CHARS).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
