//! Files that moved, by whatever way: one finding a file and use, however many connections it crossed.
//!
//! Decoders report what single connections show: bytestreams, uploads, stanzas with files, and what stanzas say of
//! them. Here these are joined: [`ibb`] and [`socks5`] with [`offers`], [`web`] with slots and links, and all of them
//! with who sits at an address ([`parties`]). What comes out of each is a [`moved`] file, and the findings that it is.

mod address;
mod ibb;
mod inline;
mod moved;
mod offers;
mod parties;
mod peers;
mod ranges;
mod resumed;
mod socks5;
#[cfg(test)]
mod tests;
mod web;

use super::{Detector, Finding, Settings};
use crate::policy::{Policy, Transfers as TransferPolicy};
use crate::protocol::http::HttpEvent;
use crate::protocol::socks5::SocksEvent;
use crate::protocol::xmpp::{SharingEvent, XmppEvent};
use crate::protocol::{Event, Record};
use std::sync::Arc;

/// `transfer.file`, `transfer.denied`, `transfer.peer-to-peer`, `sensitive-file.exposed`.
#[derive(Debug, Default)]
pub struct Transfers {
    policy: Option<Arc<Policy>>,
    offers: offers::Offers,
    parties: parties::Parties,
    in_band: ibb::Legs,
    bytestreams: socks5::Bytestreams,
    web: web::Web,
    inline: inline::Inline,
    peers: peers::Peers,
}

impl Transfers {
    /// Judges by the policy, if there is one.
    pub fn new(settings: &Settings) -> Self {
        Self { policy: settings.policy.clone(), ..Self::default() }
    }
}

impl Detector for Transfers {
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>) {
        let at = &record.at;
        let moved = match &record.event {
            Event::Xmpp(XmppEvent::Offer(offer)) => {
                self.offers.add(offer, at);
                self.bytestreams.offer(offer, at);
                None
            }
            Event::Xmpp(XmppEvent::Stream(stream)) => {
                self.parties.add(stream);
                None
            }
            Event::Xmpp(XmppEvent::Ibb(leg)) => self.in_band.add(leg, at).map(|transfer| transfer.moved(&self.offers)),
            Event::Xmpp(XmppEvent::Sharing(told)) => match &**told {
                SharingEvent::Transport(told) => {
                    self.bytestreams.negotiate(told, at);
                    self.peers.negotiate(told, at);
                    None
                }
                SharingEvent::Slot(slot) => {
                    self.web.slot(slot, at);
                    None
                }
                SharingEvent::Link(link) => {
                    self.web.link(link, at);
                    None
                }
                SharingEvent::Inline(file) => self.inline.moved(file, at),
            },
            Event::Socks(SocksEvent::Session(session)) => {
                self.bytestreams.add(session, at);
                None
            }
            Event::Http(HttpEvent::Exchange(exchange)) => self.web.add(exchange, at, &self.parties),
            _ => None,
        };
        if let Some(moved) = moved {
            moved.findings(self.rules(), out);
        }
    }

    fn finish(&mut self, out: &mut Vec<Finding>) {
        let in_band: Vec<_> = self.in_band.drain().map(|transfer| transfer.moved(&self.offers)).collect();
        let bytestreams = self.bytestreams.drain(&self.offers, &self.parties);
        let web = self.web.drain(&self.parties);
        for moved in in_band.iter().chain(&bytestreams).chain(&web) {
            moved.findings(self.rules(), out);
        }
        self.peers.finish(&self.offers, out);
    }
}

impl Transfers {
    fn rules(&self) -> Option<&TransferPolicy> {
        self.policy.as_ref().map(|policy| &policy.transfers)
    }
}
