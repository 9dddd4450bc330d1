//! Whether one rule matches everything that another matches, or nothing of it: proven from their conditions alone.

use crate::ruleset::model::{Body, Rule, Table};
use crate::ruleset::nft::{ElementData, Expr, Op, Statement, Value};
use crate::ruleset::xt::{Head, IfName, Inv, Masked, Match, PortSide, Range, RuleBody, Target};
use std::net::IpAddr;

/// `true` if `wide` certainly matches every packet that `narrow` matches.
pub(super) fn covers(table: &Table, wide: &Rule, narrow: &Rule) -> bool {
    match (&wide.body, &narrow.body) {
        (Body::Xt(wide), Body::Xt(narrow)) => {
            head_covers(&wide.head, &narrow.head) && wide.matches.iter().all(|one| implied(one, narrow))
        }
        (Body::Nft(wide), Body::Nft(narrow)) => conditions(wide)
            .is_some_and(|wide| wide.iter().all(|one| narrow.iter().any(|other| statement_implies(table, other, one)))),
        _ => false,
    }
}

/// `true` if no packet certainly matches both.
pub(super) fn is_disjoint(a: &Rule, b: &Rule) -> bool {
    let (Body::Xt(a), Body::Xt(b)) = (&a.body, &b.body) else { return false };
    let protocols = match (a.head.protocol, b.head.protocol) {
        (Some(a), Some(b)) if !a.not && !b.not => a.value != b.value,
        _ => false,
    };
    let apart = |a: &Option<Inv<Masked>>, b: &Option<Inv<Masked>>| match (a, b) {
        (Some(a), Some(b)) if !a.not && !b.not => !overlap(&a.value, &b.value),
        _ => false,
    };
    let (a_ports, b_ports) = (destination_ports(a), destination_ports(b));
    let ports = match (a_ports, b_ports) {
        (Some(a), Some(b)) => !a.iter().any(|a| b.iter().any(|b| a.low <= b.high && b.low <= a.high)),
        _ => false,
    };
    protocols || apart(&a.head.src, &b.head.src) || apart(&a.head.dst, &b.head.dst) || ports
}

/// `true` if a rule does nothing but judge: taking it away changes no mark, set, list, log or count that others use.
pub fn only_judges(rule: &Rule) -> bool {
    match &rule.body {
        Body::Xt(body) => {
            body.matches.iter().all(is_pure) && matches!(body.target, Target::Verdict(_) | Target::Reject { .. })
        }
        Body::Nft(statements) => statements.iter().all(|statement| {
            matches!(
                statement,
                Statement::Compare { .. }
                    | Statement::Range { .. }
                    | Statement::Lookup { .. }
                    | Statement::Counter { .. }
                    | Statement::Verdict(_)
                    | Statement::Reject(_)
            )
        }),
    }
}

/// The answer depends on packet, connection and clock alone, and asking changes nothing.
pub fn is_pure(extension: &Match) -> bool {
    !matches!(
        extension,
        Match::ConnLimit { .. }
            | Match::ConnLabel { set: true, .. }
            | Match::HashLimit(_)
            | Match::Layer7 { .. }
            | Match::Limit(_)
            | Match::Quota { .. }
            | Match::Recent(_)
            | Match::Statistic(_)
            | Match::Unknown { .. }
    )
}

fn head_covers(wide: &Head, narrow: &Head) -> bool {
    let addresses = |wide: &Option<Inv<Masked>>, narrow: &Option<Inv<Masked>>| match (wide, narrow) {
        (None, _) => true,
        (Some(wide), Some(narrow)) if !wide.not && !narrow.not => contains(&wide.value, &narrow.value),
        (Some(wide), Some(narrow)) => wide == narrow,
        (Some(_), None) => false,
    };
    let interfaces = |wide: &Option<Inv<IfName>>, narrow: &Option<Inv<IfName>>| match (wide, narrow) {
        (None, _) => true,
        (Some(wide), Some(narrow)) if !wide.not && !narrow.not && wide.value.prefix => {
            narrow.value.name.starts_with(&*wide.value.name)
        }
        (Some(wide), Some(narrow)) => wide == narrow,
        (Some(_), None) => false,
    };
    addresses(&wide.src, &narrow.src)
        && addresses(&wide.dst, &narrow.dst)
        && interfaces(&wide.in_if, &narrow.in_if)
        && interfaces(&wide.out_if, &narrow.out_if)
        && (wide.protocol.is_none() || wide.protocol == narrow.protocol)
        && (wide.fragment.is_none() || wide.fragment == narrow.fragment)
}

