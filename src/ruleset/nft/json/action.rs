//! Statements that do something with a packet: log, reject, nat, queue, sets that rules fill, and the like.

use super::super::ast::{Expr, ExprKind, LogStmt, Name, NatStmt, Pos, RejectWith, StmtKind, SynproxyValue};
use super::super::{DynSetOp, NatKind, ObjectKind};
use super::document::{Node, Value};
use super::literal::Form;
use super::members::Members;
use super::question::tcp_option;
use super::{Read, Reader};
use crate::ruleset::model::Family;

impl Reader {
    pub(super) fn action(&mut self, name: &str, pos: Pos, inner: &Node) -> Read<StmtKind> {
        Ok(match name {
            "log" => StmtKind::Log(log(inner)?),
            "reject" => StmtKind::Reject(self.reject(inner)?),
            "snat" => self.nat(NatKind::Snat, inner)?,
            "dnat" => self.nat(NatKind::Dnat, inner)?,
            "masquerade" => self.nat(NatKind::Masquerade, inner)?,
            "redirect" => self.nat(NatKind::Redirect, inner)?,
            "notrack" => StmtKind::NoTrack,
            "dup" => {
                let members = inner.members("an address and a device")?;
                let to = self.address_or_device(members.need("addr")?)?;
                StmtKind::Dup { to: Some(to), device: self.device(members)? }
            }
            "fwd" => self.fwd(inner)?,
            "tproxy" => {
                let members = inner.members("an address or a port")?;
                let (address, port) = (self.optional(members, "addr")?, self.optional(members, "port")?);
                StmtKind::Tproxy { family: members.name("family")?, address, port }
            }
            "queue" => self.queue(inner)?,
            "synproxy" => match &inner.value {
                Value::Null => StmtKind::Synproxy(SynproxyValue::default()),
                Value::Object(list) if !list.iter().any(|(name, _)| name == "map") => {
                    StmtKind::Synproxy(synproxy(inner.members("the values of a synproxy")?)?)
                }
                _ => self.object_reference(ObjectKind::Synproxy, inner)?,
            },
            "flow" => {
                let table = inner.members("a flowtable")?.need_name("flowtable")?;
                let text = table.text.strip_prefix('@').unwrap_or(&table.text).to_owned();
                StmtKind::FlowAdd(Name { text, ..table })
            }
            "set" | "map" => self.dynset(name, inner)?,
            "meter" => {
                let members = inner.members("a meter")?;
                let mut element = self.key(members.need("key")?, &[Form::Plain])?;
                if let Some(statement) = members.get("stmt") {
                    let list = statement.one_or_more().iter().map(|node| {
                        let (name, inner) = node.only_member("a statement")?;
                        self.stateful(node.pos, name, inner)
                    });
                    element.statements.extend(list.collect::<Read<Vec<_>>>()?);
                }
                let (name, size) = (members.need_name("name")?, members.number("size")?);
                StmtKind::Meter { name, size, element: Box::new(element) }
            }
            "reset" => {
                let (kind, option) = inner.only_member("what is reset")?;
                match kind {
                    "tcp option" => StmtKind::ResetTcpOption(tcp_option(option)?.option),
                    _ => return Err(inner.unexpected("{\"tcp option\": …}")),
                }
            }
            "ct helper" => self.object_reference(ObjectKind::CtHelper, inner)?,
            "ct timeout" => self.object_reference(ObjectKind::CtTimeout, inner)?,
            "ct expectation" => self.object_reference(ObjectKind::CtExpectation, inner)?,
            "secmark" => self.object_reference(ObjectKind::SecMark, inner)?,
            "xt" => {
                let unsaid = |text: &str| Name { pos, text: text.to_owned() };
                match &inner.value {
                    // Older versions say no more than that there is an extension.
                    Value::Null => StmtKind::Xt { kind: unsaid("match"), name: unsaid("unknown") },
                    _ => {
                        let members = inner.members("an extension of iptables")?;
                        StmtKind::Xt { kind: members.need_name("type")?, name: members.need_name("name")? }
                    }
                }
            }
            _ => {
                let known = "match, counter, limit, log, accept, drop, jump, vmap, mangle, snat, dnat and the like";
                return Err(inner.fault(format!("expected a statement ({known}), found {name:?}")));
            }
        })
    }

    fn optional(&mut self, members: Members<'_>, name: &str) -> Read<Option<Expr>> {
        members.get(name).map(|node| self.plain(node)).transpose()
    }

    fn device(&mut self, members: Members<'_>) -> Read<Option<Expr>> {
        members.get("dev").map(|node| self.expr(node, &[Form::Quoted])).transpose()
    }

    /// What is no address is a device.
    fn address_or_device(&mut self, node: &Node) -> Read<Expr> {
        match self.plain(node)? {
            Expr { kind: ExprKind::Symbol(_), .. } => self.expr(node, &[Form::Quoted]),
            expr => Ok(expr),
        }
    }

