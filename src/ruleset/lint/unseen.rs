//! What a rule asks that a capture shows only in part: its answer rests on something that was assumed.
//!
//! What no capture shows at all (the process that sent a packet, its control group) is [`Rule::unknown`] already.

use super::super::model::{Body, Rule, Table};
use super::super::nft::{Ct, Expr, Meta, ObjectBody, ObjectKind, Set, Statement, Value};
use super::super::xt::{ConnTrack, IfName, Match, RuleBody, Statistic, Target};

const LOOPBACK: &str = "lo";
const OF_LOOPBACK: &str = "interface lo: what the host says to itself is not replayed";

/// Something that a rule's answer rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The name of an interface, perhaps with a `+` or `*` behind its beginning.
    Interface {
        /// As written, without the sign for "any ending".
        name: String,
        /// Any ending will do: the sign that says so.
        ending: Option<char>,
    },
    /// A rate, quota, list or number of connections that all packets of the host share.
    OtherTraffic(&'static str),
    /// The host's routes and addresses.
    Routes(&'static str),
    /// A helper that reads one connection to expect another.
    Helper,
    /// Ports of a bridge.
    BridgePort,
    /// Where the host keeps its clock.
    TimeZone,
}

impl Need {
    /// What was assumed, as a sentence without a full stop. Where the names of interfaces are known,
    /// [`Need::of_interface`] says more.
    pub fn assumed(&self) -> String {
        match self {
            Self::Interface { name, .. } if name == LOOPBACK => OF_LOOPBACK.to_owned(),
            Self::Interface { name, ending } => {
                let ending = ending.map(String::from).unwrap_or_default();
                format!("interface {name}{ending}: a capture does not name it, --iface does")
            }
            Self::OtherTraffic(what) => format!("{what}: other traffic of the host, not in the capture, counts too"),
            Self::Routes(what) => format!("{what}: answered from --local and --inside, for a capture shows no routes"),
            Self::Helper => "connection helpers are not modelled: no connection is RELATED through one".to_owned(),
            Self::BridgePort => "ports of a bridge are not in a capture: taken as not bridged".to_owned(),
            Self::TimeZone => "the host's time zone is not in a capture: taken as UTC".to_owned(),
        }
    }

    /// Of the name of an interface, when packets come and go by `known` ones, each given by somebody or assumed.
    pub fn of_interface(name: &str, ending: Option<char>, known: &[(&str, bool)]) -> Option<String> {
        if name == LOOPBACK {
            return Some(OF_LOOPBACK.to_owned());
        }
        let shown = format!("{name}{}", ending.map(String::from).unwrap_or_default());
        let fits = |known: &&(&str, bool)| if ending.is_some() { known.0.starts_with(name) } else { known.0 == name };
        match known.iter().find(fits) {
            Some((_, true)) => None,
            Some((_, false)) => Some(format!("interface {shown}: assumed, for no --iface names it")),
            None => {
                let known: Vec<&str> = known.iter().map(|(known, _)| *known).collect();
                Some(format!("interface {shown}: packets come and go by {} here: see --iface", known.join(" and ")))
            }
        }
    }
}

/// What the answer of a rule rests on, each once.
pub fn needs(table: &Table, rule: &Rule) -> Vec<Need> {
    let mut needs = Vec::new();
    match &rule.body {
        Body::Xt(body) => of_xt(body, &mut needs),
        Body::Nft(statements) => statements.iter().for_each(|one| of_statement(table, one, &mut needs)),
    }
    needs.sort();
    needs.dedup();
    needs
}

fn of_xt(body: &RuleBody, needs: &mut Vec<Need>) {
    let interface = |of: &IfName| Need::Interface { name: of.name.to_string(), ending: of.prefix.then_some('+') };
    let named = [&body.head.in_if, &body.head.out_if].into_iter().flatten();
    // `+` alone is any interface.
    needs.extend(named.filter(|of| !(of.value.prefix && of.value.name.is_empty())).map(|of| interface(&of.value)));
    needs.extend(body.matches.iter().filter_map(of_match));
    if let Target::Ct { helper: Some(_), .. } = &body.target {
        needs.push(Need::Helper);
    }
}

fn of_match(one: &Match) -> Option<Need> {
    Some(match one {
        Match::AddrType { .. } => Need::Routes("kinds of addresses"),
        Match::RpFilter { .. } => Need::Routes("the way back to a sender"),
        Match::ConnLimit { .. } => Need::OtherTraffic("a number of connections"),
        Match::HashLimit(_) | Match::Limit(_) => Need::OtherTraffic("a rate"),
        Match::Quota { .. } => Need::OtherTraffic("a quota"),
        Match::Recent(_) => Need::OtherTraffic("a list of recent addresses, empty at first"),
        Match::Statistic(Statistic::Nth { .. }) => Need::OtherTraffic("every nth packet"),
        Match::Helper(_) => Need::Helper,
        Match::PhysDev { .. } => Need::BridgePort,
        Match::Time(time) if time.kernel_tz => Need::TimeZone,
        Match::ConnTrack(ct) if expires(ct) => Need::OtherTraffic("the time that a connection has left"),
        _ => return None,
    })
}

fn expires(ct: &ConnTrack) -> bool {
    ct.expire.is_some()
}

fn of_statement(table: &Table, statement: &Statement, needs: &mut Vec<Need>) {
    let set_of = |id: &super::super::model::SetId| table.sets.get(id.0 as usize);
    match statement {
        Statement::Compare { left, right, .. } => of_comparison(left, [right], needs),
        Statement::Range { of, low, high, .. } => of_comparison(of, [low, high], needs),
        Statement::CompareExprs { left, right, .. } => {
            of_expr(left, needs);
            of_expr(right, needs);
        }
        Statement::Lookup { of, set, .. } | Statement::VerdictMap { key: of, set } => match set_of(set) {
            Some(set) if is_interface(of) => needs.extend(interfaces_of(set)),
            _ => of_expr(of, needs),
        },
        Statement::ObjectMap { key, kind, .. } => {
            of_expr(key, needs);
            needs.extend(of_object(*kind));
        }
        Statement::Object(id) => {
            let kind = table.objects.get(id.0 as usize).map(|object| match object.object {
                ObjectBody::Counter { .. } => ObjectKind::Counter,
                ObjectBody::Quota(_) => ObjectKind::Quota,
                ObjectBody::Limit(_) => ObjectKind::Limit,
                ObjectBody::Other(kind) => kind,
            });
            needs.extend(kind.and_then(of_object));
        }
        Statement::Limit(_) => needs.push(Need::OtherTraffic("a rate")),
        Statement::Quota(_) => needs.push(Need::OtherTraffic("a quota")),
        Statement::ConnLimit { .. } => needs.push(Need::OtherTraffic("a number of connections")),
        Statement::DynSet { statements, .. } => statements.iter().for_each(|one| of_statement(table, one, needs)),
        _ => {}
    }
}

fn of_object(kind: ObjectKind) -> Option<Need> {
    match kind {
        ObjectKind::Quota => Some(Need::OtherTraffic("a quota")),
        ObjectKind::Limit => Some(Need::OtherTraffic("a rate")),
        _ => None,
    }
}

fn is_interface(expr: &Expr) -> bool {
    matches!(expr, Expr::Meta(Meta::IifName | Meta::OifName))
}

fn of_comparison<'v>(of: &Expr, values: impl IntoIterator<Item = &'v Value>, needs: &mut Vec<Need>) {
    if is_interface(of) {
        needs.extend(values.into_iter().filter_map(interface));
    } else {
        of_expr(of, needs);
    }
}

