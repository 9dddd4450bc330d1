//! Who takes part, and with whom: JIDs that the policy denies, and JIDs that it keeps inside.
//!
//! Stanzas are judged by [`Contacts`] in the shards, logins and streams by [`Parties`] after them. A stanza crosses
//! several connections (the sender's, between servers, the receiver's), and a talk has many stanzas: one pair under
//! one rule is one finding, which [`join_key`] tells.
//!
//! Stanzas of type `error` are nobody's: servers send them in the name of whoever could not be reached.

use super::title::in_title;
use super::{Detector, Evidence, Finding, Kind, Settings, StanzaWatch};
use crate::evidence::Seen;
use crate::policy::{Federation, Policy, is_or_below};
use crate::protocol::xmpp::{Stanza, StreamKind, XmppEvent, jid};
use crate::protocol::{Event, Record};
use std::collections::HashSet;
use std::sync::Arc;

/// The rule that findings name where not a pattern but the list of allowed domains speaks.
const FEDERATION_RULE: &str = "federation";

/// Findings remembered, to tell each once. Beyond this some are told again, and joined by their key later.
const MAX_TOLD: usize = 65_536;

/// `jid.denied` and `jid.external-contact` in stanzas.
#[derive(Debug)]
pub struct Contacts {
    rules: Rules,
    told: Told,
}

impl Contacts {
    /// A watch; `None` if the policy has nothing to say on JIDs.
    pub fn new(settings: &Settings) -> Option<Self> {
        let rules = Rules::new(settings)?;
        Some(Self { rules, told: Told::default() })
    }
}

impl StanzaWatch for Contacts {
    fn on_stanza(&mut self, seen: &Seen<'_>, stanza: &Stanza<'_>, out: &mut Vec<Finding>) {
        if stanza.stanza_type == Some("error") {
            return;
        }
        for (party, peer) in [(stanza.from, stanza.to), (stanza.to, stanza.from)] {
            let Some(party) = party else { continue };
            if let Some(rule) = self.rules.denial(party, peer) {
                self.told.tell(Kind::JidDenied, seen, (party, peer, rule), out);
            }
            if let Some(peer) = peer
                && let Some(rule) = self.rules.kept_inside(party, peer)
            {
                self.told.tell(Kind::JidExternalContact, seen, (party, Some(peer), rule), out);
            }
        }
    }
}

/// `jid.denied` for logins, sessions and servers that open streams: who takes part without a stanza yet.
#[derive(Debug)]
pub struct Parties {
    rules: Option<Rules>,
    told: Told,
}

impl Parties {
    /// Judges by the policy, if there is one.
    pub fn new(settings: &Settings) -> Self {
        Self { rules: Rules::new(settings), told: Told::default() }
    }
}

impl Detector for Parties {
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>) {
        let (Some(rules), Event::Xmpp(event)) = (&self.rules, &record.event) else { return };
        let (party, peer) = match event {
            XmppEvent::Login(login) => (login.jid.as_deref(), None),
            XmppEvent::Stream(stream) if stream.kind == StreamKind::S2s => {
                (stream.from_domain.as_deref(), stream.domain.as_deref())
            }
            XmppEvent::Stream(stream) => (stream.jid.as_deref(), None),
            XmppEvent::Federation(step) => (Some(step.originating.as_str()), Some(step.receiving.as_str())),
            _ => return,
        };
        let (party, peer) = (party.map(jid::normalize), peer.map(jid::normalize));
        let seen = record.at.as_seen();
        for (party, peer) in [(party.as_deref(), peer.as_deref()), (peer.as_deref(), party.as_deref())] {
            if let Some(party) = party
                && let Some(rule) = rules.denial(party, peer)
            {
                self.told.tell(Kind::JidDenied, &seen, (party, peer, rule), out);
            }
        }
    }

    fn finish(&mut self, _out: &mut Vec<Finding>) {}
}

/// What the policy says on JIDs.
#[derive(Debug)]
struct Rules {
    policy: Arc<Policy>,
}

