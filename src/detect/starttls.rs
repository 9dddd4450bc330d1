//! STARTTLS that is taken away: by who stands between client and server, or by a client that does not mind.
//!
//! A listener that offers it on some stream of the case offers it on all, and who stands in its way may have another
//! address. But a site may have listeners of other ports that never do. Servers that never do are not
//! judged here: their streams are `xmpp.cleartext-stream`.

use super::title::in_title;
use super::{Detector, Finding, Kind};
use crate::evidence::Sighting;
use crate::protocol::xmpp::{StreamKind, StreamSummary, XmppEvent, jid};
use crate::protocol::{Event, Record};
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;

/// Listeners, and streams that wait for what others show of theirs.
const MAX_LISTENERS: usize = 65_536;
const MAX_STREAMS: usize = 65_536;

/// Domain and kind of stream.
type Service = (String, StreamKind);

/// `xmpp.starttls-stripped`: one a stream.
#[derive(Debug, Default)]
pub struct StrippedStarttls {
    /// Where it was offered.
    offering: HashMap<Service, BTreeSet<SocketAddr>>,
    /// Streams on which it was not.
    without: HashMap<Service, Vec<(Sighting, Box<StreamSummary>)>>,
    listeners: usize,
    kept: usize,
}

impl Detector for StrippedStarttls {
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>) {
        let Event::Xmpp(XmppEvent::Stream(stream)) = &record.event else { return };
        // Over HTTP there is no STARTTLS to offer: what protects is around it (XEP-0206, RFC 7395).
        if record.at.flow.within.http.is_some() {
            return;
        }
        let Some(offered) = stream.offered_starttls else { return };
        if offered {
            out.extend(ignored(stream).map(|reason| finding(stream, reason, &record.at)));
        }
        let Some(service) = service(stream) else { return };
        if offered {
            let has_room = self.listeners < MAX_LISTENERS;
            if has_room && self.offering.entry(service).or_default().insert(listener(stream)) {
                self.listeners += 1;
            }
        } else if stream.tls.is_none() && stream.login_offered && self.kept < MAX_STREAMS {
            self.kept += 1;
            self.without.entry(service).or_default().push((record.at.clone(), stream.clone()));
        }
    }

    fn finish(&mut self, out: &mut Vec<Finding>) {
        for (service, streams) in std::mem::take(&mut self.without) {
            let Some(offering) = self.offering.get(&service) else { continue };
            let stripped = streams.iter().filter(|(_, stream)| is_expected(listener(stream), offering));
            out.extend(stripped.map(|(at, stream)| finding(stream, "not-offered", at)));
        }
        // Of the map's order nothing may show.
        out.sort_by_key(|finding| (finding.time_ns, finding.capture, finding.frames.first().copied()));
    }
}

fn service(stream: &StreamSummary) -> Option<Service> {
    let domain = jid::normalize_domain(stream.domain.as_deref()?).into_owned();
    Some((domain, stream.kind))
}

fn listener(stream: &StreamSummary) -> SocketAddr {
    SocketAddr::new(stream.server.ip().to_canonical(), stream.server.port())
}

/// `listener` should offer STARTTLS, since others of the service do: it does so itself, or its host is none of the
/// service's.
fn is_expected(listener: SocketAddr, offering: &BTreeSet<SocketAddr>) -> bool {
    offering.contains(&listener) || offering.iter().all(|other| other.ip() != listener.ip())
}

/// The client goes on in clear, though it was told not to, or asked for better.
fn ignored(stream: &StreamSummary) -> Option<&'static str> {
    let [sent, _] = stream.stanzas;
    let goes_on = stream.tls.is_none() && (stream.mechanism.is_some() || sent > 0);
    match (goes_on, stream.required_starttls, stream.refused_starttls) {
        (true, _, true) => Some("refused"),
        (true, true, _) => Some("required-but-ignored"),
        _ => None,
    }
}

