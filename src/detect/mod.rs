//! Events and policy in, findings out: one file a family of findings.
//!
//! Stanzas are judged inside the shards by [`StanzaWatch`], for there are millions of them; everything else goes to
//! [`Detector`]s in time order, after the shards, so that what spans conversations can be joined.

pub mod admin;
pub mod bruteforce;
pub mod cookie;
pub mod credential;
pub mod defect;
pub mod dns;
pub mod epmd;
pub mod erlang;
pub mod federation;
pub mod filter;
pub mod finding;
pub mod flood;
pub mod jid;
pub mod kinds;
pub mod link;
pub mod oversized;
#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod scene;
pub mod spim;
pub mod starttls;
mod title;
pub mod tls;
pub mod transfer;
pub mod xmpp_stream;

pub use finding::{Evidence, Finding};
pub use kinds::{Kind, Layer, Severity};

use crate::evidence::Stamp;
use crate::policy::Policy;
use crate::protocol::Record;
use std::sync::Arc;

/// What detectors are told before the first event.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What the site allows; `None` where no policy was given: then only what is wrong anywhere is found.
    pub policy: Option<Arc<Policy>>,
    /// Words to try as Erlang cookies beside the built-in ones (`--cookie-list`).
    pub cookie_words: Arc<cookie::WordList>,
    /// The site's own Erlang cookies (`--known-cookie`): who proves one from outside the cluster has stolen it.
    pub known_cookies: Arc<[String]>,
    /// Which remote calls run commands or code (`--erlang-classes` beside the built-in table).
    pub erlang_classes: Arc<erlang::CallClasses>,
    /// Length up to which a term or text is quoted in evidence, in characters.
    pub quote_chars: usize,
}

/// Judges events. One instance sees all events of a case, in time order.
pub trait Detector: Send {
    /// The next event.
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>);
    /// No more events will come: report what only the end can tell.
    fn finish(&mut self, out: &mut Vec<Finding>);
    /// What was left undone by a limit: its name, how often, and where first. Asked for at the end.
    fn left_out(&self) -> Vec<(&'static str, u64, Stamp)> {
        Vec::new()
    }
}

/// Every detector, in a fixed order.
pub fn detectors(settings: &Settings) -> Vec<Box<dyn Detector>> {
    vec![
        Box::new(epmd::Epmd::new(settings)),
        Box::new(erlang::Connections::new(settings)),
        Box::new(erlang::Calls::new(settings)),
        Box::new(erlang::Administration),
        Box::new(cookie::CookieDetector::new(settings)),
        Box::new(dns::UnapprovedResolver::new(settings)),
        Box::new(credential::Credentials::default()),
        Box::new(bruteforce::Bruteforce::new(settings)),
        Box::new(xmpp_stream::CleartextStreams),
        Box::new(jid::Parties::new(settings)),
        Box::new(federation::DialbackOnly::default()),
        Box::new(admin::AdminCommands::default()),
        Box::new(transfer::Transfers::new(settings)),
        Box::new(defect::Defects),
        Box::new(oversized::RefusedStanzas),
        Box::new(flood::Floods::new(settings)),
        Box::new(spim::Mailings::new(settings)),
        Box::new(tls::WeakTls),
        Box::new(tls::Certificates::default()),
        Box::new(starttls::StrippedStarttls::default()),
    ]
}

/// Judges stanzas inside a shard: one instance a shard, state only of the conversations that it sees.
pub trait StanzaWatch: Send {
    /// The next stanza. Findings may repeat across shards; those that say the same of the same pair are joined later.
    fn on_stanza(
        &mut self,
        seen: &crate::evidence::Seen<'_>,
        stanza: &crate::protocol::xmpp::Stanza<'_>,
        out: &mut Vec<Finding>,
    );

    /// What detectors are to judge together with what other shards saw; asked for after each batch.
    fn drain(&mut self, _records: &mut Vec<Record>) {}
}

/// Every stanza watch, in a fixed order.
pub fn stanza_watches(settings: &Settings) -> Vec<Box<dyn StanzaWatch>> {
    let mut watches: Vec<Box<dyn StanzaWatch>> = vec![
        Box::new(cookie::CookieInStanza::default()),
        Box::new(oversized::OversizedStanzas::new(settings)),
        Box::new(flood::FloodWatch::new(settings)),
        Box::new(spim::SpimWatch::new(settings)),
        Box::new(link::MaliciousLinks::new(settings)),
    ];
    if let Some(contacts) = jid::Contacts::new(settings) {
        watches.push(Box::new(contacts));
    }
    watches
}

/// What tells findings of watches that say the same of the same pair; of those with equal keys the earliest counts.
/// `None` for findings that stand for themselves.
pub fn join_key(finding: &Finding) -> Option<String> {
    jid::join_key(finding).or_else(|| oversized::join_key(finding)).or_else(|| link::join_key(finding))
}
