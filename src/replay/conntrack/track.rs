//! The way of a packet through the tracker: `nf_conntrack_in`, `__nf_conntrack_confirm`.

use super::errors::{Icmp, related};
use super::nat::Sources;
use super::settings::{Checksums, Settings};
use super::table::{Entry, Table};
use super::tuple::{Transport, protocol};
use super::{Conn, ConnId, CtInfo, Proto, Seen, Step, TcpState, Tuple, datagrams, sctp, status, tcp};
use crate::replay::skb::Skb;
use crate::replay::world::Connections;
use std::collections::HashMap;
use std::net::IpAddr;

/// A packet that reopens a connection finds no entry the second time; more rounds would be an error of ours.
const MAX_ROUNDS: usize = 3;

/// The connection tracker.
#[derive(Debug, Default)]
pub struct Conntrack {
    pub(super) settings: Settings,
    pub(super) table: Table,
    pub(super) sources: Sources,
    pub(super) counts: Counts,
    templates: HashMap<Zone, ConnId>,
    zones: HashMap<ConnId, Zone>,
}

/// Whether a packet may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Accept,
    /// It is dropped.
    Drop,
}

/// A zone: tuples of different zones are different. Without a direction it holds for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Zone {
    /// Its number; 0 is no zone.
    pub id: u16,
    /// `--zone-orig`, `ct original zone set`: only tuples of the original direction are in it.
    pub original_only: bool,
    /// `--zone-reply`, `ct reply zone set`: only tuples of the reply direction are in it.
    pub reply_only: bool,
}

impl Zone {
    fn of_tuples(self, reply: bool) -> u16 {
        let other_only = if reply { self.original_only } else { self.reply_only };
        if other_only { 0 } else { self.id }
    }
}

/// What became of packets (`conntrack -S`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that belong to no connection.
    pub invalid: u64,
    /// Entries given up for others because the table was full.
    pub early_dropped: u64,
    /// Packets dropped because the table was full of entries that must stay.
    pub refused: u64,
    /// Packets dropped because another connection had taken their tuple.
    pub clashed: u64,
}

impl Conntrack {
    /// An empty table.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// What became of packets.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Entries: confirmed or on their way; some of them may have expired.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// No entries at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// At PREROUTING, priority -200: finds or makes the packet's connection and sets its part in it.
    pub fn track(&mut self, skb: &mut Skb<'_>) -> Verdict {
        self.track_at(skb, true)
    }

    /// At OUTPUT, priority -200: as [`Conntrack::track`]; checksums of the host's own packets are not verified.
    pub fn track_output(&mut self, skb: &mut Skb<'_>) -> Verdict {
        self.track_at(skb, false)
    }

    fn track_at(&mut self, skb: &mut Skb<'_>, arriving: bool) -> Verdict {
        let Some(zone) = self.zone_of(skb) else { return Verdict::Accept };
        skb.ct = None;
        skb.ct_info = CtInfo::None;
        let v6 = skb.is_v6();
        let found = Transport::of(&skb.bytes, skb.len as usize, v6);
        let tuple = found.and_then(|transport| Some((transport, Tuple::of(&skb.bytes, transport, v6)?)));
        let Some((transport, tuple)) = tuple else { return self.invalid() };
        let mut seen = Seen {
            payload: skb.bytes.get(transport.offset..).unwrap_or_default(),
            len: skb.len.saturating_sub(transport.offset as u32),
            transport: transport.offset,
            protocol: transport.protocol,
            v6,
            src: tuple.src,
            dst: tuple.dst,
            reply: false,
            arriving,
            now_ns: skb.now_ns,
        };
        let tracked = match self.icmp(&seen, skb, zone) {
            Some(tracked) => tracked,
            None => self.resolve(&mut seen, tuple, zone, skb.len),
        };
        match tracked {
            Tracked::As(id, info) => (skb.ct, skb.ct_info) = (id, info),
            Tracked::Invalid => return self.invalid(),
            Tracked::Full => return Verdict::Drop,
        }
        Verdict::Accept
    }

    /// Zone of a packet that is to be tracked; `None` if it has been, or is not to be.
    fn zone_of(&self, skb: &Skb<'_>) -> Option<Zone> {
        match (skb.ct, skb.ct_info) {
            (_, CtInfo::Untracked) => None,
            (None, _) => Some(Zone::default()),
            (Some(id), _) => self.zones.get(&id).copied(),
        }
    }

    fn invalid(&mut self) -> Verdict {
        self.counts.invalid += 1;
        Verdict::Accept
    }

