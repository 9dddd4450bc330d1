//! Streams as a whole: whether what was said in them could be read by anybody on the way.

use super::title::in_title;
use super::{Detector, Finding, Kind};
use crate::evidence::{Direction, Seen, Sighting};
use crate::protocol::xmpp::{Outcome, StreamKind, StreamSummary, XmppEvent};
use crate::protocol::{Event, Record};

/// `xmpp.cleartext-stream`: one a stream.
#[derive(Debug, Default)]
pub struct CleartextStreams;

impl Detector for CleartextStreams {
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>) {
        if let Event::Xmpp(XmppEvent::Stream(stream)) = &record.event
            && carries_stanzas_in_clear(stream)
        {
            out.push(cleartext_stream(stream, &record.at));
        }
    }

    fn finish(&mut self, _out: &mut Vec<Finding>) {}
}

fn carries_stanzas_in_clear(stream: &StreamSummary) -> bool {
    let stanzas = stream.stanzas.iter().any(|count| *count > 0);
    let judged = match stream.kind {
        StreamKind::C2s => has_session(stream),
        StreamKind::S2s => true,
        // A component is a part of its server, and speaks to it over a trusted network or none.
        StreamKind::Component => false,
    };
    stream.tls.is_none() && stanzas && judged
}

/// The iqs of registration and legacy login are the login itself, judged as credentials: a stream that gets no
/// further carries nothing. Where the beginning was not captured, whoever speaks has got further.
fn has_session(stream: &StreamSummary) -> bool {
    let beginning_seen = stream.stream_id.is_some() || stream.offered_starttls.is_some();
    let logged_in = stream.outcome == Some(Outcome::Success);
    stream.jid.is_some() || logged_in || (!beginning_seen && stream.outcome.is_none())
}

fn cleartext_stream(stream: &StreamSummary, at: &Sighting) -> Finding {
    let stamp = stream.first_stanza.unwrap_or(stream.first);
    let seen = Seen { flow: &at.flow, direction: Direction::FromOrig, first: stamp, last: stamp };
    let mut finding = Finding::new(Kind::XmppCleartextStream, "xmpp", &seen, title(stream))
        .with("stream_kind", stream.kind.name())
        .with_some("domain", stream.domain.as_deref())
        .with_some("offered_starttls", stream.offered_starttls);
    finding.src = Some(stream.client.to_string());
    finding.dst = Some(stream.server.to_string());
    finding
}

fn title(stream: &StreamSummary) -> String {
    let who = stream.jid.as_deref().or(stream.from_domain.as_deref());
    let who = who.map(|who| format!(" of {}", in_title(who))).unwrap_or_default();
    let domain = stream.domain.as_deref().map(|domain| format!(" to {}", in_title(domain))).unwrap_or_default();
    let refused = if stream.offered_starttls == Some(true) { ", though STARTTLS was offered" } else { "" };
    format!("{} stream{who}{domain} without TLS{refused}", stream.kind.name())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::detect::Evidence;
    use crate::detect::scene::{record, stamp};

    fn stream() -> StreamSummary {
        StreamSummary {
            kind: StreamKind::C2s,
            client: ([10, 0, 0, 7], 49152).into(),
            server: ([10, 0, 0, 1], 5222).into(),
            domain: Some("alpha.test".to_owned()),
            from_domain: None,
            jid: Some("alice@alpha.test/desk".to_owned()),
            stream_id: Some("s1".to_owned()),
            tls: None,
            tls_version: None,
            compression: None,
            offered_starttls: Some(true),
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

    fn found(stream: StreamSummary) -> Option<Finding> {
        let mut out = Vec::new();
        let record = record("10.0.0.1:5222", "10.0.0.7:49152", 9_000_000, XmppEvent::Stream(Box::new(stream)));
        CleartextStreams.on_record(&record, &mut out);
        assert!(out.len() <= 1);
        out.pop()
    }

    #[test]
    fn a_session_without_tls_is_told_from_its_first_stanza() {
        let finding = found(stream()).unwrap();
        assert_eq!(
            finding.title,
            "c2s stream of alice@alpha.test/desk to alpha.test without TLS, though STARTTLS was offered"
        );
        assert_eq!((finding.time_ns, finding.frames.as_slice()), (5_000_000, [6].as_slice()));
        assert_eq!(finding.src.as_deref(), Some("10.0.0.7:49152"), "by content, not by who opened the connection");
        assert_eq!(
            finding.evidence,
            [
                ("stream_kind", Evidence::Text("c2s".to_owned())),
                ("domain", Evidence::Text("alpha.test".to_owned())),
                ("offered_starttls", Evidence::Flag(true)),
            ]
        );
    }

    #[test]
    fn tls_no_stanzas_and_components_are_fine() {
        assert_eq!(found(StreamSummary { tls: Some("starttls"), ..stream() }), None);
        assert_eq!(found(StreamSummary { stanzas: [0, 0], ..stream() }), None);
        assert_eq!(found(StreamSummary { kind: StreamKind::Component, ..stream() }), None);
    }

    #[test]
    fn login_iqs_alone_are_no_session() {
        let refused = StreamSummary { jid: None, outcome: Some(Outcome::Failure), ..stream() };
        assert_eq!(found(refused.clone()), None);
        assert_eq!(found(StreamSummary { outcome: None, ..refused.clone() }), None);
        assert!(found(StreamSummary { outcome: Some(Outcome::Success), ..refused }).is_some());
    }

    #[test]
    fn servers_need_no_login_and_neither_does_what_was_captured_midstream() {
        let between = StreamSummary { jid: None, outcome: None, ..stream() };
        assert!(found(StreamSummary { kind: StreamKind::S2s, ..between.clone() }).is_some());
        assert!(found(StreamSummary { stream_id: None, offered_starttls: None, ..between }).is_some());
    }
}