/// `true` if a condition of a wide rule holds whenever the narrow rule's conditions hold.
fn implied(wide: &Match, narrow: &RuleBody) -> bool {
    if !is_pure(wide) {
        return false;
    }
    match wide {
        Match::Comment(_) => true,
        Match::Tcp { sports, dports, flags, option } => {
            let bare = flags.is_none() && option.is_none();
            let equal = narrow.matches.iter().any(|other| equal(wide, other));
            equal || bare && protocol_is(&narrow.head, 6) && ports_implied(*sports, *dports, narrow)
        }
        Match::Udp { sports, dports } => protocol_is(&narrow.head, 17) && ports_implied(*sports, *dports, narrow),
        Match::MultiPort { side: PortSide::Destination, ports } if !ports.not => {
            destination_ports(narrow).is_some_and(|inner| within(&inner, &ports.value))
        }
        Match::ConnTrack(wide_ct) => {
            let only_state = super::super::xt::ConnTrack { state: wide_ct.state, ..Default::default() } == **wide_ct;
            let state = wide_ct.state.filter(|state| only_state && !state.not);
            narrow
                .matches
                .iter()
                .any(|other| equal(wide, other) || state.is_some_and(|state| state_within(other, state.value)))
        }
        Match::State(state) if !state.not => {
            narrow.matches.iter().any(|other| equal(wide, other) || state_within(other, state.value))
        }
        _ => narrow.matches.iter().any(|other| equal(wide, other)),
    }
}

fn protocol_is(head: &Head, protocol: u8) -> bool {
    head.protocol == Some(Inv { not: false, value: protocol })
}

/// The narrow rule asks for connection states that are all among `states`.
fn state_within(narrow: &Match, states: u8) -> bool {
    match narrow {
        Match::State(inner) => !inner.not && inner.value & !states == 0,
        Match::ConnTrack(inner) => inner.state.is_some_and(|inner| !inner.not && inner.value & !states == 0),
        _ => false,
    }
}

type Ports = Option<Inv<Range<u16>>>;

fn ports_implied(sports: Ports, dports: Ports, narrow: &RuleBody) -> bool {
    let holds = |wanted: Ports, inner: Option<Vec<Range<u16>>>| match wanted {
        None => true,
        Some(wanted) if !wanted.not => inner.is_some_and(|inner| within(&inner, &[wanted.value])),
        Some(_) => false,
    };
    holds(sports, source_ports(narrow)) && holds(dports, destination_ports(narrow))
}

fn within(inner: &[Range<u16>], outer: &[Range<u16>]) -> bool {
    inner.iter().all(|inner| outer.iter().any(|outer| outer.low <= inner.low && inner.high <= outer.high))
}

/// Ports that a packet must go to, if the rule says so.
fn destination_ports(body: &RuleBody) -> Option<Vec<Range<u16>>> {
    body.matches.iter().find_map(|extension| match extension {
        Match::Tcp { dports: Some(ports), .. } | Match::Udp { dports: Some(ports), .. } if !ports.not => {
            Some(vec![ports.value])
        }
        Match::MultiPort { side: PortSide::Destination, ports } if !ports.not => Some(ports.value.clone()),
        _ => None,
    })
}

fn source_ports(body: &RuleBody) -> Option<Vec<Range<u16>>> {
    body.matches.iter().find_map(|extension| match extension {
        Match::Tcp { sports: Some(ports), .. } | Match::Udp { sports: Some(ports), .. } if !ports.not => {
            Some(vec![ports.value])
        }
        Match::MultiPort { side: PortSide::Source, ports } if !ports.not => Some(ports.value.clone()),
        _ => None,
    })
}

