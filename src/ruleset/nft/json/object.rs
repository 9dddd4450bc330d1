//! Tables and what has a name in them.

use super::super::ast::{
    BaseChain, ByteCount, ByteUnit, Chain, DataType, Element, Flowtable, KeyType, Name, Object, ObjectBody, Pos,
    Priority, QuotaValue, Set, Table,
};
use super::super::{ObjectKind, fields};
use super::document::{Node, Value};
use super::literal::{Form, form_of_type, forms, forms_of_types};
use super::members::Members;
use super::{Fault, Read, Reader, action, stmt};
use crate::ruleset::model::Family;

/// The kind of object that a member's name tells.
pub(super) fn object_kind(name: &str) -> Option<ObjectKind> {
    Some(match name {
        "counter" => ObjectKind::Counter,
        "quota" => ObjectKind::Quota,
        "limit" => ObjectKind::Limit,
        "ct helper" => ObjectKind::CtHelper,
        "ct timeout" => ObjectKind::CtTimeout,
        "ct expectation" => ObjectKind::CtExpectation,
        "secmark" => ObjectKind::SecMark,
        "synproxy" => ObjectKind::Synproxy,
        _ => return None,
    })
}

/// The family that an object says.
pub(super) fn family(members: Members<'_>) -> Read<Family> {
    let node = members.need("family")?;
    Ok(match node.text("a family")? {
        "ip" => Family::Ip,
        "ip6" => Family::Ip6,
        "inet" => Family::Inet,
        "arp" => Family::Arp,
        "bridge" => Family::Bridge,
        "netdev" => Family::Netdev,
        _ => return Err(node.unexpected("\"ip\", \"ip6\", \"inet\", \"arp\", \"bridge\" or \"netdev\"")),
    })
}

/// A table, still without anything in it.
pub(super) fn table(members: Members<'_>) -> Read<Table> {
    // nft 1.0.6 prints anything here if the table has a comment.
    let known = |flag: &Name| matches!(flag.text.as_str(), "dormant" | "owner" | "persist");
    Ok(Table {
        pos: members.pos,
        notice: None,
        family: family(members)?,
        name: members.need_name("name")?,
        handle: members.number("handle")?,
        flags: members.names("flags")?.into_iter().filter(known).collect(),
        comment: members.text("comment")?,
        items: Vec::new(),
        block: true,
    })
}

/// A chain, still without rules.
pub(super) fn chain(members: Members<'_>) -> Read<Chain> {
    Ok(Chain {
        pos: members.pos,
        name: members.need_name("name")?,
        handle: members.number("handle")?,
        base: base(members)?,
        policy: members.name("policy")?,
        flags: members.names("flags")?,
        comment: members.text("comment")?,
        rules: Vec::new(),
        block: true,
    })
}

fn base(members: Members<'_>) -> Read<Option<BaseChain>> {
    let Some(hook) = members.name("hook")? else { return Ok(None) };
    let device_list = matches!(members.get("dev"), Some(Node { value: Value::List(_), .. }));
    Ok(Some(BaseChain {
        kind: members.need_name("type")?,
        hook,
        devices: members.names("dev")?,
        device_list,
        priority: priority(members)?,
    }))
}

/// A number, or a name like `filter` with a number added to it.
fn priority(members: Members<'_>) -> Read<Priority> {
    let node = members.need("prio")?;
    let pos = node.pos;
    let Value::Text(text) = &node.value else {
        return Ok(Priority { pos, base: None, offset: node.number("a priority")? });
    };
    let compact: String = text.split_whitespace().collect();
    let split = compact.find(['+', '-']).unwrap_or(compact.len());
    let (name, offset) = compact.split_at_checked(split).unwrap_or((&compact, ""));
    let offset = if offset.is_empty() { Ok(0) } else { offset.parse() };
    let offset = offset.map_err(|_| node.unexpected("a priority: a number, or a name like \"filter\""))?;
    // Which names there are, the lowering knows: they differ by family.
    let known = fields::priority(name, Family::Inet).or_else(|| fields::priority(name, Family::Bridge));
    let base = known.map(|_| Name { pos, text: name.to_owned() });
    match base.is_some() || name.is_empty() {
        true => Ok(Priority { pos, base, offset }),
        false => Err(node.unexpected("a priority: a number, or a name like \"filter\"")),
    }
}