fn finding(stream: &StreamSummary, reason: &'static str, at: &Sighting) -> Finding {
    let domain = stream.domain.as_deref().map(|domain| format!(" for {}", in_title(domain))).unwrap_or_default();
    let what = match reason {
        "refused" => "refuses STARTTLS, and the client goes on in clear",
        "required-but-ignored" => "requires STARTTLS, and the client goes on in clear",
        _ => "does not offer STARTTLS, though it does on other streams",
    };
    let mut seen = at.as_seen();
    (seen.first, seen.last) = (stream.first, stream.first);
    let mut finding =
        Finding::new(Kind::XmppStarttlsStripped, "xmpp", &seen, format!("{}{domain} {what}", stream.server))
            .with("server", stream.server.to_string())
            .with_some("domain", stream.domain.as_deref())
            .with("reason", reason)
            .with_some("jid", stream.jid.as_deref());
    finding.src = Some(stream.client.to_string());
    finding.dst = Some(stream.server.to_string());
    finding
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::detect::Evidence;
    use crate::detect::scene::{record, stamp};
    use crate::evidence::{HttpBinding, Within};
    use crate::protocol::xmpp::Outcome;

    fn stream(offered: bool) -> StreamSummary {
        StreamSummary {
            kind: StreamKind::C2s,
            client: ([10, 0, 0, 7], 49152).into(),
            server: ([10, 0, 0, 1], 5222).into(),
            domain: Some("alpha.test".to_owned()),
            from_domain: None,
            jid: None,
            stream_id: None,
            tls: offered.then_some("starttls"),
            tls_version: None,
            compression: None,
            offered_starttls: Some(offered),
            required_starttls: false,
            refused_starttls: false,
            login_offered: true,
            mechanism: Some("PLAIN".to_owned()),
            outcome: Some(Outcome::Success),
            stanzas: [3, 2],
            first_stanza: Some(stamp(5_000_000)),
            first: stamp(1_000_000),
            last: stamp(9_000_000),
            error: None,
            software: None,
            resumable: None,
            resumes: None,
            ended: None,
        }
    }

    fn reasons(streams: impl IntoIterator<Item = StreamSummary>) -> Vec<String> {
        let (mut detector, mut out) = (StrippedStarttls::default(), Vec::new());
        for stream in streams {
            let event = XmppEvent::Stream(Box::new(stream));
            detector.on_record(&record("10.0.0.7:49152", "10.0.0.1:5222", 9_000_000, event), &mut out);
        }
        detector.finish(&mut out);
        let reason = |finding: &Finding| match finding.evidence.iter().find(|(key, _)| *key == "reason") {
            Some((_, Evidence::Text(reason))) => reason.clone(),
            _ => String::new(),
        };
        out.iter().map(reason).collect()
    }

    #[test]
    fn a_server_that_offers_elsewhere_is_stripped_here() {
        assert_eq!(reasons([stream(true), stream(false)]), ["not-offered"]);
        assert_eq!(reasons([stream(false), stream(true)]), ["not-offered"]);
    }

    #[test]
    fn who_stands_between_may_have_another_address() {
        let proxy = StreamSummary { server: ([10, 0, 0, 66], 5222).into(), ..stream(false) };
        assert_eq!(reasons([stream(true), proxy]), ["not-offered"]);
    }

    #[test]
    fn another_listener_of_the_host_may_do_without() {
        let other = StreamSummary { server: ([10, 0, 0, 1], 5224).into(), ..stream(false) };
        assert_eq!(reasons([stream(true), other]), [] as [String; 0]);
    }

    #[test]
    fn over_http_there_is_no_starttls_to_offer() {
        let (mut detector, mut out) = (StrippedStarttls::default(), Vec::new());
        for (offered, http) in [(true, None), (false, Some(HttpBinding::Bosh)), (false, Some(HttpBinding::WebSocket))] {
            let event = XmppEvent::Stream(Box::new(stream(offered)));
            let mut record = record("10.0.0.7:49152", "10.0.0.1:5222", 9_000_000, event);
            record.at.flow = record.at.flow.opened(Within { http, ..Within::default() });
            detector.on_record(&record, &mut out);
        }
        detector.finish(&mut out);
        assert_eq!(out, []);
    }

    #[test]
    fn servers_that_never_offer_and_streams_without_their_beginning_are_not() {
        assert_eq!(reasons([stream(false), stream(false)]), [] as [String; 0]);
        let midstream = StreamSummary { login_offered: false, ..stream(false) };
        assert_eq!(reasons([stream(true), midstream]), [] as [String; 0]);
        let other = StreamSummary { domain: Some("beta.test".to_owned()), ..stream(false) };
        let between = StreamSummary { kind: StreamKind::S2s, ..stream(false) };
        let inside = StreamSummary { tls: Some("direct"), ..stream(false) };
        assert_eq!(reasons([stream(true), other, between, inside]), [] as [String; 0]);
    }

    #[test]
    fn going_on_in_clear_is_told_where_it_was_forbidden_or_refused() {
        let clear = |required, refused| StreamSummary {
            tls: None,
            required_starttls: required,
            refused_starttls: refused,
            ..stream(true)
        };
        assert_eq!(reasons([clear(true, false)]), ["required-but-ignored"]);
        assert_eq!(reasons([clear(false, true)]), ["refused"]);
        assert_eq!(reasons([clear(false, false)]), [] as [String; 0], "its own choice: xmpp.cleartext-stream");
        let gives_up = StreamSummary { mechanism: None, stanzas: [0, 1], ..clear(true, false) };
        assert_eq!(reasons([gives_up]), [] as [String; 0]);
    }
}