/// The same extension with the same parameters.
fn equal(a: &Match, b: &Match) -> bool {
    // Parameters are plain data: what they print is what they are.
    std::mem::discriminant(a) == std::mem::discriminant(b) && format!("{a:?}") == format!("{b:?}")
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// Every address of `inner` is in `outer`.
fn contains(outer: &Masked, inner: &Masked) -> bool {
    let (outer_mask, inner_mask) = (bits(outer.mask), bits(inner.mask));
    outer.addr.is_ipv4() == inner.addr.is_ipv4()
        && outer_mask & inner_mask == outer_mask
        && bits(inner.addr) & outer_mask == bits(outer.addr)
}

fn overlap(a: &Masked, b: &Masked) -> bool {
    let both = bits(a.mask) & bits(b.mask);
    a.addr.is_ipv4() == b.addr.is_ipv4() && bits(a.addr) & both == bits(b.addr) & both
}

/// The conditions of an nftables rule; `None` if its match depends on more than the packet and its connection.
fn conditions(statements: &[Statement]) -> Option<Vec<&Statement>> {
    let mut found = Vec::new();
    for statement in statements {
        match statement {
            Statement::Compare { left: of, .. } | Statement::Range { of, .. } | Statement::Lookup { of, .. } => {
                if !is_plain(of) {
                    return None;
                }
                found.push(statement);
            }
            Statement::Counter { .. }
            | Statement::Log
            | Statement::Last
            | Statement::Object(_)
            | Statement::Verdict(_)
            | Statement::Reject(_) => {}
            _ => return None,
        }
    }
    Some(found)
}

/// Reading it twice gives the same, and it does not fail where a later read succeeds.
fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::Payload(_) | Expr::Meta(_) | Expr::Ct { .. } => true,
        Expr::Bitwise { of, .. } => is_plain(of),
        Expr::Concat(parts) => parts.iter().all(is_plain),
        _ => false,
    }
}

/// `true` if the first condition holding means that the second holds.
fn statement_implies(table: &Table, narrow: &Statement, wide: &Statement) -> bool {
    match (narrow, wide) {
        (
            Statement::Compare { left: a, op: Op::Eq, right: value },
            Statement::Compare { left: b, op: Op::Eq, right: wanted },
        ) => a == b && value == wanted || is_wider(b, a) && value.starts_with(wanted),
        (
            Statement::Compare { left: a, op: Op::Eq, right: value },
            Statement::Range { of: b, not: false, low, high },
        ) => a == b && low <= value && value <= high,
        (Statement::Compare { left: a, op: Op::Eq, right: value }, Statement::Lookup { of: b, not: false, set }) => {
            a == b && table.sets.get(set.0 as usize).is_some_and(|set| !set.dynamic && holds(set, value))
        }
        (
            Statement::Range { of: a, not: false, low, high },
            Statement::Range { of: b, not: false, low: l, high: h },
        ) => a == b && l <= low && high <= h,
        (
            Statement::Compare { left: a, op, right: value },
            Statement::Compare { left: b, op: wide_op, right: wanted },
        ) => a == b && op == wide_op && value == wanted,
        (Statement::Lookup { of: a, not, set }, Statement::Lookup { of: b, not: wide_not, set: wide_set }) => {
            a == b && not == wide_not && set == wide_set
        }
        _ => false,
    }
}

/// The first read is the beginning of the second: whole bytes at the same place.
fn is_wider(wide: &Expr, narrow: &Expr) -> bool {
    match (wide, narrow) {
        (Expr::Payload(wide), Expr::Payload(narrow)) => {
            (wide.base, wide.offset) == (narrow.base, narrow.offset)
                && wide.bits < narrow.bits
                && wide.bits.is_multiple_of(8)
                && narrow.bits.is_multiple_of(8)
        }
        _ => false,
    }
}

fn holds(set: &crate::ruleset::nft::Set, value: &Value) -> bool {
    set.elements.iter().any(|element| match (&element.key, &element.data) {
        (Some(fields), ElementData::None) => {
            matches!(fields.as_slice(), [(low, high)] if low <= value && value <= high)
        }
        _ => false,
    })
}
