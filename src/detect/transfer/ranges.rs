//! A file that was got in parts: where a download broke off and went on, or ran over several connections at once.
//! Exchanges in; those that brought parts of one file to one client become one.

use super::web::Exchange;
use crate::protocol::content::Beginning;
use crate::protocol::http::FilePart;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

/// Parts of one file that are compared.
const MAX_PARTS: usize = 256;

/// Who got what.
type Key = (IpAddr, String, String);

/// Joins parts. The first one stands for the file, the others are taken out.
pub(super) fn join(exchanges: &mut Vec<Exchange>) {
    let mut by_file: HashMap<Key, Vec<usize>> = HashMap::new();
    for (index, exchange) in exchanges.iter().enumerate().filter(|(_, exchange)| exchange.part.is_some()) {
        let parts = by_file.entry(exchange.key()).or_default();
        if parts.len() < MAX_PARTS {
            parts.push(index);
        }
    }
    let mut joined = HashSet::new();
    for index in 0..exchanges.len() {
        let Some(exchange) = exchanges.get(index) else { break };
        let Some(FilePart::Beginning(beginning)) = exchange.part.as_deref() else { continue };
        let others: Vec<usize> = by_file.get(&exchange.key()).into_iter().flatten().copied().collect();
        let used = behind(beginning, &others, exchanges, &mut joined);
        if let Some(whole) = whole(beginning, exchange, &used, exchanges)
            && let Some(place) = exchanges.get_mut(index)
        {
            *place = whole;
        }
    }
    let mut index = 0;
    exchanges.retain(|_| {
        index += 1;
        !joined.contains(&(index - 1))
    });
}

/// Parts that follow each other behind the beginning, each with how many of its bytes came before.
fn behind(
    beginning: &Beginning,
    others: &[usize],
    exchanges: &[Exchange],
    joined: &mut HashSet<usize>,
) -> Vec<(usize, usize)> {
    let (mut next, mut used) = (beginning.bytes(), Vec::new());
    loop {
        let following = others.iter().filter(|index| !joined.contains(*index)).find_map(|index| {
            let (start, _, bytes) = exchanges.get(*index)?.rest()?;
            let again = usize::try_from(next.checked_sub(start)?).ok()?;
            (again < bytes.len()).then_some((*index, again, start + bytes.len() as u64))
        });
        let Some((index, again, end)) = following else { return used };
        joined.insert(index);
        used.push((index, again));
        next = end;
    }
}

/// The exchange that brought the beginning, with the whole file.
fn whole(beginning: &Beginning, first: &Exchange, used: &[(usize, usize)], exchanges: &[Exchange]) -> Option<Exchange> {
    let parts: Vec<&Exchange> = used.iter().filter_map(|(index, _)| exchanges.get(*index)).collect();
    let rests: Vec<_> = parts.iter().filter_map(|part| part.rest()).collect();
    let (_, total, _) = rests.last()?;
    let bytes = rests.iter().zip(used).filter_map(|((_, _, bytes), (_, again))| bytes.get(*again..));
    let mut whole = first.clone();
    whole.part = None;
    whole.content = beginning.join(bytes);
    whole.complete = total.is_some_and(|total| total == whole.content.bytes);
    whole.end_ns = parts.iter().map(|part| part.end_ns).fold(whole.end_ns, i64::max);
    whole.further = parts.iter().map(|part| part.at.first).collect();
    Some(whole)
}

impl Exchange {
    fn key(&self) -> Key {
        (self.at.sender().ip(), self.address.authority.clone(), self.address.path.clone())
    }

    fn rest(&self) -> Option<(u64, Option<u64>, &[u8])> {
        match self.part.as_deref()? {
            FilePart::Rest { start, total, bytes } => Some((*start, *total, bytes)),
            FilePart::Beginning(_) => None,
        }
    }
}
