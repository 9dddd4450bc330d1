//! Events and policy in, findings out: one file a family of findings.
//!
//! Stanzas are judged inside the shards by [`StanzaWatch`], for there are millions of them; everything else goes to
//! [`Detector`]s in time order, after the shards, so that what spans conversations can be joined.

pub mod cookie;
pub mod dns;
pub mod epmd;
pub mod erlang;
pub mod filter;
pub mod finding;
pub mod kinds;

pub use finding::{Evidence, Finding};
pub use kinds::{Kind, Layer, Severity};

use crate::policy::Policy;
use crate::protocol::Record;
use std::sync::Arc;

/// What detectors are told before the first event.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the site allows; `None` where no policy was given: then only what is wrong anywhere is found.
    pub policy: Option<Arc<Policy>>,
    /// Words to try as Erlang cookies beside the built-in ones (`--cookie-list`).
    pub cookie_words: Arc<[String]>,
    /// Length up to which a term or text is quoted in evidence, in characters.
    pub quote_chars: usize,
}

/// Judges events. One instance sees all events of a case, in time order.
pub trait Detector: Send {
    /// The next event.
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>);
    /// No more events will come: report what only the end can tell.
    fn finish(&mut self, out: &mut Vec<Finding>);
}

/// Every detector, in a fixed order.
pub fn detectors(settings: &Settings) -> Vec<Box<dyn Detector>> {
    vec![
        Box::new(epmd::Epmd::new(settings)),
        Box::new(erlang::Connections::new(settings)),
        Box::new(erlang::Calls::new(settings)),
        Box::new(cookie::CookieDetector::new(settings)),
        Box::new(dns::UnapprovedResolver::new(settings)),
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
}

/// Every stanza watch, in a fixed order.
pub fn stanza_watches(_settings: &Settings) -> Vec<Box<dyn StanzaWatch>> {
    vec![Box::new(cookie::CookieInStanza::default())]
}

/// x
pub fn join_key(_: &Finding) -> Option<String> {
    None
}
