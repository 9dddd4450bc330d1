//! Servers that are believed on the word of DNS alone: dialback in clear (XEP-0220, 6), which a false answer or
//! somebody on the way can fake.

use super::title::in_title;
use super::{Detector, Finding, Kind};
use crate::protocol::xmpp::{FederationStepKind, XmppEvent};
use crate::protocol::{Event, Record};
use std::collections::HashSet;

/// Pairs remembered; beyond this one may be told twice.
const MAX_TOLD: usize = 16_384;

/// `xmpp.dialback-only`: one a connection and pair of domains.
#[derive(Debug, Default)]
pub struct DialbackOnly {
    told: HashSet<(Box<str>, String, String)>,
}

impl Detector for DialbackOnly {
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>) {
        let Event::Xmpp(XmppEvent::Federation(step)) = &record.event else { return };
        let seen = record.at.as_seen();
        let trusted = step.kind == FederationStepKind::Result && step.verdict.as_deref() == Some("valid");
        // Inside TLS the certificates speak too; whether they were looked at, nobody on the wire can tell.
        if !trusted || seen.flow.within.tls.is_some() {
            return;
        }
        if self.told.len() >= MAX_TOLD {
            self.told.clear();
        }
        let (from, to) = (step.originating.clone(), step.receiving.clone());
        if !self.told.insert((seen.flow.community_id.clone(), from.clone(), to.clone())) {
            return;
        }
        let title = format!("{} is trusted by {} on dialback alone, without TLS", in_title(&from), in_title(&to));
        let mut finding = Finding::new(Kind::XmppDialbackOnly, "xmpp", &seen, title).with("from", from).with("to", to);
        // The verdict is said by who believes; who acts is the one that wants to be believed.
        std::mem::swap(&mut finding.src, &mut finding.dst);
        out.push(finding);
    }

    fn finish(&mut self, _out: &mut Vec<Finding>) {}
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::detect::scene::{dialback, record};
    use crate::evidence::{TlsLayer, Within};

    fn verdict(verdict: &str) -> Record {
        let step = dialback("a.test", "b.test", None, Some(verdict));
        record("10.0.0.2:5269", "10.0.0.1:40000", 1, XmppEvent::Federation(Box::new(step)))
    }

    fn found(records: &[Record]) -> Vec<Finding> {
        let (mut detector, mut out) = (DialbackOnly::default(), Vec::new());
        records.iter().for_each(|record| detector.on_record(record, &mut out));
        out
    }

    #[test]
    fn a_valid_key_in_clear_is_all_the_trust_there_is() {
        let found = found(&[verdict("valid"), verdict("valid"), verdict("invalid")]);
        assert_eq!(found.len(), 1, "once a connection");
        assert_eq!(found[0].title, "a.test is trusted by b.test on dialback alone, without TLS");
        assert_eq!(found[0].src.as_deref(), Some("10.0.0.1:40000"), "who wants to be believed");
    }

    #[test]
    fn inside_tls_it_is_not_alone() {
        let mut record = verdict("valid");
        let tls = Some(TlsLayer { version: "TLSv1.3", starttls: true });
        record.at.flow = record.at.flow.opened(Within { tls, ..Within::default() });
        assert_eq!(found(&[record]), []);
    }
}