impl Reader {
    /// A set or map with its elements.
    pub(super) fn set(&mut self, map: bool, members: Members<'_>) -> Read<Set> {
        let key = match members.get("type") {
            Some(types) => Some(self.key_type(types)?),
            None => None,
        };
        let data = members.get("map").map(|data| self.data_type(data)).transpose()?;
        let keys = key.as_ref().map_or(Vec::new(), forms_of_types);
        let elements = match members.get("elem") {
            Some(list) => self.elements(list, &keys, &data_forms(data.as_ref()))?,
            None => Vec::new(),
        };
        let mut statements = Vec::new();
        if let Some(list) = members.get("stmt") {
            self.statements(list, &mut statements)?;
        }
        Ok(Set {
            pos: members.pos,
            name: members.need_name("name")?,
            handle: members.number("handle")?,
            map,
            meter: false,
            key,
            data,
            flags: members.names("flags")?,
            timeout: members.seconds("timeout")?,
            gc_interval: members.seconds("gc-interval")?,
            size: members.number("size")?,
            policy: members.name("policy")?,
            auto_merge: members.is("auto-merge")?,
            comment: members.text("comment")?,
            statements,
            elements,
        })
    }

    /// `"ipv4_addr"`, `["ipv4_addr", "inet_service"]`, `{"typeof": …}`.
    fn key_type(&mut self, node: &Node) -> Read<KeyType> {
        if let Value::Object(_) = &node.value {
            let example = node.members("{\"typeof\": …}")?.need("typeof")?;
            return Ok(KeyType::TypeOf(self.plain(example)?));
        }
        type_names(node).map(KeyType::Type)
    }

    fn data_type(&mut self, node: &Node) -> Read<DataType> {
        if let Value::Object(_) = &node.value {
            let example = node.members("{\"typeof\": …}")?.need("typeof")?;
            return Ok(DataType::TypeOf { interval: false, of: self.plain(example)? });
        }
        let types = type_names(node)?;
        let alone = match types.as_slice() {
            [only] => Some(only.text.as_str()),
            _ => None,
        };
        Ok(match alone {
            Some("verdict") => DataType::Verdict,
            Some(name) if object_kind(name).is_some() => object_kind(name).map_or(DataType::Verdict, DataType::Object),
            _ => DataType::Type { interval: false, types },
        })
    }

    /// Elements of `add element`, by the set that they go to, if that is known.
    pub(super) fn elements_of(&mut self, node: &Node, set: Option<&Set>) -> Read<Vec<Element>> {
        let keys = set.and_then(|set| set.key.as_ref()).map_or(Vec::new(), forms_of_types);
        let data = data_forms(set.and_then(|set| set.data.as_ref()));
        let list = match &node.value {
            Value::Object(members) => match members.as_slice() {
                [(name, inner)] if name == "set" => inner,
                _ => node,
            },
            _ => node,
        };
        self.elements(list, &keys, &data)
    }
}

/// Names of types, as a list or with dots between them.
fn type_names(node: &Node) -> Read<Vec<Name>> {
    let mut names = Vec::new();
    for part in node.one_or_more() {
        let text = part.text("the name of a type like \"ipv4_addr\"")?;
        names.extend(text.split(" . ").map(|name| Name { pos: part.pos, text: name.trim().to_owned() }));
    }
    match names.iter().any(|name| name.text.is_empty()) || names.is_empty() {
        true => Err(node.unexpected("the name of a type like \"ipv4_addr\"")),
        false => Ok(names),
    }
}

