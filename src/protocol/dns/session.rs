//! Queries of one conversation that wait for their answers.

use super::event::{DnsEvent, DnsExchange, DnsMessage, DnsService};
use crate::evidence::{Direction, FlowInfo, Seen, Stamp};
use crate::protocol::{Chunk, Event, Sink};
use std::collections::VecDeque;
use std::sync::Arc;

/// Queries remembered per conversation. A resolver that asks from one port has a few hundred under way at most.
const MAX_ASKED: usize = 512;
/// How long a query waits for its (further) answers, in capture time. Resolvers give up within half a minute.
const PATIENCE_NS: i64 = 60_000_000_000;
/// Defective messages reported per conversation; later ones are only counted: a flood of them says no more.
const MAX_DEFECTIVE: u32 = 64;

/// A query and how often it was answered.
struct Asked {
    query: Arc<DnsMessage>,
    direction: Direction,
    stamp: Stamp,
    answers: u32,
}

/// Pairs the messages of one conversation.
pub(super) struct Session {
    asked: VecDeque<Asked>,
    defective: u32,
}

impl Session {
    pub(super) fn new() -> Self {
        Self { asked: VecDeque::new(), defective: 0 }
    }

    /// The next message of either direction. `first` is the frame where it began.
    pub(super) fn message(&mut self, chunk: &Chunk<'_>, first: Stamp, message: DnsMessage, sink: &mut dyn Sink) {
        if message.error.is_some() {
            sink.skipped("dns.unparsed", chunk.stamp);
            self.defective += 1;
            if self.defective > MAX_DEFECTIVE {
                return;
            }
        }
        self.forget_old(chunk, sink);
        if message.flags.is_response() {
            self.answer(chunk, first, message, sink);
        } else {
            self.query(chunk, first, message, sink);
        }
    }

    fn query(&mut self, chunk: &Chunk<'_>, first: Stamp, message: DnsMessage, sink: &mut dyn Sink) {
        let query = Arc::new(message);
        let service = service_asked(chunk.flow, chunk.direction);
        if service != DnsService::Unicast {
            // Groups answer from other addresses: there is nothing to wait for within the conversation.
            let exchange = DnsExchange { query: Some(query), asked: Some(chunk.stamp), ..nothing(service) };
            report(&chunk.seen_from(first), exchange, sink);
            return;
        }
        if self.asked.len() == MAX_ASKED
            && let Some(oldest) = self.asked.pop_front()
        {
            report_unanswered(chunk.flow, oldest, sink);
        }
        self.asked.push_back(Asked { query, direction: chunk.direction, stamp: chunk.stamp, answers: 0 });
    }

    fn answer(&mut self, chunk: &Chunk<'_>, first: Stamp, message: DnsMessage, sink: &mut dyn Sink) {
        let answer = Arc::new(message);
        let fits = |asked: &Asked| asked.direction != chunk.direction && is_answer(&asked.query, &answer);
        // A client that asks again gets an answer to each; a further answer belongs to the query asked last.
        let place = self
            .asked
            .iter()
            .position(|asked| asked.answers == 0 && fits(asked))
            .or_else(|| self.asked.iter().rposition(fits));
        let Some(asked) = place.and_then(|place| self.asked.get_mut(place)) else {
            let service = service_answered(chunk.flow, chunk.direction);
            let unasked = DnsExchange { answer: Some(answer), answered: Some(chunk.stamp), ..nothing(service) };
            report(&chunk.seen_from(first), unasked, sink);
            return;
        };
        let exchange = DnsExchange {
            query: Some(Arc::clone(&asked.query)),
            answer: Some(answer),
            asked: Some(asked.stamp),
            answered: Some(chunk.stamp),
            earlier_answers: asked.answers,
            service: DnsService::Unicast,
        };
        asked.answers = asked.answers.saturating_add(1);
        let seen = Seen { flow: chunk.flow, direction: asked.direction, first: asked.stamp, last: chunk.stamp };
        report(&seen, exchange, sink);
    }

    fn forget_old(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) {
        let horizon = chunk.stamp.time_ns.saturating_sub(PATIENCE_NS);
        while let Some(oldest) = self.asked.pop_front_if(|asked| asked.stamp.time_ns < horizon) {
            report_unanswered(chunk.flow, oldest, sink);
        }
    }

    /// No more messages will come: reports the queries that nobody answered.
    pub(super) fn end(&mut self, flow: &Arc<FlowInfo>, sink: &mut dyn Sink) {
        for asked in std::mem::take(&mut self.asked) {
            report_unanswered(flow, asked, sink);
        }
    }
}

/// An answer repeats id, operation and question; some refusals leave the question out (RFC 2136; FORMERR).
fn is_answer(query: &DnsMessage, answer: &DnsMessage) -> bool {
    query.id == answer.id
        && query.flags.opcode() == answer.flags.opcode()
        && (answer.questions.is_empty()
            || query.questions.is_empty()
            || query.questions.first() == answer.questions.first())
}

fn report_unanswered(flow: &Arc<FlowInfo>, asked: Asked, sink: &mut dyn Sink) {
    if asked.answers > 0 {
        return;
    }
    let seen = Seen { flow, direction: asked.direction, first: asked.stamp, last: asked.stamp };
    let exchange = DnsExchange { query: Some(asked.query), asked: Some(asked.stamp), ..nothing(DnsService::Unicast) };
    report(&seen, exchange, sink);
}

fn report(seen: &Seen<'_>, exchange: DnsExchange, sink: &mut dyn Sink) {
    sink.event(seen, Event::Dns(DnsEvent::Exchange(Box::new(exchange))));
}

fn nothing(service: DnsService) -> DnsExchange {
    DnsExchange { query: None, answer: None, asked: None, answered: None, earlier_answers: 0, service }
}

/// Whom a query was meant for. A query to a single address is an ordinary look-up even on the ports of the multicast
/// services, unless both sides use port 5353, as responders do among themselves (RFC 6762, 5.5 and 11).
fn service_asked(flow: &FlowInfo, direction: Direction) -> DnsService {
    let (sender, receiver) = (flow.sender(direction), flow.receiver(direction));
    let is_group = receiver.ip().to_canonical().is_multicast();
    match (receiver.port(), is_group) {
        (5355, true) => DnsService::Llmnr,
        (_, true) => DnsService::Mdns,
        (5353, false) if sender.port() == 5353 => DnsService::Mdns,
        _ => DnsService::Unicast,
    }
}

/// Which service an answer that was not asked for in its conversation belongs to: multicast responders announce
/// unasked, and answer queries to the group from their own address (RFC 6762, 6.7; RFC 4795, 2.3).
fn service_answered(flow: &FlowInfo, direction: Direction) -> DnsService {
    let is_group = flow.receiver(direction).ip().to_canonical().is_multicast();
    match flow.sender(direction).port() {
        5355 => DnsService::Llmnr,
        5353 => DnsService::Mdns,
        _ if is_group => DnsService::Mdns,
        _ => DnsService::Unicast,
    }
}
