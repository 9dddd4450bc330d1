//! Statements: rules, matches, verdicts, counters and rates.

use super::super::ast::{
    Amount, ByteCount, ByteUnit, Expr, ExprKind, LastUsed, LimitStmt, PayloadField, QuotaValue, RelOp, Rule, Stmt,
    StmtKind, TimeUnit, Verdict,
};
use super::super::lexer::Kind;
use super::super::{ObjectKind, Op};
use super::define::at;
use super::{Parsed, Parser};

impl Parser<'_> {
    /// A rule, up to the end of its line.
    pub(super) fn rule(&mut self) -> Parsed<Rule> {
        let pos = self.pos();
        let mut rule = Rule { pos, handle: None, statements: Vec::new(), comment: None };
        while !self.at_end() {
            if self.accept_word("comment") {
                rule.comment = Some(self.text("a comment in quotes")?);
                self.end_of_statement("the end of the rule after its comment")?;
            } else {
                rule.statements.push(self.stmt()?);
            }
        }
        if rule.statements.is_empty() {
            return Err(self.unexpected("a match or a statement"));
        }
        rule.handle = self.handle(self.pos().line);
        Ok(rule)
    }

    fn stmt(&mut self) -> Parsed<Stmt> {
        let pos = self.pos();
        if matches!(self.word(), Some("jump" | "goto")) && self.is_at(1, "{") {
            let verdict = self.nested(|parser| parser.scoped(Self::rule_block))?;
            return Ok(Stmt { pos, kind: StmtKind::Verdict(verdict) });
        }
        if let Some(verdict) = self.verdict()? {
            return Ok(Stmt { pos, kind: StmtKind::Verdict(verdict) });
        }
        if let Some(statement) = self.stateful()? {
            return Ok(statement);
        }
        let kind = match self.action()? {
            Some(kind) => kind,
            None => self.match_or_set()?,
        };
        Ok(Stmt { pos, kind })
    }

    /// `jump { … }`: rules of a chain without a name.
    fn rule_block(&mut self) -> Parsed<Verdict> {
        let goto = self.word() == Some("goto");
        self.bump();
        self.expect("{")?;
        let mut rules = Vec::new();
        loop {
            self.skip_separators();
            if self.accept("}") {
                return Ok(Verdict::Block { goto, rules });
            }
            if !self.define()? {
                rules.push(self.rule()?);
            }
        }
    }

    /// A verdict, if one stands here.
    pub(super) fn verdict(&mut self) -> Parsed<Option<Verdict>> {
        let Some(word) = self.word() else { return Ok(None) };
        if !matches!(word, "accept" | "drop" | "continue" | "return" | "jump" | "goto") {
            return Ok(None);
        }
        self.bump();
        Ok(Some(match word {
            "accept" => Verdict::Accept,
            "drop" => Verdict::Drop,
            "continue" => Verdict::Continue,
            "return" => Verdict::Return,
            "jump" => Verdict::Jump(self.name("the name of a chain")?),
            _ => Verdict::Goto(self.name("the name of a chain")?),
        }))
    }

    /// What begins with a question to the packet.
    fn match_or_set(&mut self) -> Parsed<StmtKind> {
        let left = self.left_side()?;
        if self.accept_word("vmap") {
            return Ok(StmtKind::Vmap { key: left, map: self.nested(Self::set_or_name)? });
        }
        if self.word() == Some("set") {
            return self.assignment(left);
        }
        let op = self.relation();
        let right = self.right_side()?;
        Ok(StmtKind::Match { op, right: as_mask(&left, right), left })
    }

    fn assignment(&mut self, left: Expr) -> Parsed<StmtKind> {
        let word = self.pos();
        self.bump();
        let value = self.value()?;
        match left.kind {
            ExprKind::Meta(key) => Ok(StmtKind::SetMeta { key, value }),
            ExprKind::Ct(ct) => Ok(StmtKind::SetCt { original: ct.original, key: ct.key, value }),
            ExprKind::Payload(_) | ExprKind::TcpOption(_) | ExprKind::ExtHdr { .. } => {
                Ok(StmtKind::SetField { field: left, value })
            }
            _ => Err(self.error_at(word, "expected a value to compare with: what stands before `set` cannot be set")),
        }
    }

    fn relation(&mut self) -> RelOp {
        let (Kind::Punct(text) | Kind::Word(text)) = self.peek() else { return RelOp::Implicit };
        let op = match text {
            "==" | "eq" => RelOp::Op(Op::Eq),
            "!=" | "ne" => RelOp::Op(Op::Ne),
            "<" | "lt" => RelOp::Op(Op::Lt),
            "<=" | "le" => RelOp::Op(Op::Le),
            ">" | "gt" => RelOp::Op(Op::Gt),
            ">=" | "ge" => RelOp::Op(Op::Ge),
            "!" => RelOp::Not,
            _ => return RelOp::Implicit,
        };
        self.bump();
        op
    }

    /// `counter`, `counter packets 1 bytes 40`, `counter name "c"`.
    pub(super) fn counter(&mut self) -> Parsed<StmtKind> {
        self.bump();
        if self.accept_word("name") {
            return self.object_reference(ObjectKind::Counter);
        }
        Ok(StmtKind::Counter(self.counts()?))
    }

    /// `packets 1 bytes 40`, if it stands here.
    pub(super) fn counts(&mut self) -> Parsed<Option<(u64, u64)>> {
        if !self.accept_word("packets") {
            return Ok(None);
        }
        let packets = self.number("a number of packets")?;
        self.expect_word("bytes")?;
        Ok(Some((packets, self.number("a number of bytes")?)))
    }

    /// What follows `name`: an object, or a map to objects.
    pub(super) fn object_reference(&mut self, kind: ObjectKind) -> Parsed<StmtKind> {
        Ok(StmtKind::Object { kind, name: self.value()? })
    }

    pub(super) fn limit(&mut self) -> Parsed<StmtKind> {
        self.bump();
        if self.accept_word("name") {
            return self.object_reference(ObjectKind::Limit);
        }
        Ok(StmtKind::Limit(self.rate()?))
    }

    /// `rate over 10/minute burst 5 packets`.
    pub(super) fn rate(&mut self) -> Parsed<LimitStmt> {
        self.expect_word("rate")?;
        let over = self.accept_word("over");
        if !over {
            self.accept_word("until");
        }
        let number = self.number("a rate like `10/minute` or `1 kbytes/second`")?;
        let (unit, per) = self.rate_unit()?;
        let rate = amount(number, unit);
        let burst = if self.accept_word("burst") { Some(self.burst(unit)?) } else { None };
        Ok(LimitStmt { over, rate, per, burst })
    }

    /// `/minute`, `kbytes/second` (one word), `packets/hour`.
    fn rate_unit(&mut self) -> Parsed<(Option<ByteUnit>, TimeUnit)> {
        let expected = "a unit like `/second` or `kbytes/second`";
        let mut unit = None;
        let mut per = "";
        if let Some(word) = self.word() {
            let (amount, time) = word.split_once('/').unwrap_or((word, ""));
            unit = match amount {
                "packets" => None,
                _ => Some(byte_unit(amount).ok_or_else(|| self.unexpected(expected))?),
            };
            self.bump();
            per = time;
        }
        if per.is_empty() {
            self.expect("/")?;
            per = self.word().ok_or_else(|| self.unexpected("a unit of time like `second`"))?;
            self.bump();
        }
        let per = match per {
            "second" => TimeUnit::Second,
            "minute" => TimeUnit::Minute,
            "hour" => TimeUnit::Hour,
            "day" => TimeUnit::Day,
            "week" => TimeUnit::Week,
            _ => {
                let units = "`second`, `minute`, `hour`, `day` or `week`";
                return Err(self.error(format!("expected {units} before this, found `{per}`")));
            }
        };
        Ok((unit, per))
    }

    fn burst(&mut self, rate: Option<ByteUnit>) -> Parsed<Amount> {
        let number = self.number("a number of packets or bytes")?;
        if self.accept_word("packets") {
            return Ok(Amount::Packets(number));
        }
        let unit = self.word().and_then(byte_unit);
        if unit.is_some() {
            self.bump();
        }
        Ok(amount(number, unit.or(rate.map(|_| ByteUnit::Bytes))))
    }

    pub(super) fn quota(&mut self) -> Parsed<StmtKind> {
        self.bump();
        if self.accept_word("name") {
            return self.object_reference(ObjectKind::Quota);
        }
        Ok(StmtKind::Quota(self.quota_value()?))
    }

    /// `over 25 mbytes used 1 kbytes`.
    pub(super) fn quota_value(&mut self) -> Parsed<QuotaValue> {
        let over = self.accept_word("over");
        if !over {
            self.accept_word("until");
        }
        let limit = self.byte_count()?;
        let used = if self.accept_word("used") { Some(self.byte_count()?) } else { None };
        Ok(QuotaValue { over, limit, used })
    }

    fn byte_count(&mut self) -> Parsed<ByteCount> {
        let number = self.number("a number of bytes like `25 mbytes`")?;
        let unit = self.word().and_then(byte_unit);
        let unit = unit.ok_or_else(|| self.unexpected("`bytes`, `kbytes` or `mbytes`"))?;
        self.bump();
        Ok(ByteCount { number, unit })
    }

    pub(super) fn last(&mut self) -> Parsed<StmtKind> {
        self.bump();
        if !self.accept_word("used") {
            return Ok(StmtKind::Last(LastUsed::Unsaid));
        }
        if self.accept_word("never") {
            return Ok(StmtKind::Last(LastUsed::Never));
        }
        Ok(StmtKind::Last(LastUsed::Ago(self.time("`never` or a time like `10s`")?)))
    }

    pub(super) fn ct_count(&mut self) -> Parsed<StmtKind> {
        self.bump();
        self.bump();
        let over = self.accept_word("over");
        if !over {
            self.accept_word("until");
        }
        Ok(StmtKind::CtCount { over, count: self.number("a number of connections")? })
    }
}

fn amount(number: u64, unit: Option<ByteUnit>) -> Amount {
    unit.map_or(Amount::Packets(number), |unit| Amount::Bytes(ByteCount { number, unit }))
}

fn byte_unit(word: &str) -> Option<ByteUnit> {
    Some(match word {
        "bytes" => ByteUnit::Bytes,
        "kbytes" => ByteUnit::KBytes,
        "mbytes" => ByteUnit::MBytes,
        _ => return None,
    })
}

/// `tcp flags 2 / 7` reads like a prefix; where the left side has flags, it is value and mask.
fn as_mask(left: &Expr, right: Expr) -> Expr {
    let flags = match &left.kind {
        ExprKind::Payload(payload) => {
            matches!(&payload.field, PayloadField::Named { field, .. } if field.text == "flags")
        }
        ExprKind::Ct(ct) => matches!(ct.key.text.as_str(), "state" | "status" | "event" | "label"),
        _ => false,
    };
    match right.kind {
        ExprKind::Prefix(value, mask) if flags => {
            let mask = Box::new(at(right.pos, ExprKind::Number(mask.to_string())));
            at(right.pos, ExprKind::Masked { value, mask })
        }
        kind => at(right.pos, kind),
    }
}