fn data_forms(data: Option<&DataType>) -> Vec<Form> {
    match data {
        Some(DataType::Object(_)) => vec![Form::Quoted],
        Some(DataType::Type { types, .. }) => types.iter().map(|name| form_of_type(&name.text)).collect(),
        Some(DataType::TypeOf { of, .. }) => forms(of),
        Some(DataType::Verdict) | None => Vec::new(),
    }
}

/// A flowtable.
pub(super) fn flowtable(members: Members<'_>) -> Read<Flowtable> {
    let hook = match members.name("hook")? {
        Some(hook) => Some((hook, priority(members)?)),
        None => None,
    };
    Ok(Flowtable {
        pos: members.pos,
        name: members.need_name("name")?,
        handle: members.number("handle")?,
        hook,
        devices: members.names("dev")?,
        flags: members.names("flags")?,
        counter: members.get("counter").is_some(),
    })
}

/// A counter, quota, limit or the like.
pub(super) fn object(kind: ObjectKind, members: Members<'_>) -> Read<Object> {
    let l3proto = members.name("l3proto")?;
    let body = match kind {
        ObjectKind::Counter => match (members.number("packets")?, members.number("bytes")?) {
            (None, None) => ObjectBody::Counter(None),
            (packets, bytes) => ObjectBody::Counter(Some((packets.unwrap_or(0), bytes.unwrap_or(0)))),
        },
        ObjectKind::Quota => ObjectBody::Quota(quota(members)?),
        ObjectKind::Limit => ObjectBody::Limit(stmt::limit(members)?),
        ObjectKind::CtHelper => {
            let (helper, protocol) = (members.need_name("type")?, members.need_name("protocol")?);
            ObjectBody::CtHelper { helper, protocol, l3proto }
        }
        ObjectKind::CtTimeout => {
            let policy = match members.get("policy") {
                Some(policy) => timeouts(policy.members("states and seconds")?)?,
                None => Vec::new(),
            };
            ObjectBody::CtTimeout { protocol: members.need_name("protocol")?, l3proto, policy }
        }
        ObjectKind::CtExpectation => ObjectBody::CtExpectation {
            protocol: members.need_name("protocol")?,
            dport: members.need_number("dport")?,
            timeout: members.need_number("timeout")?,
            size: members.need_number("size")?,
            l3proto,
        },
        ObjectKind::SecMark => ObjectBody::SecMark(members.need_name("context")?.text),
        ObjectKind::Synproxy => ObjectBody::Synproxy(action::synproxy(members)?),
        ObjectKind::FlowTable => {
            return Err(Fault { pos: members.pos, message: "expected a named object".to_owned() });
        }
    };
    let (name, handle) = (members.need_name("name")?, members.number("handle")?);
    Ok(Object { pos: members.pos, name, handle, comment: members.text("comment")?, body })
}

/// Bytes, in the largest unit that holds them, as text has them.
fn quota(members: Members<'_>) -> Read<QuotaValue> {
    let used = members.number("used")?.filter(|used| *used != 0);
    let limit = members.number("bytes")?.unwrap_or(0);
    Ok(QuotaValue { over: members.is("inv")?, limit: in_units(limit), used: used.map(in_units) })
}

fn in_units(bytes: u64) -> ByteCount {
    let units = [ByteUnit::MBytes, ByteUnit::KBytes];
    let unit = units.into_iter().find(|unit| bytes > 0 && bytes.is_multiple_of(unit.bytes()));
    let unit = unit.unwrap_or(ByteUnit::Bytes);
    ByteCount { number: bytes.checked_div(unit.bytes()).unwrap_or(bytes), unit }
}

fn timeouts(members: Members<'_>) -> Read<Vec<(Name, u64)>> {
    let named = |name: &str, pos: Pos| Name { pos, text: name.to_owned() };
    let state = |(name, node): &(String, Node)| {
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') || name.is_empty() {
            return Err(node.fault("expected the state of a connection"));
        }
        Ok((named(name, node.pos), node.number("a number of seconds")?))
    };
    members.list.iter().map(state).collect()
}