    fn reject(&mut self, node: &Node) -> Read<RejectWith> {
        if node.is_null() {
            return Ok(RejectWith::Unsaid);
        }
        let members = node.members("how it is rejected, or null")?;
        let Some(protocol) = members.name("type")? else { return Ok(RejectWith::Unsaid) };
        if protocol.text == "tcp reset" {
            return Ok(RejectWith::TcpReset);
        }
        if !matches!(protocol.text.as_str(), "icmp" | "icmpv6" | "icmpx") {
            let expected = "\"tcp reset\", \"icmp\", \"icmpv6\" or \"icmpx\"";
            return Err(members.need("type")?.unexpected(expected));
        }
        let code = self.plain(members.need("expr")?)?;
        let usual = match self.family {
            Family::Ip => "icmp",
            Family::Ip6 => "icmpv6",
            _ => "icmpx",
        };
        let port = matches!(&code.kind, ExprKind::Symbol(word) if word == "port-unreachable");
        // Which text leaves out.
        if port && protocol.text == usual {
            return Ok(RejectWith::Unsaid);
        }
        Ok(RejectWith::Icmp { protocol, with_type: false, code })
    }

    fn nat(&mut self, kind: NatKind, node: &Node) -> Read<StmtKind> {
        let mut nat = NatStmt {
            kind,
            family: None,
            addr_port: false,
            interval: false,
            prefix: false,
            address: None,
            port: None,
            flags: Vec::new(),
        };
        if node.is_null() {
            return Ok(StmtKind::Nat(nat));
        }
        let members = node.members("an address, a port and flags, or null")?;
        nat.family = members.name("family")?;
        (nat.address, nat.port) = (self.optional(members, "addr")?, self.optional(members, "port")?);
        // `netmap` is the kernel's flag for `prefix`.
        nat.flags = members.names("flags")?.into_iter().filter(|flag| flag.text != "netmap").collect();
        for flag in members.names("type_flags")? {
            match flag.text.as_str() {
                "prefix" => nat.prefix = true,
                "interval" => nat.interval = true,
                // Told by the map.
                "concat" => {}
                _ => return Err(members.need("type_flags")?.unexpected("\"prefix\", \"interval\" or \"concat\"")),
            }
        }
        Ok(StmtKind::Nat(nat))
    }

    fn fwd(&mut self, node: &Node) -> Read<StmtKind> {
        let members = node.members("a device, and perhaps an address")?;
        let family = members.name("family")?;
        let device = self.device(members)?;
        Ok(match (self.optional(members, "addr")?, device) {
            (Some(to), device) => StmtKind::Fwd { family, to, device },
            (None, Some(to)) => StmtKind::Fwd { family: None, to, device: None },
            (None, None) => return Err(node.fault("expected a member \"dev\"")),
        })
    }

    fn queue(&mut self, node: &Node) -> Read<StmtKind> {
        if node.is_null() {
            return Ok(StmtKind::Queue { flags: Vec::new(), to: None, num: false });
        }
        let members = node.members("the number of a queue and flags, or null")?;
        Ok(StmtKind::Queue { flags: members.names("flags")?, to: self.optional(members, "num")?, num: false })
    }

    /// `{"op": "add", "elem": …, "set": "@NAME"}`; of a map, `"map"` instead and `"data"`.
    fn dynset(&mut self, kind: &str, node: &Node) -> Read<StmtKind> {
        let members = node.members("an operation on a set")?;
        let op = members.need("op")?;
        let op = match op.text("an operation")? {
            "add" => DynSetOp::Add,
            "update" => DynSetOp::Update,
            "delete" => DynSetOp::Delete,
            _ => return Err(op.unexpected("\"add\", \"update\" or \"delete\"")),
        };
        let named = members.need_name(kind)?;
        let set = Name { text: named.text.strip_prefix('@').unwrap_or(&named.text).to_owned(), ..named };
        let mut element = self.key(members.need("elem")?, &[Form::Plain])?;
        element.data = self.optional(members, "data")?;
        if let Some(list) = members.get("stmt") {
            self.statements(list, &mut element.statements)?;
        }
        Ok(StmtKind::DynSet { op, set, element: Box::new(element) })
    }
}

fn log(node: &Node) -> Read<LogStmt> {
    if node.is_null() {
        return Ok(LogStmt::default());
    }
    let members = node.members("how it is logged, or null")?;
    Ok(LogStmt {
        prefix: members.text("prefix")?,
        group: members.number("group")?,
        snaplen: members.number("snaplen")?,
        queue_threshold: members.number("queue-threshold")?,
        level: members.text("level")?,
        flags: members.names("flags")?.into_iter().map(|flag| flag.text).collect(),
    })
}

/// `{"mss": 1460, "wscale": 7, "flags": ["timestamp", "sack-perm"]}`.
pub(super) fn synproxy(members: Members<'_>) -> Read<SynproxyValue> {
    let flags = members.names("flags")?;
    let has = |wanted: &str| flags.iter().any(|flag| flag.text == wanted);
    Ok(SynproxyValue {
        mss: members.number("mss")?,
        wscale: members.number("wscale")?,
        timestamp: has("timestamp"),
        sack_perm: has("sack-perm"),
    })
}