impl Rules {
    fn new(settings: &Settings) -> Option<Self> {
        let policy = Arc::clone(settings.policy.as_ref()?);
        let xmpp = &policy.xmpp;
        let speaks = !xmpp.denied_jids.is_empty() || !xmpp.internal_only.is_empty() || limits_federation(&policy);
        speaks.then_some(Self { policy })
    }

    /// The rule by which a JID must not take part, or not with this peer.
    fn denial(&self, party: &str, peer: Option<&str>) -> Option<&str> {
        let denied = self.policy.xmpp.denied_jids.find(party);
        denied.or_else(|| self.breaks_federation(party, peer?).then_some(FEDERATION_RULE))
    }

    /// A foreign domain and an own one talk, and the foreign one is not among those allowed.
    fn breaks_federation(&self, party: &str, peer: &str) -> bool {
        if !limits_federation(&self.policy) {
            return false;
        }
        let (site, xmpp) = (&self.policy.site, &self.policy.xmpp);
        let domain = jid::domain(party);
        let foreign = !site.is_own_domain(domain) && site.is_own_domain(jid::domain(peer));
        let listed = || xmpp.allowed_domains.iter().any(|allowed| is_or_below(domain, allowed));
        foreign && (xmpp.federation == Federation::Closed || !listed())
    }

    /// The rule that keeps a JID inside, if the peer is outside.
    fn kept_inside(&self, party: &str, peer: &str) -> Option<&str> {
        let rule = self.policy.xmpp.internal_only.find(party)?;
        let (own, other) = (jid::domain(party), jid::domain(peer));
        // Without own domains in the policy, inside is where the JID is at home.
        let inside = self.policy.site.is_own_domain(other) || is_or_below(other, own) || other.is_empty();
        (!inside).then_some(rule)
    }
}

/// Which domains are foreign is known only where own ones are named.
fn limits_federation(policy: &Policy) -> bool {
    policy.xmpp.federation != Federation::Open && !policy.site.domains.is_empty()
}

/// What has been told already.
#[derive(Debug, Default)]
struct Told {
    keys: HashSet<String>,
}

impl Told {
    fn tell(
        &mut self,
        kind: Kind,
        seen: &Seen<'_>,
        (party, peer, rule): (&str, Option<&str>, &str),
        out: &mut Vec<Finding>,
    ) {
        if self.keys.len() >= MAX_TOLD {
            self.keys.clear();
        }
        if self.keys.insert(key(kind, party, peer.unwrap_or(""), rule)) {
            let finding = Finding::new(kind, "xmpp", seen, title(kind, party, peer, rule));
            out.push(finding.with("jid", party).with_some("peer", peer).with("rule", rule));
        }
    }
}

/// Findings of equal keys say the same: kind, bare JIDs and rule agree. `None` for findings of other families.
pub fn join_key(finding: &Finding) -> Option<String> {
    if !matches!(finding.kind, Kind::JidDenied | Kind::JidExternalContact) {
        return None;
    }
    let text = |wanted: &str| {
        finding.evidence.iter().find_map(|(key, value)| match value {
            Evidence::Text(text) if *key == wanted => Some(text.as_str()),
            _ => None,
        })
    };
    Some(key(finding.kind, text("jid")?, text("peer").unwrap_or(""), text("rule")?))
}

fn key(kind: Kind, party: &str, peer: &str, rule: &str) -> String {
    // No JID and no rule of a TOML file in one line holds the separator.
    format!("{}\n{}\n{}\n{rule}", kind.name(), jid::bare(party), jid::bare(peer))
}

