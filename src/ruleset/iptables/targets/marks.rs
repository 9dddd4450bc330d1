//! `MARK`, `CONNMARK`, `CLASSIFY`, `DSCP`, `TOS`: numbers set, most under a mask.
//!
//! `--set-mark`, `--and-mark`, `--or-mark`, `--xor-mark` all come down to `new = (old & !mask) ^ value`.

use super::push;
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::dscp;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::values::{self, masked_u32};
use crate::ruleset::xt::{ConnMarkOp, Target};
use std::fmt::Write;

const SET_XMARK: Opt = Opt::value("set-xmark");
const SET_MARK: Opt = Opt::value("set-mark");
const AND_MARK: Opt = Opt::value("and-mark");
const OR_MARK: Opt = Opt::value("or-mark");
const XOR_MARK: Opt = Opt::value("xor-mark");

pub(super) static ALL: &[Extension<Target>] = &[
    Extension::new("MARK", &[SET_XMARK, SET_MARK, AND_MARK, OR_MARK, XOR_MARK], |o| {
        let (value, mask) = mark(o)?.ok_or_else(|| o.missing("--set-mark, --and-mark, --or-mark or --xor-mark"))?;
        Ok(Target::Mark { mask, value })
    }),
    Extension::new(
        "CONNMARK",
        &[
            SET_XMARK,
            SET_MARK,
            AND_MARK,
            OR_MARK,
            XOR_MARK,
            Opt::flag("save-mark"),
            Opt::flag("restore-mark"),
            Opt::value("ctmask"),
            Opt::value("nfmask"),
            Opt::value("mask"),
            Opt::value("left-shift-mark"),
            Opt::value("right-shift-mark"),
        ],
        connmark,
    ),
    Extension::new("CLASSIFY", &[Opt::value("set-class")], |o| {
        let class = o.need("set-class", |text| {
            let (major, minor) = text.split_once(':').unwrap_or_default();
            match (u16::from_str_radix(major, 16), u16::from_str_radix(minor, 16)) {
                (Ok(major), Ok(minor)) => Ok(u32::from(major) << 16 | u32::from(minor)),
                _ => Err(format!("`{text}` is not a class: major:minor in hexadecimal is expected")),
            }
        })?;
        Ok(Target::Classify { class })
    })
    .chains(&["FORWARD", "OUTPUT", "POSTROUTING"]),
    Extension::new("DSCP", &[Opt::value("set-dscp"), Opt::value("set-dscp-class")], |o| {
        let given = o.one_of(&["set-dscp", "set-dscp-class"])?;
        let given = given.ok_or_else(|| o.missing("--set-dscp or --set-dscp-class"))?;
        let value = match given.option.name {
            "set-dscp" => o.read(given, |text| values::number(text, 63))? as u8,
            _ => o.read(given, dscp::class)?,
        };
        Ok(Target::Dscp { value })
    })
    .tables(&["mangle"]),
    Extension::new(
        "TOS",
        &[Opt::value("set-tos"), Opt::value("and-tos"), Opt::value("or-tos"), Opt::value("xor-tos")],
        tos,
    )
    .tables(&["mangle"]),
];

/// Value and mask.
fn mark(o: &Options<'_>) -> Result<Option<(u32, u32)>, RuleError> {
    let Some(given) = o.one_of(&["set-xmark", "set-mark", "and-mark", "or-mark", "xor-mark"])? else {
        return Ok(None);
    };
    Ok(Some(match given.option.name {
        "set-xmark" => o.read(given, masked_u32)?,
        "set-mark" => {
            let (value, mask) = o.read(given, masked_u32)?;
            (value, mask | value)
        }
        "and-mark" => (0, !o.read(given, values::u32)?),
        "or-mark" => {
            let bits = o.read(given, values::u32)?;
            (bits, bits)
        }
        _ => (o.read(given, values::u32)?, 0),
    }))
}

fn connmark(o: &Options<'_>) -> Result<Target, RuleError> {
    let named = ["set-xmark", "set-mark", "and-mark", "or-mark", "xor-mark", "save-mark", "restore-mark"];
    let given = o.one_of(&named)?.ok_or_else(|| o.missing("--set-mark, --save-mark or --restore-mark"))?;
    let op = match given.option.name {
        "save-mark" => ConnMarkOp::Save,
        "restore-mark" => ConnMarkOp::Restore,
        _ => ConnMarkOp::Set,
    };
    let masks = ["ctmask", "nfmask", "mask"].iter().find_map(|name| o.find(name));
    if let (Some(mask), ConnMarkOp::Set) = (masks, op) {
        return Err(o.fault(&mask.word, format!("--{} goes with --save-mark and --restore-mark", mask.option.name)));
    }
    if let (Some(mask), true) = (o.find("mask"), o.flag("ctmask") || o.flag("nfmask")) {
        return Err(o.fault(&mask.word, "--mask cannot be used together with --ctmask and --nfmask"));
    }
    let shift = match o.one_of(&["left-shift-mark", "right-shift-mark"])? {
        Some(given) => {
            let bits = o.read(given, |text| values::number(text, 32))? as u8;
            Some((given.option.name == "left-shift-mark", bits))
        }
        None => None,
    };
    let (value, set_mask) = mark(o)?.unwrap_or((0, u32::MAX));
    let both = o.value("mask", values::u32)?;
    Ok(Target::ConnMark {
        op,
        ct_mask: o.value("ctmask", values::u32)?.or(both).unwrap_or(set_mask),
        nf_mask: o.value("nfmask", values::u32)?.or(both).unwrap_or(u32::MAX),
        value,
        shift,
    })
}

fn tos(o: &Options<'_>) -> Result<Target, RuleError> {
    let given = o.one_of(&["set-tos", "and-tos", "or-tos", "xor-tos"])?;
    let given = given.ok_or_else(|| o.missing("--set-tos, --and-tos, --or-tos or --xor-tos"))?;
    let (value, mask) = match given.option.name {
        "set-tos" => o.read(given, |text| dscp::tos(text, u8::MAX))?,
        "and-tos" => (0, !o.read(given, values::u8)?),
        "or-tos" => {
            let bits = o.read(given, values::u8)?;
            (bits, bits)
        }
        _ => (o.read(given, values::u8)?, 0),
    };
    Ok(Target::Tos { value, mask })
}

pub(super) fn print(out: &mut String, target: &Target) {
    match target {
        Target::Mark { mask, value } => push(out, "MARK", "set-xmark", format_args!("{value:#x}/{mask:#x}")),
        Target::ConnMark { op, ct_mask, nf_mask, value, shift } => {
            match op {
                ConnMarkOp::Set => push(out, "CONNMARK", "set-xmark", format_args!("{value:#x}/{ct_mask:#x}")),
                ConnMarkOp::Save | ConnMarkOp::Restore => {
                    let name = if *op == ConnMarkOp::Save { "save" } else { "restore" };
                    let _ = write!(out, " -j CONNMARK --{name}-mark --nfmask {nf_mask:#x} --ctmask {ct_mask:#x}");
                }
            }
            if let Some((left, bits)) = shift {
                let _ = write!(out, " --{}-shift-mark {bits}", if *left { "left" } else { "right" });
            }
        }
        Target::Classify { class } => {
            push(out, "CLASSIFY", "set-class", format_args!("{:04x}:{:04x}", class >> 16, class & 0xffff));
        }
        Target::Dscp { value } => push(out, "DSCP", "set-dscp", format_args!("{value:#04x}")),
        Target::Tos { value, mask } => push(out, "TOS", "set-tos", format_args!("{value:#04x}/{mask:#04x}")),
        _ => {}
    }
}