fn interfaces_of(set: &Set) -> impl Iterator<Item = Need> + '_ {
    set.elements.iter().filter_map(|element| interface(&element.key.as_ref()?.first()?.0))
}

/// A name ends with a NUL where all of it is compared.
fn interface(value: &Value) -> Option<Need> {
    let end = value.iter().position(|byte| *byte == 0);
    let name = value.get(..end.unwrap_or(value.len()))?;
    let name = String::from_utf8_lossy(name).into_owned();
    (!name.is_empty()).then_some(Need::Interface { name, ending: (end.is_none() && value.len() < 16).then_some('*') })
}

fn of_expr(expr: &Expr, needs: &mut Vec<Need>) {
    match expr {
        Expr::Fib { .. } => needs.push(Need::Routes("a look into the routing table")),
        Expr::Rt(_) => needs.push(Need::Routes("the route of a packet")),
        Expr::Ct { key: Ct::Helper, .. } => needs.push(Need::Helper),
        Expr::Ct { key: Ct::Expiration, .. } => {
            needs.push(Need::OtherTraffic("the time that a connection has left"));
        }
        Expr::NumGen { random: false, .. } => needs.push(Need::OtherTraffic("a running number")),
        Expr::Meta(Meta::IbrName | Meta::ObrName | Meta::IbrPvid | Meta::IbrVproto) => needs.push(Need::BridgePort),
        Expr::Meta(Meta::Day | Meta::Hour) => needs.push(Need::TimeZone),
        Expr::Meta(Meta::Iif | Meta::Oif) => needs.push(Need::Routes("the number of an interface")),
        Expr::Bitwise { of, .. } | Expr::Shift { of, .. } => of_expr(of, needs),
        Expr::Binary { left, right, .. } => {
            of_expr(left, needs);
            of_expr(right, needs);
        }
        Expr::Hash { of: Some(of), .. } => of_expr(of, needs),
        Expr::Concat(parts) => parts.iter().for_each(|part| of_expr(part, needs)),
        Expr::Map { key, .. } => of_expr(key, needs),
        _ => {}
    }
}