    /// `nf_conntrack_handle_icmp`: `None` if the packet is to be tracked by its own tuple.
    fn icmp(&mut self, seen: &Seen<'_>, skb: &Skb<'_>, zone: Zone) -> Option<Tracked> {
        let own = if seen.v6 { protocol::ICMPV6 } else { protocol::ICMP };
        if seen.protocol != own {
            return None;
        }
        if !seen.checksum_is_right(&self.settings) {
            return Some(Tracked::Invalid);
        }
        match Icmp::of(seen, &skb.bytes, skb.len as usize) {
            Icmp::Message => None,
            Icmp::Untracked => Some(Tracked::As(None, CtInfo::Untracked)),
            Icmp::Invalid => Some(Tracked::Invalid),
            Icmp::Error(answers) => Some(self.error(seen, answers, zone)),
        }
    }

    /// The error must go where the quoted packet came from: else anybody could make RELATED packets to anywhere.
    fn error(&mut self, seen: &Seen<'_>, answers: Tuple, zone: Zone) -> Tracked {
        let Some((id, reply)) = self.find(&answers, zone, seen.now_ns) else { return Tracked::Invalid };
        if answers.dst == seen.dst { Tracked::As(Some(id), related(reply)) } else { Tracked::Invalid }
    }

    /// `resolve_normal_ct` and the protocol's word on it.
    fn resolve(&mut self, seen: &mut Seen<'_>, tuple: Tuple, zone: Zone, bytes: u32) -> Tracked {
        for _ in 0..MAX_ROUNDS {
            let (id, reply) = match self.find(&tuple, zone, seen.now_ns) {
                Some(found) => found,
                None => match self.begin(tuple, zone, seen.now_ns) {
                    Ok(id) => (id, false),
                    Err(tracked) => return tracked,
                },
            };
            seen.reply = reply;
            let Some(entry) = self.table.get_mut(id) else { return Tracked::Invalid };
            let info = entry.part(reply);
            match entry.take(seen, &self.settings, bytes) {
                Step::Invalid => {
                    self.table.forget(id);
                    return Tracked::Invalid;
                }
                Step::Reopen => {
                    self.table.remove(id);
                    continue;
                }
                Step::Die => self.table.kill(id),
                Step::Keep | Step::Refresh(_) => {}
            }
            if let Some(entry) = self.table.get_mut(id)
                && info == CtInfo::EstablishedReply
            {
                entry.conn.status |= status::SEEN_REPLY;
            }
            return Tracked::As(Some(id), info);
        }
        Tracked::Invalid
    }

    /// Entry of a tuple in a zone.
    fn find(&mut self, tuple: &Tuple, zone: Zone, now_ns: i64) -> Option<(ConnId, bool)> {
        let in_direction = |table: &mut Table, reply: bool| {
            let found = table.find(&tuple.in_zone(zone.of_tuples(reply)), now_ns)?;
            (zone.of_tuples(found.1) == zone.of_tuples(reply)).then_some(found)
        };
        let found = in_direction(&mut self.table, false);
        if found.is_none() && zone.of_tuples(true) != zone.of_tuples(false) {
            return in_direction(&mut self.table, true);
        }
        found
    }

    fn begin(&mut self, tuple: Tuple, zone: Zone, now_ns: i64) -> Result<ConnId, Tracked> {
        let answers = tuple.inverted().ok_or(Tracked::Invalid)?;
        let tuples = [tuple.in_zone(zone.of_tuples(false)), answers.in_zone(zone.of_tuples(true))];
        self.table.make(tuples, now_ns, &self.settings, &mut self.counts).ok_or(Tracked::Full)
    }

    /// At the end of INPUT and POSTROUTING: a new connection enters the table with its first packet. Dropped if another
    /// packet on its way took its tuple meanwhile.
    pub fn confirm(&mut self, skb: &mut Skb<'_>) -> Verdict {
        let Some(id) = skb.ct else { return Verdict::Accept };
        let Some(entry) = self.table.get(id) else { return Verdict::Accept };
        let settled = status::CONFIRMED | status::DYING | status::TEMPLATE;
        if entry.conn.status & settled != 0 || skb.ct_info.is_reply() {
            return Verdict::Accept;
        }
        if self.table.confirm(id, skb.now_ns) {
            self.remember_source(id);
            return Verdict::Accept;
        }
        self.counts.clashed += 1;
        self.forget(skb);
        Verdict::Drop
    }

    /// When a packet is dropped: a connection that it would have begun never was.
    pub fn forget(&mut self, skb: &mut Skb<'_>) {
        if let Some(id) = skb.ct.take() {
            self.table.forget(id);
        }
        skb.ct_info = CtInfo::None;
    }

    /// What a rule attaches to a packet before tracking to have it tracked in a zone (`-j CT --zone`, `ct zone set`): the
    /// packet's `ct` becomes this and its `ct_info` [`CtInfo::New`].
    pub fn template(&mut self, zone: Zone) -> ConnId {
        if let Some(known) = self.templates.get(&zone) {
            return *known;
        }
        let nowhere = IpAddr::from([0; 4]);
        let tuple = Tuple { src: nowhere, dst: nowhere, protocol: 0, src_port: 0, dst_port: 0, zone: zone.id };
        let id = self.table.make_template(tuple);
        self.templates.insert(zone, id);
        self.zones.insert(id, zone);
        id
    }

