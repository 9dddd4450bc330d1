//! Files over HTTP: uploads to slots and what is got from there (XEP-0363), links that were followed (XEP-0066 and
//! others), and files that no stanza tells of.
//!
//! Exchanges are held until the capture ends: who sits at an address is known only when its stream has ended. A link
//! and an exchange belong together if authority and path agree, or a path that cannot be guessed: names and schemes
//! change where a proxy stands before the server.

use super::address::{Address, file_name_of};
use super::moved::Moved;
use super::parties::Parties;
use super::ranges;
use crate::evidence::{Sighting, Stamp};
use crate::protocol::content::{FileContent, exposure};
use crate::protocol::http::{FilePart, HttpExchange, HttpMessage};
use crate::protocol::xmpp::{FileLink, UploadSlot};
use std::collections::{HashMap, VecDeque};

/// Exchanges held for what tells of them.
const MAX_HELD: usize = 65_536;
/// Slots and links remembered.
const MAX_TOLD: usize = 131_072;
/// Slots and links of one path that are compared.
const MAX_OF_ONE_PATH: usize = 64;
/// Parts of files held to be joined, and bytes of them.
const MAX_PARTS: usize = 1024;
const MAX_PART_BYTES: usize = 128 << 20;
/// A path as long as this is told by itself: a slot's has some forty characters by chance.
const UNGUESSABLE: usize = 40;

/// Exchanges, and what stanzas tell of addresses.
#[derive(Debug, Default)]
pub(super) struct Web {
    held: VecDeque<Exchange>,
    by_path: HashMap<String, Vec<Told>>,
    told: usize,
    parts: usize,
    part_bytes: usize,
}

/// An exchange that may have carried a file.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) at: Sighting,
    put: bool,
    pub(super) address: Address,
    status: Option<u16>,
    pub(super) content: FileContent,
    pub(super) complete: bool,
    /// What joins it with others.
    pub(super) part: Option<Box<FilePart>>,
    /// Where others that it was joined with were seen.
    pub(super) further: Vec<Stamp>,
    /// Name in Content-Disposition.
    name: Option<String>,
    is_attachment: bool,
    /// Media type as told.
    media_type: Option<String>,
    /// The bytes are a coding of the file: their kind is not the file's.
    is_encoded: bool,
    start_ns: i64,
    pub(super) end_ns: i64,
}

/// What a stanza tells of an address.
#[derive(Debug)]
struct Told {
    authority: String,
    at: Sighting,
    what: What,
}

#[derive(Debug)]
enum What {
    Put(UploadSlot),
    Get(UploadSlot),
    Link(FileLink),
}

impl Web {
    /// Takes a slot.
    pub(super) fn slot(&mut self, slot: &UploadSlot, at: &Sighting) {
        self.tell(&slot.put, What::Put(slot.clone()), at);
        self.tell(&slot.get, What::Get(slot.clone()), at);
    }

    /// Takes a link.
    pub(super) fn link(&mut self, link: &FileLink, at: &Sighting) {
        self.tell(&link.url, What::Link(link.clone()), at);
    }

    fn tell(&mut self, url: &str, what: What, at: &Sighting) {
        let Some(address) = Address::of_url(url).filter(|_| self.told < MAX_TOLD) else { return };
        let told = self.by_path.entry(address.path).or_default();
        if told.len() < MAX_OF_ONE_PATH {
            self.told += 1;
            told.push(Told { authority: address.authority, at: at.clone(), what });
        }
    }

    /// Takes an exchange; gives back the oldest if too many are held.
    pub(super) fn add(&mut self, told: &HttpExchange, at: &Sighting, parties: &Parties) -> Option<Moved> {
        let mut exchange = Exchange::of(told, at)?;
        match exchange.part.as_deref() {
            Some(part) if self.parts < MAX_PARTS && self.part_bytes < MAX_PART_BYTES => {
                self.parts += 1;
                self.part_bytes += part.bytes();
            }
            _ => exchange.part = None,
        }
        self.held.push_back(exchange);
        if self.held.len() <= MAX_HELD {
            return None;
        }
        self.held.pop_front().and_then(|oldest| self.moved(&oldest, parties))
    }

