//! What a TLS handshake shows in clear that is wrong: old versions, weak suites, certificates that prove nothing.
//!
//! TLS 1.3 encrypts certificates: there nothing is said of them unless keys opened it.

use super::title::in_title;
use super::{Detector, Evidence, Finding, Kind, Severity};
use crate::evidence::{Seen, Sighting};
use crate::protocol::tls::{Certificate, TlsEvent, TlsHandshake, TlsVersion, certificate_time};
use crate::protocol::xmpp::{XmppEvent, jid};
use crate::protocol::{Event, Record};
use std::collections::HashMap;

/// Certificates that wait for the stream around them to tell its domain.
const MAX_WAITING: usize = 16_384;

/// Captures from before 1995 have no clock: there was no SSL.
const CLOCK_SINCE: i64 = 788_918_400;

/// `tls.weak`: one a handshake.
#[derive(Debug, Default)]
pub struct WeakTls;

impl Detector for WeakTls {
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>) {
        if let Event::Tls(TlsEvent::Handshake(told)) = &record.event {
            out.extend(weakness(told, &record.at));
        }
    }

    fn finish(&mut self, _out: &mut Vec<Finding>) {}
}

/// Why a suite is weak, and whether it protects nothing. Names are IANA's.
fn suite_weakness(name: &str) -> Option<(&'static str, bool)> {
    let has = |part: &str| name.split('_').any(|found| found == part);
    let starts = |part: &str| name.split('_').any(|found| found.starts_with(part));
    if !name.starts_with("TLS_") {
        return None;
    }
    let ways: [(bool, &'static str, bool); 7] = [
        (has("NULL") && !name.ends_with("_NULL_NULL"), "no-encryption", true),
        (name.ends_with("_NULL_NULL"), "no-encryption", true),
        (starts("EXPORT"), "export-suite", true),
        (has("anon") || has("Anon"), "anonymous", true),
        (has("RC4") || has("RC2") || has("DES") || has("DES40") || has("3DES") || has("IDEA"), "weak-cipher", false),
        (has("MD5"), "weak-mac", false),
        (
            ["TLS_RSA_", "TLS_DH_RSA_", "TLS_DH_DSS_", "TLS_ECDH_RSA_", "TLS_ECDH_ECDSA_"]
                .iter()
                .any(|start| name.starts_with(start)),
            "no-forward-secrecy",
            false,
        ),
    ];
    ways.into_iter().find(|(fits, ..)| *fits).map(|(_, reason, open)| (reason, open))
}

fn weakness(told: &TlsHandshake, at: &Sighting) -> Option<Finding> {
    let version = told.version?;
    told.server_hello?;
    let cipher = told.cipher_name()?;
    let is_old = version < TlsVersion::TLS12;
    let suite = suite_weakness(&cipher);
    if !is_old && suite.is_none() {
        return None;
    }
    let mut reasons = Vec::new();
    if is_old {
        reasons.push("old-version".to_owned());
    }
    reasons.extend(suite.map(|(reason, _)| reason.to_owned()));
    let whom = asked(told.sni.as_deref());
    let title = format!("{version} with {cipher}{whom}: {}", reasons.join(", "));
    let mut finding = Finding::new(Kind::TlsWeak, "tls", &at.as_seen(), title)
        .with("version", version.to_string())
        .with("cipher", cipher.into_owned())
        .with("reasons", Evidence::List(reasons))
        .with_some("sni", told.sni.as_deref());
    if suite.is_some_and(|(_, is_open)| is_open) {
        finding.severity = Severity::High;
    }
    Some(finding)
}

fn asked(name: Option<&str>) -> String {
    name.map(|name| format!(" for {}", in_title(name))).unwrap_or_default()
}

/// `tls.certificate`: one a handshake and reason.
#[derive(Debug, Default)]
pub struct Certificates {
    /// Behind STARTTLS without a server name: the stream says whom the client wanted. By Community ID.
    waiting: HashMap<Box<str>, (Sighting, Certificate)>,
}

impl Detector for Certificates {
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>) {
        match &record.event {
            Event::Tls(TlsEvent::Handshake(told)) => {
                let Some(own) = told.certificates.first().filter(|own| !own.is_unreadable) else { return };
                judge_itself(own, told.sni.as_deref(), &record.at, out);
                match &told.sni {
                    Some(name) => judge_name(own, name, &record.at, out),
                    None if told.via_starttls && self.waiting.len() < MAX_WAITING => {
                        let key = record.at.flow.community_id.clone();
                        self.waiting.insert(key, (record.at.clone(), own.clone()));
                    }
                    None => {}
                }
            }
            Event::Xmpp(XmppEvent::Stream(stream)) => {
                if let Some((at, own)) = self.waiting.remove(&record.at.flow.community_id)
                    && let Some(domain) = &stream.domain
                {
                    judge_name(&own, domain, &at, out);
                }
            }
            _ => {}
        }
    }

    fn finish(&mut self, _out: &mut Vec<Finding>) {
        self.waiting.clear();
    }
}

