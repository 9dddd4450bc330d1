//! `mark`, `connmark`, `dscp`, `tos`, `realm`, `devgroup`: numbers, most under a mask.

use super::{push_inv, push_some};
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::dscp;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::values::{self, masked_u32};
use crate::ruleset::xt::{Inv, Match};

pub(super) static ALL: &[Extension<Match>] = &[
    Extension::new("mark", &[Opt::value("mark").not()], |o| {
        let Inv { not, value: (mark, mask) } = o.need_inv("mark", masked_u32)?;
        Ok(Match::Mark { mark: Inv { not, value: mark }, mask })
    }),
    Extension::new("connmark", &[Opt::value("mark").not()], |o| {
        let Inv { not, value: (mark, mask) } = o.need_inv("mark", masked_u32)?;
        Ok(Match::ConnMark { mark: Inv { not, value: mark }, mask })
    }),
    Extension::new("dscp", &[Opt::value("dscp").not(), Opt::value("dscp-class").not()], |o| {
        let given = o.one_of(&["dscp", "dscp-class"])?.ok_or_else(|| o.missing("--dscp or --dscp-class"))?;
        let value = match given.option.name {
            "dscp" => o.read(given, |text| values::number(text, 63))? as u8,
            _ => o.read(given, dscp::class)?,
        };
        Ok(Match::Dscp(Inv { not: given.not, value }))
    }),
    Extension::new("tos", &[Opt::value("tos").not()], |o| {
        let Inv { not, value: (value, mask) } = o.need_inv("tos", |text| dscp::tos(text, u8::MAX))?;
        Ok(Match::Tos { value: Inv { not, value }, mask })
    }),
    Extension::new("realm", &[Opt::value("realm").not()], |o| {
        let Inv { not, value: (realm, mask) } = o.need_inv("realm", |text| match text {
            "cosmos" => Ok((0, u32::MAX)),
            _ => masked_u32(text).map_err(|message| format!("{message} (names of rt_realms are not known here)")),
        })?;
        Ok(Match::Realm { realm: Inv { not, value: realm }, mask })
    })
    .v4(),
    Extension::new("devgroup", &[Opt::value("src-group").not(), Opt::value("dst-group").not()], devgroup),
];

fn devgroup(o: &Options<'_>) -> Result<Match, RuleError> {
    let (src, dst) = (o.inv("src-group", masked_u32)?, o.inv("dst-group", masked_u32)?);
    if src.is_none() && dst.is_none() {
        return Err(o.missing("--src-group or --dst-group"));
    }
    Ok(Match::DevGroup { src, dst })
}

/// `0x1`, or `0x1/0xff`.
fn masked_text(value: u32, mask: u32) -> String {
    if mask == u32::MAX { format!("{value:#x}") } else { format!("{value:#x}/{mask:#x}") }
}

pub(super) fn print(out: &mut String, one: &Match) {
    match one {
        Match::Mark { mark, mask } => {
            out.push_str(" -m mark");
            push_inv(out, Inv { not: mark.not, value: masked_text(mark.value, *mask) }, "mark");
        }
        Match::ConnMark { mark, mask } => {
            out.push_str(" -m connmark");
            push_inv(out, Inv { not: mark.not, value: masked_text(mark.value, *mask) }, "mark");
        }
        Match::Dscp(dscp) => {
            out.push_str(" -m dscp");
            push_inv(out, Inv { not: dscp.not, value: format!("{:#04x}", dscp.value) }, "dscp");
        }
        Match::Tos { value, mask } => {
            out.push_str(" -m tos");
            push_inv(out, Inv { not: value.not, value: format!("{:#04x}/{mask:#04x}", value.value) }, "tos");
        }
        Match::Realm { realm, mask } => {
            out.push_str(" -m realm");
            // The one name that every rt_realms has.
            let value = if (realm.value, *mask) == (0, u32::MAX) {
                "cosmos".to_owned()
            } else {
                masked_text(realm.value, *mask)
            };
            push_inv(out, Inv { not: realm.not, value }, "realm");
        }
        Match::DevGroup { src, dst } => {
            out.push_str(" -m devgroup");
            let text =
                |group: Inv<(u32, u32)>| Inv { not: group.not, value: masked_text(group.value.0, group.value.1) };
            push_some(out, src.map(text), "src-group");
            push_some(out, dst.map(text), "dst-group");
        }
        _ => {}
    }
}