    /// Everything that moved, in the order in which it was seen.
    pub(super) fn drain(&mut self, parties: &Parties) -> Vec<Moved> {
        let mut held = Vec::from(std::mem::take(&mut self.held));
        ranges::join(&mut held);
        held.iter().filter_map(|exchange| self.moved(exchange, parties)).collect()
    }

    fn moved(&self, exchange: &Exchange, parties: &Parties) -> Option<Moved> {
        let told = self.told_of(exchange);
        let mut moved = match told.map(|told| &told.what) {
            Some(What::Put(slot)) => {
                let mut moved = exchange.moved("http-upload");
                moved.from = slot.requester.clone().or_else(|| exchange.client(parties, &[]));
                moved.describe(slot.name.as_deref(), slot.size);
                moved
            }
            Some(What::Get(slot)) => {
                let mut moved = exchange.moved("http-upload");
                let receivers = self.receivers(exchange);
                moved.from.clone_from(&slot.requester);
                moved.to = exchange.client(parties, &receivers);
                moved.describe(slot.name.as_deref(), slot.size);
                moved
            }
            Some(What::Link(link)) if link.via != "body" || !exchange.is_page() => {
                let mut moved = exchange.moved("oob");
                moved.from.clone_from(&link.from);
                moved.to = exchange.client(parties, &[link.to.as_deref(), link.from.as_deref()]).or(link.to.clone());
                moved.describe(link.name.as_deref(), link.size);
                moved
            }
            _ if exchange.is_file() => {
                let mut moved = exchange.moved("http");
                let client = exchange.client(parties, &[]);
                if exchange.put {
                    moved.from = client
                } else {
                    moved.to = client
                }
                moved
            }
            _ => return None,
        };
        moved.frames.extend(told.map(|told| told.at.first));
        if moved.name.is_none() {
            moved.name = exchange.name.clone().or_else(|| exchange.address.file_name());
        }
        moved.complete &= moved.offered_size.is_none_or(|size| moved.content.bytes >= size);
        Some(moved)
    }

    /// What is told of the address of an exchange: a slot before a link, the authority's own before another's, the
    /// latest before the exchange.
    fn told_of(&self, exchange: &Exchange) -> Option<&Told> {
        let fits = |told: &&Told| {
            let same = told.authority == exchange.address.authority || exchange.address.path.len() >= UNGUESSABLE;
            same && match told.what {
                What::Put(_) => exchange.put,
                What::Get(_) | What::Link(_) => !exchange.put,
            }
        };
        let rank = |told: &&Told| {
            let is_before = told.at.last.time_ns <= exchange.at.last.time_ns;
            let is_same = told.authority == exchange.address.authority;
            (!matches!(told.what, What::Link(_)), is_same, is_before, is_before.then_some(told.at.last.time_ns))
        };
        self.by_path.get(&exchange.address.path)?.iter().filter(fits).max_by_key(rank)
    }

    /// To whom links to the address of an exchange were sent.
    fn receivers(&self, exchange: &Exchange) -> Vec<Option<&str>> {
        let all = self.by_path.get(&exchange.address.path).into_iter().flatten();
        let links = all.filter_map(|told| match &told.what {
            What::Link(link) => Some(link.to.as_deref()),
            _ => None,
        });
        links.collect()
    }
}

impl Moved {
    fn describe(&mut self, name: Option<&str>, size: Option<u64>) {
        self.name = name.map(str::to_owned);
        self.offered_size = size;
    }
}