/// What the certificate says of itself, at the time of the capture.
fn judge_itself(own: &Certificate, asked: Option<&str>, at: &Sighting, out: &mut Vec<Finding>) {
    let now = at.last.time_ns.div_euclid(1_000_000_000);
    if now < CLOCK_SINCE {
        // Nothing can be said of its time.
    } else if now > own.not_after {
        let detail = format!("expired on {}", certificate_time(own.not_after));
        out.push(finding(own, "expired", &detail, asked, &at.as_seen()));
    } else if now < own.not_before {
        let detail = format!("not valid before {}", certificate_time(own.not_before));
        out.push(finding(own, "not-yet-valid", &detail, asked, &at.as_seen()));
    }
    if own.is_self_issued {
        out.push(finding(own, "self-signed", "vouched for by nobody else", asked, &at.as_seen()));
    }
}

fn judge_name(own: &Certificate, wanted: &str, at: &Sighting, out: &mut Vec<Finding>) {
    if !is_for(own, wanted) {
        out.push(finding(own, "wrong-name", "not for the name asked", Some(wanted), &at.as_seen()));
    }
}

/// Whether a certificate is for a name (RFC 9525; RFC 6120, 13.7.1.2): by its alternative names, or without these by
/// its common name.
fn is_for(own: &Certificate, wanted: &str) -> bool {
    let wanted = jid::normalize_domain(wanted);
    let common = own.subject.split(", ").filter_map(|part| part.strip_prefix("CN="));
    let mut names = own.names.iter().map(String::as_str).chain(common.filter(|_| own.names.is_empty()));
    names.any(|name| {
        let name =
            ["_xmpp-client.", "_xmpp-server."].iter().find_map(|service| name.strip_prefix(service)).unwrap_or(name);
        let name = jid::normalize_domain(name);
        match name.strip_prefix("*.") {
            Some(parent) => wanted.split_once('.').is_some_and(|(_, rest)| rest == parent),
            None => name == wanted,
        }
    })
}

