//! Questions: expressions that a packet, its connection or the kernel answers.

use super::super::ast::{CtExpr, Expr, ExprKind, Name, Payload, PayloadField, TcpOption, TcpOptionField};
use super::document::Node;
use super::members::Members;
use super::{Read, Reader};
use crate::ruleset::model::Family;

impl Reader {
    /// `name` and `inner` are the member that `node` consists of.
    pub(super) fn question(&mut self, node: &Node, name: &str, inner: &Node) -> Read<ExprKind> {
        let what = "an object that says what is asked";
        Ok(match name {
            "payload" => payload(inner.members(what)?)?,
            "meta" => ExprKind::Meta(inner.members(what)?.need_name("key")?),
            "ct" => self.ct(inner.members(what)?)?,
            "exthdr" => extension(inner.members(what)?)?,
            "tcp option" => ExprKind::TcpOption(tcp_option(inner)?),
            "ip option" => {
                let members = inner.members(what)?;
                ExprKind::IpOption { option: members.need_name("name")?, field: members.name("field")? }
            }
            "sctp chunk" => {
                let members = inner.members(what)?;
                ExprKind::SctpChunk { chunk: members.need_name("name")?, field: members.name("field")? }
            }
            "dccp option" => {
                let option = inner.members(what)?.need("type")?;
                ExprKind::DccpOption(option.name_or_number("the number of a DCCP option")?)
            }
            "fib" => {
                let members = inner.members(what)?;
                let flags = members.names("flags")?;
                if flags.is_empty() {
                    return Err(inner.fault("expected a member \"flags\" with `saddr` or `daddr` and the like"));
                }
                ExprKind::Fib { flags, result: members.need_name("result")? }
            }
            "rt" => {
                let members = inner.members(what)?;
                ExprKind::Rt { family: members.name("family")?, key: members.need_name("key")? }
            }
            "socket" => {
                let members = inner.members(what)?;
                ExprKind::Socket { key: members.need_name("key")?, level: members.number("level")? }
            }
            "osf" => {
                let members = inner.members(what)?;
                ExprKind::Osf { ttl: members.name("ttl")?, key: members.need_name("key")? }
            }
            "ipsec" => {
                let members = inner.members(what)?;
                ExprKind::Ipsec {
                    direction: members.need_name("dir")?,
                    spnum: members.number_but_zero("spnum")?,
                    family: members.name("family")?,
                    key: members.need_name("key")?,
                }
            }
            "numgen" => {
                let members = inner.members(what)?;
                let mode = members.need_name("mode")?;
                let random = match mode.text.as_str() {
                    "inc" => false,
                    "random" => true,
                    _ => return Err(members.need("mode")?.unexpected("\"inc\" or \"random\"")),
                };
                let (modulus, offset) = (members.need_number("mod")?, members.number_but_zero("offset")?);
                ExprKind::Numgen { random, modulus, offset }
            }
            "symhash" => {
                let members = inner.members(what)?;
                ExprKind::Symhash { modulus: members.need_number("mod")?, offset: members.number_but_zero("offset")? }
            }
            "jhash" => {
                let members = inner.members(what)?;
                ExprKind::Jhash {
                    of: Box::new(self.plain(members.need("expr")?)?),
                    modulus: members.need_number("mod")?,
                    seed: members.number("seed")?,
                    offset: members.number_but_zero("offset")?,
                }
            }
            _ => return Err(node.unexpected("an expression like {\"payload\": …} or {\"meta\": …}")),
        })
    }

    /// `{"key": "ip saddr", "dir": "original"}`.
    fn ct(&self, members: Members<'_>) -> Read<ExprKind> {
        let original = match members.get("dir") {
            None => None,
            Some(node) => match node.text("\"original\" or \"reply\"")? {
                "original" => Some(true),
                "reply" => Some(false),
                _ => return Err(node.unexpected("\"original\" or \"reply\"")),
            },
        };
        let key = members.need_name("key")?;
        let word = |text: &str| Name { pos: key.pos, text: text.to_owned() };
        let family = members.name("family")?;
        let (family, key) = match key.text.split_once(' ') {
            Some((family, of)) => (Some(word(family)), word(of)),
            // In text, the family of an address is always said.
            None if matches!(key.text.as_str(), "saddr" | "daddr") && family.is_none() => {
                let of_table = match self.family {
                    Family::Ip => Some(word("ip")),
                    Family::Ip6 => Some(word("ip6")),
                    _ => None,
                };
                (of_table, key)
            }
            None => (family, key),
        };
        Ok(ExprKind::Ct(CtExpr { original, family, key }))
    }
}

/// `{"protocol": "tcp", "field": "dport"}`, `{"base": "th", "offset": 16, "len": 16}`.
fn payload(members: Members<'_>) -> Read<ExprKind> {
    let field = match members.name("base")? {
        Some(base) => {
            PayloadField::Raw { base, offset: members.need_number("offset")?, bits: members.need_number("len")? }
        }
        None => PayloadField::Named { protocol: members.need_name("protocol")?, field: members.need_name("field")? },
    };
    Ok(ExprKind::Payload(Payload { tunnel: members.name("tunnel")?, field }))
}

/// `{"name": "frag", "field": "id"}`, `{"name": "srh", "field": "sid[1]"}`; without a field: whether it is there.
fn extension(members: Members<'_>) -> Read<ExprKind> {
    let header = members.need_name("name")?;
    // The number of an `rt0`'s address.
    let mut index = members.number("offset")?;
    let mut field = members.name("field")?;
    if let Some(name) = &mut field
        && let Some((word, number)) = name.text.strip_suffix(']').and_then(|text| text.split_once('['))
    {
        let node = members.need("field")?;
        index = Some(number.parse().map_err(|_| node.unexpected("a field like \"sid[1]\""))?);
        name.text = word.to_owned();
    }
    Ok(ExprKind::ExtHdr { header, field, index })
}

/// `{"name": "maxseg", "field": "size"}`, `{"base": 253, "offset": 0, "len": 8}`.
pub(super) fn tcp_option(node: &Node) -> Read<TcpOption> {
    let members = node.members("a TCP option")?;
    if let Some(base) = members.get("base") {
        let option = base.name_or_number("the number of a TCP option")?;
        let field = TcpOptionField::Raw { offset: members.need_number("offset")?, bits: members.need_number("len")? };
        return Ok(TcpOption { option, field });
    }
    let field = members.name("field")?.map_or(TcpOptionField::Whole, TcpOptionField::Named);
    let mut option = members.need("name")?.name_or_number("the name of a TCP option")?;
    if option.text == "sack-permitted" {
        option.text = "sack-perm".to_owned();
    }
    Ok(TcpOption { option, field })
}

/// Nothing but whether an option is there is asked: in JSON, a comparison with true or false tells it.
pub(super) fn as_whole(expr: &mut Expr) {
    if let ExprKind::TcpOption(TcpOption { field: field @ TcpOptionField::Raw { .. }, .. }) = &mut expr.kind {
        *field = TcpOptionField::Whole;
    }
}
