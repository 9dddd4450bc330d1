//! Questions: expressions that a packet, its connection or the kernel answers.

use super::super::ast::{CtExpr, ExprKind, Name, Payload, PayloadField, TcpOption, TcpOptionField};
use super::expr::Mode;
use super::words::{self, extension_fields, fields, meta_key};
use super::{Parsed, Parser};

const RT: &[&str] = &["classid", "nexthop", "mtu", "ipsec"];
const SOCKET: &[&str] = &["transparent", "mark", "wildcard", "cgroupv2"];
const FIB: &[&str] = &["saddr", "daddr", "mark", "iif", "oif"];
const OSF: &[&str] = &["ttl", "name", "version"];
const IP_FAMILIES: &[&str] = &["ip", "ip6"];

impl Parser<'_> {
    /// The question that stands here, if one does. Two words of lookahead tell it from a value: `tcp` in
    /// `ip protocol tcp tcp dport 22` is a value where no field follows.
    pub(super) fn question(&mut self, mode: Mode) -> Parsed<Option<ExprKind>> {
        if self.is_raw_payload() {
            return self.raw_payload().map(Some);
        }
        let Some(word) = self.word() else { return Ok(None) };
        let next = self.word_at(1).unwrap_or("");
        let kind = match word {
            "meta" if words::META.contains(&meta_key(next)) => {
                self.bump();
                self.meta()
            }
            "ct" if words::CT.contains(&next) || matches!(next, "original" | "reply") => self.ct()?,
            "rt" if RT.contains(&next) => self.rt(false)?,
            "rt" if IP_FAMILIES.contains(&next) && self.word_at(2) == Some("nexthop") => self.rt(true)?,
            "socket" if SOCKET.contains(&next) => self.socket()?,
            "osf" if OSF.contains(&next) => self.osf()?,
            "ipsec" if matches!(next, "in" | "out") => self.ipsec()?,
            "fib" if FIB.contains(&next) => self.fib()?,
            "numgen" if matches!(next, "inc" | "random") => self.numgen()?,
            "symhash" if next == "mod" => self.symhash()?,
            "jhash" => self.nested(Self::jhash)?,
            "exthdr" if words::EXTENSIONS.contains(&next) => {
                self.bump();
                ExprKind::ExtHdr { header: self.here(), field: None, index: None }
            }
            "tcp" if next == "option" => self.tcp_option()?,
            "ip" if next == "option" => self.ip_option()?,
            "sctp" if next == "chunk" => self.sctp_chunk()?,
            "dccp" if next == "option" => {
                self.bump();
                self.bump();
                ExprKind::DccpOption(self.name_or_number("the number of a DCCP option")?)
            }
            _ if fields(word).is_some_and(|known| known.contains(&next)) => self.payload(None)?,
            _ if self.is_tunnelled(word, next) => {
                let tunnel = self.here();
                self.payload(Some(tunnel))?
            }
            _ if extension_fields(word).is_some_and(|known| known.contains(&next)) => self.extension()?,
            _ if mode != Mode::Right && words::BARE_META.contains(&meta_key(word)) => self.meta(),
            _ => return Ok(None),
        };
        Ok(Some(kind))
    }

    pub(super) fn is_raw_payload(&self) -> bool {
        let base = matches!(self.word_at(1), Some("ll" | "nh" | "th" | "ih"));
        self.is("@") && base && self.is_at(2, ",")
    }

    fn is_tunnelled(&self, word: &str, next: &str) -> bool {
        let inner = fields(next).zip(self.word_at(2));
        words::TUNNELS.contains(&word) && inner.is_some_and(|(known, field)| known.contains(&field))
    }

    fn raw_payload(&mut self) -> Parsed<ExprKind> {
        self.expect("@")?;
        let base = self.here();
        let (offset, bits) = self.offset_and_bits()?;
        Ok(ExprKind::Payload(Payload { tunnel: None, field: PayloadField::Raw { base, offset, bits } }))
    }

    /// `,16,8`.
    fn offset_and_bits(&mut self) -> Parsed<(u32, u32)> {
        self.expect(",")?;
        let offset = self.number("an offset in bits")?;
        self.expect(",")?;
        Ok((offset, self.number("a number of bits")?))
    }

    fn payload(&mut self, tunnel: Option<Name>) -> Parsed<ExprKind> {
        let protocol = self.here();
        let mut field = self.here();
        if protocol.text == "arp" && matches!(field.text.as_str(), "saddr" | "daddr") {
            let part = self.expect_any(&["ip", "ether"])?;
            field.text = format!("{} {}", field.text, part.text);
        }
        Ok(ExprKind::Payload(Payload { tunnel, field: PayloadField::Named { protocol, field } }))
    }

    fn meta(&mut self) -> ExprKind {
        let mut key = self.here();
        key.text = meta_key(&key.text).to_owned();
        ExprKind::Meta(key)
    }

    fn ct(&mut self) -> Parsed<ExprKind> {
        self.bump();
        let direction = self.accept_any(&["original", "reply"]);
        let original = direction.map(|direction| direction.text == "original");
        let family = self.accept_any(IP_FAMILIES);
        let key = self.expect_any(words::CT)?;
        Ok(ExprKind::Ct(CtExpr { original, family, key }))
    }

    fn rt(&mut self, with_family: bool) -> Parsed<ExprKind> {
        self.bump();
        let family = with_family.then(|| self.here());
        Ok(ExprKind::Rt { family, key: self.expect_any(RT)? })
    }

    fn socket(&mut self) -> Parsed<ExprKind> {
        self.bump();
        let key = self.expect_any(SOCKET)?;
        let level = if self.accept_word("level") { Some(self.number("a level")?) } else { None };
        Ok(ExprKind::Socket { key, level })
    }

    fn osf(&mut self) -> Parsed<ExprKind> {
        self.bump();
        let ttl = if self.accept_word("ttl") { Some(self.expect_any(&["loose", "skip"])?) } else { None };
        Ok(ExprKind::Osf { ttl, key: self.expect_any(&["name", "version"])? })
    }

    fn ipsec(&mut self) -> Parsed<ExprKind> {
        self.bump();
        let direction = self.here();
        let spnum = if self.accept_word("spnum") { Some(self.number("a number")?) } else { None };
        let family = self.accept_any(IP_FAMILIES);
        let keys: &[&str] = if family.is_some() { &["saddr", "daddr"] } else { &["reqid", "spi"] };
        Ok(ExprKind::Ipsec { direction, spnum, family, key: self.expect_any(keys)? })
    }

    fn fib(&mut self) -> Parsed<ExprKind> {
        self.bump();
        let mut flags = vec![self.expect_any(FIB)?];
        while self.accept(".") {
            flags.push(self.expect_any(FIB)?);
        }
        Ok(ExprKind::Fib { flags, result: self.expect_any(&["oif", "oifname", "type", "check"])? })
    }

    fn numgen(&mut self) -> Parsed<ExprKind> {
        self.bump();
        let random = self.here().text == "random";
        self.expect_word("mod")?;
        let modulus = self.number("a modulus")?;
        Ok(ExprKind::Numgen { random, modulus, offset: self.offset()? })
    }

    fn symhash(&mut self) -> Parsed<ExprKind> {
        self.bump();
        self.expect_word("mod")?;
        let modulus = self.number("a modulus")?;
        Ok(ExprKind::Symhash { modulus, offset: self.offset()? })
    }

    fn jhash(&mut self) -> Parsed<ExprKind> {
        self.bump();
        let of = Box::new(self.left_side()?);
        self.expect_word("mod")?;
        let modulus = self.number("a modulus")?;
        let seed = if self.accept_word("seed") { Some(self.number("a seed")?) } else { None };
        Ok(ExprKind::Jhash { of, modulus, seed, offset: self.offset()? })
    }

    fn offset(&mut self) -> Parsed<Option<u32>> {
        if self.accept_word("offset") { self.number("an offset").map(Some) } else { Ok(None) }
    }

    fn tcp_option(&mut self) -> Parsed<ExprKind> {
        self.bump();
        self.bump();
        if self.accept("@") {
            let option = self.name_or_number("the number of a TCP option")?;
            let (offset, bits) = self.offset_and_bits()?;
            return Ok(ExprKind::TcpOption(TcpOption { option, field: TcpOptionField::Raw { offset, bits } }));
        }
        let option = self.tcp_option_name()?;
        let field = self.accept_any(words::TCP_OPTION).map_or(TcpOptionField::Whole, TcpOptionField::Named);
        Ok(ExprKind::TcpOption(TcpOption { option, field }))
    }

    /// Name (in its present form) or number of a TCP option.
    pub(super) fn tcp_option_name(&mut self) -> Parsed<Name> {
        let mut option = self.name_or_number("the name or number of a TCP option")?;
        match option.text.as_str() {
            "sack-permitted" => option.text = "sack-perm".to_owned(),
            "sack0" => option.text = "sack".to_owned(),
            "mss" => option.text = "maxseg".to_owned(),
            _ => {}
        }
        Ok(option)
    }

    fn ip_option(&mut self) -> Parsed<ExprKind> {
        self.bump();
        self.bump();
        let option = self.expect_any(&["lsrr", "ra", "rr", "ssrr"])?;
        Ok(ExprKind::IpOption { option, field: self.accept_any(words::IP_OPTION) })
    }

    fn sctp_chunk(&mut self) -> Parsed<ExprKind> {
        self.bump();
        self.bump();
        let chunk = self.name_or_number("the name of an SCTP chunk")?;
        Ok(ExprKind::SctpChunk { chunk, field: self.accept_any(words::SCTP_CHUNK) })
    }

    fn extension(&mut self) -> Parsed<ExprKind> {
        let header = self.here();
        let field = Some(self.here());
        let mut index = None;
        if self.accept("[") {
            index = Some(self.number("an index")?);
            self.expect("]")?;
        }
        Ok(ExprKind::ExtHdr { header, field, index })
    }
}