impl Exchange {
    /// An exchange that carried something up by PUT, or down by GET.
    fn of(told: &HttpExchange, at: &Sighting) -> Option<Self> {
        let accepted = told.status.is_none_or(|status| (200..300).contains(&status));
        let (put, message) = match told.method.as_str() {
            "PUT" => (true, &told.request),
            "GET" if accepted => (false, told.response.as_ref()?),
            _ => return None,
        };
        let empty_is_file = put || told.status == Some(200);
        if message.content.bytes == 0 && !(empty_is_file && message.complete) {
            return None;
        }
        let host = told.request.header("host").unwrap_or_default();
        let disposition = message.header("content-disposition");
        Some(Self {
            at: at.clone(),
            put,
            address: Address::of_target(&told.target, host, at.flow.within.tls.is_some()),
            status: told.status,
            content: message.content.clone(),
            // A part of a file is not the file.
            complete: message.complete
                && accepted
                && (told.status != Some(206) || message.range() == Some((0, Some(message.body_bytes)))),
            part: message.part.clone().filter(|_| !put),
            further: Vec::new(),
            name: disposition.and_then(file_name_of),
            is_attachment: disposition.is_some_and(|value| value.trim_start().to_lowercase().starts_with("attachment")),
            media_type: media_type(message),
            is_encoded: message.content.sha256 == message.body_sha256
                && message.header("content-encoding").is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")),
            start_ns: message.frames.0.time_ns,
            end_ns: message.frames.1.time_ns,
        })
    }

    fn moved(&self, method: &'static str) -> Moved {
        let mut moved = Moved::new(method, "http", &self.at, self.content.clone());
        moved.complete = self.complete;
        (moved.start_ns, moved.end_ns) = (self.start_ns, self.end_ns);
        let client = Some(self.at.sender());
        moved.addresses = if self.put { (client, None) } else { (None, client) };
        moved.frames.extend(&self.further);
        if !self.further.is_empty() {
            moved.more.push(("parts", (self.further.len() as u64 + 1).into()));
        }
        moved.more.push(("request", if self.put { "PUT" } else { "GET" }.into()));
        // A query may hold secrets, and tells nothing of the file.
        let path = self.address.path.split('?').next().unwrap_or_default();
        moved.more.push(("url", format!("{}{path}", self.address.authority).into()));
        if let Some(status) = self.status.filter(|status| !(200..300).contains(status)) {
            moved.more.push(("status", u64::from(status).into()));
        }
        moved
    }

    /// Who asked.
    fn client(&self, parties: &Parties, expected: &[Option<&str>]) -> Option<String> {
        parties.at(self.at.sender(), self.at.first, expected).map(str::to_owned)
    }

    /// A page and what it is made of, or an answer of a program.
    fn is_page(&self) -> bool {
        const PAGES: &[&str] =
            &["text/html", "text/css", "javascript", "json", "xml", "x-www-form-urlencoded", "font", "x-icon"];
        let told = self.media_type.as_deref().unwrap_or_default();
        let found = self.content.media_type.unwrap_or_default();
        PAGES.iter().any(|page| told.contains(page)) || found == "text/html"
    }

    /// Without a stanza that tells of it: sent up whole, or sent down as a file, or no page by its content.
    fn is_file(&self) -> bool {
        if self.content.bytes == 0 {
            return false;
        }
        if self.put {
            return self.status.is_some_and(|status| (200..300).contains(&status)) && !self.is_page();
        }
        let has_query = self.address.path.contains('?');
        let name = self.name.clone().or_else(|| self.address.file_name());
        let by_name = name.as_deref().and_then(exposure::by_name).is_some();
        let exposes = !has_query && (by_name || !self.content.exposures.is_empty());
        let is_document = !self.is_encoded && self.content.media_type.is_some_and(is_document);
        self.is_attachment || (!self.is_page() && (exposes || is_document))
    }
}

/// Archives, programs, documents, sound and film: what nobody puts on a page to look at.
fn is_document(media_type: &str) -> bool {
    let (class, kind) = media_type.split_once('/').unwrap_or_default();
    match class {
        "audio" | "video" => true,
        "application" => !["octet-stream", "font", "wasm", "x509"].iter().any(|part| kind.contains(part)),
        _ => false,
    }
}

fn media_type(message: &HttpMessage) -> Option<String> {
    let value = message.header("content-type")?;
    Some(value.split(';').next().unwrap_or(value).trim().to_ascii_lowercase())
}