fn title(kind: Kind, party: &str, peer: Option<&str>, rule: &str) -> String {
    let party = in_title(jid::bare(party));
    let with = peer.map(|peer| format!(" with {}", in_title(jid::bare(peer)))).unwrap_or_default();
    match (kind, rule) {
        (Kind::JidExternalContact, _) => format!("{party}, kept inside, is in contact{with}"),
        (_, FEDERATION_RULE) => format!("{party} is in contact{with}, though its domain is not allowed"),
        _ => format!("{party}, denied by {}, takes part{with}", in_title(rule)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::detect::scene::{dialback, flow, login, record, settings, stamp};
    use crate::evidence::Direction;
    use crate::protocol::xmpp::{Disclosure, Leg, Outcome, StanzaKind};

    const LAB: &str = "
        [site]
        domains = ['alpha.test']
        [xmpp]
        denied_jids = ['*@spam.example', 'evil@alpha.test']
        internal_only = ['oscar@alpha.test']
    ";

    fn watch(policy: &str) -> Contacts {
        Contacts::new(&settings(Some(policy))).unwrap()
    }

    fn told(watch: &mut Contacts, from: Option<&str>, to: Option<&str>, stanza_type: Option<&str>) -> Vec<Finding> {
        let flow = flow("10.0.0.7:4000", "10.0.0.1:5222");
        let seen = Seen { flow: &flow, direction: Direction::FromOrig, first: stamp(1), last: stamp(1) };
        let (id, body) = (None, None);
        let kind = StanzaKind::Message;
        let stanza = Stanza {
            kind,
            from,
            to,
            stanza_type,
            id,
            body,
            children: "",
            bytes: 100,
            meaning: Default::default(),
            leg: Leg::Sent,
            oob: None,
        };
        let mut out = Vec::new();
        watch.on_stanza(&seen, &stanza, &mut out);
        out
    }

    fn text<'f>(finding: &'f Finding, wanted: &str) -> &'f str {
        let value = finding.evidence.iter().find(|(key, _)| *key == wanted);
        match value {
            Some((_, Evidence::Text(text))) => text,
            _ => "",
        }
    }

    /// Kind, jid, peer and rule of the findings of one stanza.
    fn judged(policy: &str, from: &str, to: &str) -> Vec<[String; 4]> {
        let findings = told(&mut watch(policy), Some(from), Some(to), None);
        let row = |finding: &Finding| {
            [finding.kind.name(), text(finding, "jid"), text(finding, "peer"), text(finding, "rule")].map(str::to_owned)
        };
        findings.iter().map(row).collect()
    }

    #[test]
    fn an_inside_jid_talks_outside_in_either_direction() {
        let external =
            |peer: &str| ["jid.external-contact", "oscar@alpha.test/ej", peer, "oscar@alpha.test"].map(str::to_owned);
        assert_eq!(judged(LAB, "oscar@alpha.test/ej", "pia@beta.test"), [external("pia@beta.test")]);
        assert_eq!(judged(LAB, "pia@beta.test/x", "oscar@alpha.test/ej"), [external("pia@beta.test/x")]);
        assert_eq!(judged(LAB, "oscar@alpha.test/ej", "beta.test"), [external("beta.test")]);
    }

    #[test]
    fn own_domains_and_names_below_them_are_inside() {
        for peer in ["pia@alpha.test", "room@conference.alpha.test/nick", "alpha.test"] {
            assert_eq!(judged(LAB, "oscar@alpha.test/ej", peer), Vec::<[String; 4]>::new(), "{peer}");
        }
        assert_eq!(judged(LAB, "pia@alpha.test", "quinn@beta.test"), Vec::<[String; 4]>::new(), "others may");
        let homeless = "[xmpp]\ninternal_only = ['oscar@alpha.test']";
        assert_eq!(judged(homeless, "oscar@alpha.test", "room@conference.alpha.test").len(), 0);
        assert_eq!(judged(homeless, "oscar@alpha.test", "pia@beta.test").len(), 1);
    }

    #[test]
    fn denied_jids_are_told_with_their_pattern() {
        let found = judged(LAB, "bot@spam.example/1", "pia@alpha.test");
        assert_eq!(
            found,
            [["jid.denied", "bot@spam.example/1", "pia@alpha.test", "*@spam.example"].map(str::to_owned)]
        );
        let found = judged(LAB, "pia@alpha.test", "evil@alpha.test");
        assert_eq!(found, [["jid.denied", "evil@alpha.test", "pia@alpha.test", "evil@alpha.test"].map(str::to_owned)]);
        let found = told(&mut watch(LAB), Some("evil@alpha.test/r"), None, None);
        assert_eq!(found[0].title, "evil@alpha.test, denied by evil@alpha.test, takes part");
    }

    #[test]
    fn bounces_are_nobodys() {
        let mut watch = watch(LAB);
        assert_eq!(told(&mut watch, Some("x@unreachable.test"), Some("oscar@alpha.test/ej"), Some("error")), []);
        assert_eq!(told(&mut watch, Some("x@unreachable.test"), Some("oscar@alpha.test/ej"), Some("chat")).len(), 1);
    }

    #[test]
    fn a_pair_is_told_once_whatever_its_resources() {
        let mut watch = watch(LAB);
        let first = told(&mut watch, Some("oscar@alpha.test/ej"), Some("pia@beta.test"), None);
        assert_eq!(told(&mut watch, Some("pia@beta.test/pr"), Some("oscar@alpha.test"), None), []);
        assert_eq!(told(&mut watch, Some("oscar@alpha.test/ej"), Some("quinn@beta.test"), None).len(), 1);
        let mut other_shard = self::watch(LAB);
        let again = told(&mut other_shard, Some("pia@beta.test/pr"), Some("oscar@alpha.test"), None);
        assert_eq!(join_key(&first[0]), join_key(&again[0]));
        assert!(join_key(&first[0]).is_some());
    }

    #[test]
    fn federation_is_with_whom_the_list_names() {
        let listed = "
            [site]
            domains = ['alpha.test']
            [xmpp]
            federation = 'allowlist'
            allowed_domains = ['beta.test']
        ";
        assert_eq!(judged(listed, "pia@alpha.test", "room@conference.beta.test"), Vec::<[String; 4]>::new());
        assert_eq!(judged(listed, "pia@gamma.test", "quinn@delta.test"), Vec::<[String; 4]>::new(), "not ours");
        let found = judged(listed, "pia@alpha.test/r", "quinn@gamma.test");
        assert_eq!(found, [["jid.denied", "quinn@gamma.test", "pia@alpha.test/r", "federation"].map(str::to_owned)]);
        let closed = listed.replace("allowlist", "closed");
        assert_eq!(judged(&closed, "pia@alpha.test", "quinn@beta.test").len(), 1);
    }

    #[test]
    fn a_policy_without_a_word_on_jids_needs_no_watch() {
        assert!(Contacts::new(&settings(None)).is_none());
        assert!(Contacts::new(&settings(Some("[xmpp]\nfederation = 'closed'"))).is_none());
        assert!(Contacts::new(&settings(Some(LAB))).is_some());
    }

    #[test]
    fn logins_and_servers_take_part_without_a_stanza() {
        let policy = LAB.to_owned() + "federation = 'closed'";
        let mut parties = Parties::new(&settings(Some(&policy)));
        let mut out = Vec::new();
        let mut event = login("evil", Disclosure::Guessable, Outcome::Failure);
        event.jid = Some("EVIL@alpha.test".to_owned());
        let login = record("10.0.0.7:4000", "10.0.0.1:5222", 1, XmppEvent::Login(event));
        parties.on_record(&login, &mut out);
        parties.on_record(&login, &mut out);
        assert_eq!(out.len(), 1);
        assert_eq!((text(&out[0], "jid"), text(&out[0], "rule")), ("evil@alpha.test", "evil@alpha.test"));
        let shown = XmppEvent::Federation(Box::new(dialback("alpha.test", "beta.test", Some("k"), None)));
        parties.on_record(&record("10.0.0.1:4000", "192.0.2.1:5269", 2, shown), &mut out);
        assert_eq!(
            (text(&out[1], "jid"), text(&out[1], "peer"), text(&out[1], "rule")),
            ("beta.test", "alpha.test", "federation")
        );
    }
}
