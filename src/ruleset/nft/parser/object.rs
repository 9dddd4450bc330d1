//! Blocks of flowtables, counters, quotas, limits and other named objects. The one-line form goes without braces.

use super::super::ObjectKind;
use super::super::ast::{ByteCount, ByteUnit, Flowtable, Name, Object, ObjectBody, QuotaValue, SynproxyValue};
use super::{Parsed, Parser};

/// What a block may say, before it is known to be complete.
#[derive(Default)]
struct Parts {
    comment: Option<String>,
    body: Option<ObjectBody>,
    helper: Option<Name>,
    protocol: Option<Name>,
    l3proto: Option<Name>,
    policy: Vec<(Name, u64)>,
    dport: Option<u16>,
    timeout: Option<u64>,
    size: Option<u64>,
    synproxy: SynproxyValue,
}

impl Parser<'_> {
    /// The kind of object whose word (or words, `ct helper`) stands here.
    pub(super) fn object_kind(&mut self) -> Option<ObjectKind> {
        let two = self.word() == Some("ct");
        let kind = match if two { self.word_at(1)? } else { self.word()? } {
            "helper" if two => ObjectKind::CtHelper,
            "timeout" if two => ObjectKind::CtTimeout,
            "expectation" if two => ObjectKind::CtExpectation,
            _ if two => return None,
            "counter" => ObjectKind::Counter,
            "quota" => ObjectKind::Quota,
            "limit" => ObjectKind::Limit,
            "secmark" => ObjectKind::SecMark,
            "synproxy" => ObjectKind::Synproxy,
            _ => return None,
        };
        self.bump();
        if two {
            self.bump();
        }
        Some(kind)
    }

    /// What follows an object's name.
    pub(super) fn object(&mut self, kind: ObjectKind, name: Name) -> Parsed<Object> {
        let pos = name.pos;
        let handle = self.handle(self.pos().line);
        let mut parts = Parts::default();
        if self.accept("{") {
            loop {
                self.skip_separators();
                if self.accept("}") {
                    break;
                }
                self.object_part(kind, &mut parts)?;
            }
        } else {
            while !self.at_end() {
                self.object_part(kind, &mut parts)?;
            }
        }
        let comment = parts.comment.take();
        let body = self.object_body(kind, parts, &name)?;
        Ok(Object { pos, name, handle, comment, body })
    }

    fn object_part(&mut self, kind: ObjectKind, parts: &mut Parts) -> Parsed<()> {
        if self.accept_word("comment") {
            parts.comment = Some(self.text("a comment in quotes")?);
            return Ok(());
        }
        match kind {
            ObjectKind::Counter => match self.counts()? {
                Some(counts) => parts.body = Some(ObjectBody::Counter(Some(counts))),
                None => return Err(self.unexpected("`packets`, `comment` or `}`")),
            },
            ObjectKind::Quota => parts.body = Some(ObjectBody::Quota(self.quota_value()?)),
            ObjectKind::Limit => parts.body = Some(ObjectBody::Limit(self.rate()?)),
            ObjectKind::SecMark => parts.body = Some(ObjectBody::SecMark(self.text("a security context in quotes")?)),
            ObjectKind::Synproxy => {
                if !self.synproxy_part(&mut parts.synproxy)? {
                    return Err(self.unexpected("`mss`, `wscale`, `timestamp` or `sack-perm`"));
                }
            }
            _ => self.ct_object_part(kind, parts)?,
        }
        Ok(())
    }

    fn ct_object_part(&mut self, kind: ObjectKind, parts: &mut Parts) -> Parsed<()> {
        let words: &[&str] = match kind {
            ObjectKind::CtHelper => &["type", "protocol", "l3proto"],
            ObjectKind::CtTimeout => &["protocol", "l3proto", "policy"],
            _ => &["protocol", "dport", "timeout", "size", "l3proto"],
        };
        match self.expect_any(words)?.text.as_str() {
            "type" => parts.helper = Some(self.name("the name of a helper in quotes")?),
            "protocol" => parts.protocol = Some(self.name("`tcp` or `udp`")?),
            "l3proto" => parts.l3proto = Some(self.name("a family like `ip`")?),
            "dport" => parts.dport = Some(self.number("a port")?),
            "timeout" => parts.timeout = Some(self.time("a time like `1h`")?),
            "size" => parts.size = Some(self.number("a number of connections")?),
            _ => {
                self.expect("=")?;
                parts.policy = self.timeout_policy()?;
            }
        }
        Ok(())
    }

    /// `{ established : 120, close : 20 }`: states and seconds.
    fn timeout_policy(&mut self) -> Parsed<Vec<(Name, u64)>> {
        self.expect("{")?;
        let mut policy = Vec::new();
        loop {
            self.skip_newlines();
            if self.accept("}") {
                return Ok(policy);
            }
            let state = self.name("the state of a connection")?;
            self.expect(":")?;
            policy.push((state, self.time("a number of seconds")? / 1000));
            self.skip_newlines();
            if !self.accept(",") && !self.is("}") {
                return Err(self.unexpected("`,` or `}`"));
            }
        }
    }

    fn object_body(&self, kind: ObjectKind, parts: Parts, name: &Name) -> Parsed<ObjectBody> {
        let missing = |what: &str| self.error_at(name.pos, format!("expected {what} for this object"));
        if let Some(body) = parts.body {
            return Ok(body);
        }
        let protocol = parts.protocol.ok_or_else(|| missing("`protocol`"));
        let l3proto = parts.l3proto;
        Ok(match kind {
            ObjectKind::Counter => ObjectBody::Counter(None),
            ObjectKind::Quota => {
                let limit = ByteCount { number: 0, unit: ByteUnit::Bytes };
                ObjectBody::Quota(QuotaValue { over: false, limit, used: None })
            }
            ObjectKind::Limit => return Err(missing("`rate`")),
            ObjectKind::SecMark => return Err(missing("a security context in quotes")),
            ObjectKind::Synproxy => ObjectBody::Synproxy(parts.synproxy),
            ObjectKind::CtHelper => {
                let helper = parts.helper.ok_or_else(|| missing("`type` and the name of a helper"))?;
                ObjectBody::CtHelper { helper, protocol: protocol?, l3proto }
            }
            ObjectKind::CtTimeout => ObjectBody::CtTimeout { protocol: protocol?, l3proto, policy: parts.policy },
            ObjectKind::CtExpectation | ObjectKind::FlowTable => ObjectBody::CtExpectation {
                protocol: protocol?,
                dport: parts.dport.ok_or_else(|| missing("`dport`"))?,
                timeout: parts.timeout.ok_or_else(|| missing("`timeout`"))?,
                size: parts.size.ok_or_else(|| missing("`size`"))?,
                l3proto,
            },
        })
    }

    /// `flowtable NAME { … }`.
    pub(super) fn flowtable(&mut self) -> Parsed<Flowtable> {
        self.expect_word("flowtable")?;
        let name = self.name("the name of a flowtable")?;
        self.flowtable_body(name)
    }

    /// The block of a flowtable, which follows its name.
    pub(super) fn flowtable_body(&mut self, name: Name) -> Parsed<Flowtable> {
        let handle = self.handle(self.pos().line);
        let mut table = Flowtable {
            pos: name.pos,
            name,
            handle,
            hook: None,
            devices: Vec::new(),
            flags: Vec::new(),
            counter: false,
        };
        if !self.accept("{") {
            return Ok(table);
        }
        loop {
            self.skip_separators();
            if self.accept("}") {
                return Ok(table);
            }
            match self.expect_any(&["hook", "devices", "flags", "counter"])?.text.as_str() {
                "hook" => {
                    let hook = self.expect_any(&["ingress"])?;
                    self.expect_word("priority")?;
                    table.hook = Some((hook, self.priority()?));
                }
                "devices" => {
                    self.expect("=")?;
                    table.devices = self.device_list()?;
                }
                "flags" => table.flags = self.words("`offload`")?,
                _ => table.counter = true,
            }
        }
    }
}