    /// A packet made in answer to another, as REJECT does, belongs to its connection (`nf_conntrack_attach`).
    pub fn attach(&self, answer: &mut Skb<'_>, cause: &Skb<'_>) {
        answer.ct = cause.ct;
        answer.ct_info = match (cause.ct, cause.ct_info.is_reply()) {
            (None, _) => cause.ct_info,
            (Some(_), true) => CtInfo::Related,
            (Some(_), false) => CtInfo::RelatedReply,
        };
    }

    /// Whether checksums are verified.
    pub fn checksums(&self) -> Checksums {
        self.settings.checksums
    }

    /// After a TCP reset that REJECT made: the connection closes (`nf_conntrack_tcp_set_closing`).
    pub fn set_closing(&mut self, id: ConnId, now_ns: i64) {
        let timeout = self.settings.timeouts.tcp.of(TcpState::Close);
        let Some(Entry { conn, proto: Proto::Tcp(connection) }) = self.table.get_mut(id) else { return };
        if conn.status & status::CONFIRMED == 0 {
            return;
        }
        let was = std::mem::replace(&mut connection.state, TcpState::Close);
        if was != TcpState::Close && conn.status & status::FIXED_TIMEOUT == 0 {
            conn.expires_ns = now_ns.saturating_add(timeout);
        }
    }
}

/// What a packet turned out to be.
enum Tracked {
    As(Option<ConnId>, CtInfo),
    Invalid,
    /// There is no room for its connection.
    Full,
}

impl Entry {
    /// A packet's part in the connection.
    fn part(&self, reply: bool) -> CtInfo {
        if reply {
            CtInfo::EstablishedReply
        } else if self.conn.status & status::SEEN_REPLY != 0 {
            CtInfo::Established
        } else if self.conn.status & status::EXPECTED != 0 {
            CtInfo::Related
        } else {
            CtInfo::New
        }
    }

    /// `nf_conntrack_handle_packet`, and `nf_ct_refresh_acct` of what it says.
    fn take(&mut self, seen: &Seen<'_>, settings: &Settings, bytes: u32) -> Step {
        let Self { conn, proto } = self;
        if conn.status & status::CONFIRMED == 0 {
            *proto = Proto::of(seen.protocol);
        }
        let step = match (proto, seen.protocol) {
            (Proto::Tcp(connection), _) => tcp::packet(conn, connection, seen, settings),
            (Proto::Udp(udp), _) => datagrams::udp(conn, udp, seen, settings),
            (Proto::Sctp(association), _) => sctp::packet(conn, association, seen, settings),
            (Proto::Plain, protocol::ICMP) => datagrams::icmp(conn, seen, settings),
            (Proto::Plain, protocol::ICMPV6) => datagrams::icmpv6(conn, seen, settings),
            (Proto::Plain, protocol::UDPLITE) => datagrams::udplite(conn, seen, settings),
            (Proto::Plain, protocol::GRE) => datagrams::gre(conn, settings),
            (Proto::Plain, _) => Step::Refresh(settings.timeouts.generic),
        };
        if let Step::Refresh(timeout) = step
            && conn.status & status::FIXED_TIMEOUT == 0
        {
            let from = if conn.status & status::CONFIRMED != 0 { seen.now_ns } else { 0 };
            conn.expires_ns = from.saturating_add(timeout);
        }
        if matches!(step, Step::Refresh(_) | Step::Die) {
            let [original, answering] = &mut conn.counters;
            let (packets, sum) = if seen.reply { answering } else { original };
            *packets += 1;
            *sum += u64::from(bytes);
        }
        step
    }
}

impl Proto {
    fn of(protocol: u8) -> Self {
        match protocol {
            protocol::TCP => Self::Tcp(tcp::Connection::default()),
            protocol::UDP => Self::Udp(datagrams::Udp::default()),
            protocol::SCTP => Self::Sctp(sctp::Association::default()),
            _ => Self::Plain,
        }
    }
}

impl Connections for Conntrack {
    fn get(&self, id: ConnId) -> Option<&Conn> {
        self.table.get(id).map(|entry| &entry.conn)
    }

    fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.table.get_mut(id).map(|entry| &mut entry.conn)
    }

    fn lookup(&self, tuple: &Tuple, now_ns: i64) -> Option<&Conn> {
        self.table.peek(tuple, now_ns).map(|(entry, _)| &entry.conn)
    }

    fn tcp_state(&self, id: ConnId) -> Option<TcpState> {
        match &self.table.get(id)?.proto {
            Proto::Tcp(connection) => Some(connection.state),
            _ => None,
        }
    }

    fn template(&mut self, zone: Zone) -> Option<ConnId> {
        Some(Self::template(self, zone))
    }
}