fn finding(own: &Certificate, reason: &'static str, detail: &str, wanted: Option<&str>, seen: &Seen<'_>) -> Finding {
    let title = format!("certificate {}{}: {detail}", in_title(&own.subject), asked(wanted));
    Finding::new(Kind::TlsCertificate, "tls", seen, title)
        .with("reason", reason)
        .with("subject", own.subject.as_str())
        .with("issuer", own.issuer.as_str())
        .with("not_before", certificate_time(own.not_before))
        .with("not_after", certificate_time(own.not_after))
        .with("names", own.names.clone())
        .with_some("asked", wanted)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::detect::scene::{flow, stamp};
    use crate::evidence::Direction;

    fn at(second: i64) -> Sighting {
        let stamp = stamp(second * 1_000_000_000);
        Sighting {
            flow: flow("10.0.0.7:4000", "10.0.0.1:5223"),
            direction: Direction::FromOrig,
            first: stamp,
            last: stamp,
        }
    }

    fn weak(version: u16, cipher: u16) -> Option<(String, Severity)> {
        let told = TlsHandshake {
            version: Some(TlsVersion(version)),
            cipher: Some(cipher),
            server_hello: Some(stamp(1)),
            ..TlsHandshake::default()
        };
        let finding = weakness(&told, &at(1))?;
        Some((finding.title, finding.severity))
    }

    #[test]
    fn old_versions_and_weak_suites_are_told() {
        let told = |version, cipher| weak(version, cipher).map(|(title, _)| title).unwrap_or_default();
        assert_eq!(told(0x0304, 0x1301), "");
        assert_eq!(told(0x0303, 0xc02f), "");
        assert_eq!(told(0x0303, 0xc013), "", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA");
        assert_eq!(told(0x0303, 0x00ff), "", "not a suite");
        assert_eq!(told(0x0303, 0x009c), "TLSv1.2 with TLS_RSA_WITH_AES_128_GCM_SHA256: no-forward-secrecy");
        assert!(told(0x0301, 0xc013).ends_with(": old-version"));
        assert!(told(0x0303, 0xc011).ends_with(": weak-cipher"), "TLS_ECDHE_RSA_WITH_RC4_128_SHA");
        assert!(told(0x0303, 0xc012).ends_with(": weak-cipher"), "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA");
        assert!(told(0x0300, 0x0003).ends_with(": old-version, export-suite"), "TLS_RSA_EXPORT_WITH_RC4_40_MD5");
        assert_eq!(weak(0x0303, 0x0002).unwrap().1, Severity::High, "TLS_RSA_WITH_NULL_SHA");
        assert_eq!(weak(0x0303, 0x0034).unwrap().1, Severity::High, "TLS_DH_anon_WITH_AES_128_CBC_SHA");
    }

    fn certificate() -> Certificate {
        Certificate {
            subject: "CN=alpha.test".to_owned(),
            issuer: "CN=Some CA".to_owned(),
            not_before: CLOCK_SINCE + 100,
            not_after: CLOCK_SINCE + 200,
            names: vec!["alpha.test".to_owned(), "*.alpha.test".to_owned(), "_xmpp-client.beta.test".to_owned()],
            ..Certificate::default()
        }
    }

    fn reasons(own: Certificate, sni: &str, second: i64) -> Vec<Evidence> {
        let told = TlsHandshake { certificates: vec![own], sni: Some(sni.to_owned()), ..TlsHandshake::default() };
        let mut out = Vec::new();
        let record = Record { at: at(CLOCK_SINCE + second), event: Event::Tls(TlsEvent::Handshake(Box::new(told))) };
        Certificates::default().on_record(&record, &mut out);
        out.iter().map(|finding| finding.evidence[0].1.clone()).collect()
    }

    #[test]
    fn times_are_those_of_the_capture() {
        let text = |reason: &str| vec![Evidence::Text(reason.to_owned())];
        assert_eq!(reasons(certificate(), "alpha.test", 150), []);
        assert_eq!(reasons(certificate(), "alpha.test", 201), text("expired"));
        assert_eq!(reasons(certificate(), "alpha.test", 99), text("not-yet-valid"));
        assert_eq!(reasons(certificate(), "alpha.test", -1), [], "a capture without a clock");
        let own = Certificate { is_self_issued: true, ..certificate() };
        assert_eq!(reasons(own, "alpha.test", 150), text("self-signed"));
    }

    #[test]
    fn names_are_compared_as_the_documents_say() {
        for fine in ["alpha.test", "ALPHA.test", "conference.alpha.test", "beta.test"] {
            assert_eq!(reasons(certificate(), fine, 150), [], "{fine}");
        }
        for other in ["a.b.alpha.test", "gamma.test", "x.beta.test"] {
            assert_eq!(reasons(certificate(), other, 150), [Evidence::Text("wrong-name".to_owned())], "{other}");
        }
        let nameless = Certificate { names: Vec::new(), subject: "O=X, CN=gamma.test".to_owned(), ..certificate() };
        assert_eq!(reasons(nameless, "gamma.test", 150), []);
    }
}
