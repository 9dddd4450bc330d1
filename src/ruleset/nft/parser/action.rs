//! Statements that do something with a packet: log, reject, nat, queue, sets that rules fill, and the like.

use super::super::ast::{Expr, LogStmt, NatStmt, RejectWith, StmtKind, SynproxyValue};
use super::super::{DynSetOp, NatKind, ObjectKind};
use super::{Parsed, Parser};

const NAT_FLAGS: &[&str] = &["random", "fully-random", "persistent"];
const QUEUE_FLAGS: &[&str] = &["bypass", "fanout"];

impl Parser<'_> {
    /// The action that stands here, if one does.
    pub(super) fn action(&mut self) -> Parsed<Option<StmtKind>> {
        let Some(word) = self.word() else { return Ok(None) };
        let kind = match word {
            "log" => StmtKind::Log(self.log()?),
            "reject" => StmtKind::Reject(self.reject()?),
            "snat" => self.nat(NatKind::Snat)?,
            "dnat" => self.nat(NatKind::Dnat)?,
            "masquerade" => self.nat(NatKind::Masquerade)?,
            "redirect" => self.nat(NatKind::Redirect)?,
            "notrack" => {
                self.bump();
                StmtKind::NoTrack
            }
            "dup" => self.dup()?,
            "fwd" => self.fwd()?,
            "tproxy" => self.tproxy()?,
            "queue" => self.queue()?,
            "synproxy" => self.synproxy()?,
            "flow" => self.flow()?,
            "add" => self.dynset(DynSetOp::Add)?,
            "update" => self.dynset(DynSetOp::Update)?,
            "delete" => self.dynset(DynSetOp::Delete)?,
            "set" => self.old_dynset()?,
            "meter" => self.meter()?,
            "reset" => {
                self.bump();
                self.expect_word("tcp")?;
                self.expect_word("option")?;
                StmtKind::ResetTcpOption(self.tcp_option_name()?)
            }
            "xt" => {
                self.bump();
                let kind = self.expect_any(&["match", "target", "watcher"])?;
                StmtKind::Xt { kind, name: self.name("the name of an extension")? }
            }
            "ct" if self.word_at(2) == Some("set") => match self.word_at(1) {
                Some("helper") => self.ct_object(ObjectKind::CtHelper)?,
                Some("timeout") => self.ct_object(ObjectKind::CtTimeout)?,
                Some("expectation") => self.ct_object(ObjectKind::CtExpectation)?,
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        Ok(Some(kind))
    }

    /// `ct helper set "sip"`.
    fn ct_object(&mut self, kind: ObjectKind) -> Parsed<StmtKind> {
        for _ in ["ct", "helper", "set"] {
            self.bump();
        }
        self.object_reference(kind)
    }

    fn log(&mut self) -> Parsed<LogStmt> {
        self.bump();
        let mut log = LogStmt::default();
        while let Some(word) = self.word() {
            match word {
                "prefix" => {
                    self.bump();
                    let prefix = self.text("a prefix in quotes")?;
                    log.prefix = Some(self.expand_text(prefix));
                }
                "group" => {
                    self.bump();
                    log.group = Some(self.number("the number of a group")?);
                }
                "snaplen" => {
                    self.bump();
                    log.snaplen = Some(self.number("a number of bytes")?);
                }
                "queue-threshold" => {
                    self.bump();
                    log.queue_threshold = Some(self.number("a number of packets")?);
                }
                "level" => {
                    self.bump();
                    log.level = Some(self.text("a level like `warn`")?);
                }
                "flags" => self.log_flags(&mut log.flags)?,
                _ => break,
            }
        }
        Ok(log)
    }

    /// `flags tcp sequence,options`, `flags all`.
    fn log_flags(&mut self, flags: &mut Vec<String>) -> Parsed<()> {
        self.bump();
        let flag = self.expect_any(&["tcp", "ip", "skuid", "ether", "all"])?.text;
        let parts: &[&str] = match flag.as_str() {
            "tcp" => &["sequence", "options"],
            "ip" => &["options"],
            _ => &[],
        };
        if parts.is_empty() {
            flags.push(flag);
            return Ok(());
        }
        loop {
            flags.push(format!("{flag} {}", self.expect_any(parts)?.text));
            if !self.accept(",") {
                return Ok(());
            }
        }
    }

    fn reject(&mut self) -> Parsed<RejectWith> {
        self.bump();
        if !self.accept_word("with") {
            return Ok(RejectWith::Unsaid);
        }
        if self.accept_word("tcp") {
            self.expect_word("reset")?;
            return Ok(RejectWith::TcpReset);
        }
        let protocol = self.expect_any(&["icmp", "icmpv6", "icmpx", "tcp"])?;
        let with_type = self.accept_word("type");
        Ok(RejectWith::Icmp { protocol, with_type, code: self.literal()? })
    }

    fn nat(&mut self, kind: NatKind) -> Parsed<StmtKind> {
        self.bump();
        // In the older `snat ip saddr map { … }` the word belongs to what follows.
        let ends_head = matches!(self.word_at(1), Some("to" | "addr" | "interval" | "prefix"));
        let family = if ends_head { self.accept_any(&["ip", "ip6"]) } else { None };
        let mut nat = NatStmt {
            kind,
            family,
            addr_port: false,
            interval: false,
            prefix: false,
            address: None,
            port: None,
            flags: Vec::new(),
        };
        if self.accept_word("addr") {
            self.expect(".")?;
            self.expect_word("port")?;
            nat.addr_port = true;
        }
        nat.interval = self.accept_word("interval");
        nat.prefix = self.accept_word("prefix");
        // The older form goes without `to`.
        let must_say = matches!(kind, NatKind::Snat | NatKind::Dnat);
        if self.accept_word("to") || must_say {
            (nat.address, nat.port) = self.address_and_port()?;
        }
        if kind == NatKind::Redirect && nat.port.is_none() {
            nat.port = nat.address.take();
        }
        while let Some(flag) = self.accept_any(NAT_FLAGS) {
            nat.flags.push(flag);
            if !self.accept(",") {
                break;
            }
        }
        Ok(StmtKind::Nat(nat))
    }

    /// `10.0.0.1`, `10.0.0.1:80`, `:80`.
    fn address_and_port(&mut self) -> Parsed<(Option<Expr>, Option<Expr>)> {
        let address = if self.is(":") { None } else { Some(self.value()?) };
        let port = if self.accept(":") { Some(self.value()?) } else { None };
        Ok((address, port))
    }

    fn dup(&mut self) -> Parsed<StmtKind> {
        self.bump();
        self.expect_word("to")?;
        Ok(StmtKind::Dup { to: Some(self.value()?), device: self.device()? })
    }

    fn fwd(&mut self) -> Parsed<StmtKind> {
        self.bump();
        let family = self.accept_any(&["ip", "ip6"]);
        self.expect_word("to")?;
        Ok(StmtKind::Fwd { family, to: self.value()?, device: self.device()? })
    }

    fn device(&mut self) -> Parsed<Option<Expr>> {
        if self.accept_word("device") { self.value().map(Some) } else { Ok(None) }
    }

    fn tproxy(&mut self) -> Parsed<StmtKind> {
        self.bump();
        let family = self.accept_any(&["ip", "ip6"]);
        self.expect_word("to")?;
        let (address, port) = self.address_and_port()?;
        Ok(StmtKind::Tproxy { family, address, port })
    }

    fn queue(&mut self) -> Parsed<StmtKind> {
        self.bump();
        let (mut flags, mut to, mut num) = (Vec::new(), None, false);
        loop {
            if self.accept_word("num") {
                num = true;
                to = Some(self.value()?);
            } else if self.accept_word("to") {
                to = Some(self.value()?);
            } else if self.accept_word("flags") {
                flags.push(self.expect_any(QUEUE_FLAGS)?);
            } else if let Some(flag) = self.accept_any(QUEUE_FLAGS) {
                flags.push(flag);
            } else if flags.is_empty() || !self.accept(",") {
                return Ok(StmtKind::Queue { flags, to, num });
            }
        }
    }

    fn synproxy(&mut self) -> Parsed<StmtKind> {
        self.bump();
        if self.accept_word("name") {
            return self.object_reference(ObjectKind::Synproxy);
        }
        let mut value = SynproxyValue::default();
        while self.synproxy_part(&mut value)? {}
        Ok(StmtKind::Synproxy(value))
    }

    /// `mss 1460`, `wscale 7`, `timestamp` or `sack-perm`, if one stands here.
    pub(super) fn synproxy_part(&mut self, value: &mut SynproxyValue) -> Parsed<bool> {
        let Some(part) = self.accept_any(&["mss", "wscale", "timestamp", "sack-perm"]) else { return Ok(false) };
        match part.text.as_str() {
            "mss" => value.mss = Some(self.number("a segment size")?),
            "wscale" => value.wscale = Some(self.number("a window scale")?),
            "timestamp" => value.timestamp = true,
            _ => value.sack_perm = true,
        }
        Ok(true)
    }

    fn flow(&mut self) -> Parsed<StmtKind> {
        self.bump();
        self.expect_any(&["add", "offload"])?;
        self.expect("@")?;
        Ok(StmtKind::FlowAdd(self.name("the name of a flowtable")?))
    }

    fn dynset(&mut self, op: DynSetOp) -> Parsed<StmtKind> {
        self.bump();
        self.expect("@")?;
        let set = self.name("the name of a set or map")?;
        let element = Box::new(self.nested(Self::dynamic_element)?);
        Ok(StmtKind::DynSet { op, set, element })
    }

    /// The older `set add ip saddr timeout 5s @name`.
    fn old_dynset(&mut self) -> Parsed<StmtKind> {
        self.bump();
        let op = match self.expect_any(&["add", "update", "delete"])?.text.as_str() {
            "add" => DynSetOp::Add,
            "update" => DynSetOp::Update,
            _ => DynSetOp::Delete,
        };
        let element = Box::new(self.dynamic_key()?);
        self.expect("@")?;
        Ok(StmtKind::DynSet { op, set: self.name("the name of a set")?, element })
    }

    fn meter(&mut self) -> Parsed<StmtKind> {
        self.bump();
        let name = self.name("the name of a meter")?;
        let size = if self.accept_word("size") { Some(self.number("a number of elements")?) } else { None };
        let element = Box::new(self.nested(Self::dynamic_element)?);
        Ok(StmtKind::Meter { name, size, element })
    }
}
