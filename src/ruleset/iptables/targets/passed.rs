//! Targets whose doings are outside a capture, or not modelled: their options are checked and kept.

use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::{address, set_aside, values};
use crate::ruleset::xt::Target;
use std::fmt::Write;

pub(super) static ALL: &[Extension<Target>] = &[
    Extension::new(
        "SYNPROXY",
        &[Opt::flag("sack-perm"), Opt::flag("timestamp"), Opt::value("wscale"), Opt::value("mss"), Opt::flag("ecn")],
        synproxy,
    )
    .protocols(&["tcp"])
    .chains(&["INPUT", "FORWARD"]),
    Extension::new("TPROXY", &[Opt::value("on-port"), Opt::value("on-ip"), Opt::value("tproxy-mark")], tproxy)
        .protocols(&["tcp", "udp"])
        .tables(&["mangle"])
        .chains(&["PREROUTING"]),
    Extension::new("CONNSECMARK", &[Opt::flag("save"), Opt::flag("restore")], |o| {
        let given = o.one_of(&["save", "restore"])?.ok_or_else(|| o.missing("--save or --restore"))?;
        Ok(Target::Passive { name: "CONNSECMARK".into(), options: format!("--{}", given.option.name) })
    })
    .tables(&["mangle", "security"]),
    Extension::new("SECMARK", &[Opt::value("selctx")], |o| passive(o, "SECMARK")).tables(&["mangle", "security"]),
    Extension::new("IDLETIMER", &[Opt::value("timeout"), Opt::value("label"), Opt::flag("alarm")], |o| {
        passive(o, "IDLETIMER")
    }),
    Extension::new(
        "LED",
        &[Opt::value("led-trigger-id"), Opt::value("led-delay"), Opt::flag("led-always-blink")],
        |o| passive(o, "LED"),
    ),
    Extension::new(
        "RATEEST",
        &[Opt::value("rateest-name"), Opt::value("rateest-interval"), Opt::value("rateest-ewmalog")],
        |o| passive(o, "RATEEST"),
    ),
    Extension::new(
        "HMARK",
        &[
            Opt::value("hmark-tuple"),
            Opt::value("hmark-mod"),
            Opt::value("hmark-offset"),
            Opt::value("hmark-rnd"),
            Opt::value("hmark-src-prefix"),
            Opt::value("hmark-dst-prefix"),
            Opt::value("hmark-sport-mask"),
            Opt::value("hmark-dport-mask"),
            Opt::value("hmark-spi-mask"),
            Opt::value("hmark-proto-mask"),
            Opt::value("hmark-sport"),
            Opt::value("hmark-dport"),
            Opt::value("hmark-spi"),
        ],
        |o| unknown(o, "HMARK"),
    ),
    Extension::new("SNPT", &[Opt::value("src-pfx"), Opt::value("dst-pfx")], |o| unknown(o, "SNPT"))
        .v6()
        .tables(&["mangle"]),
    Extension::new("DNPT", &[Opt::value("src-pfx"), Opt::value("dst-pfx")], |o| unknown(o, "DNPT"))
        .v6()
        .tables(&["mangle"]),
    Extension::new(
        "CLUSTERIP",
        &[
            Opt::flag("new"),
            Opt::value("hashmode"),
            Opt::value("clustermac"),
            Opt::value("total-nodes"),
            Opt::value("local-node"),
            Opt::value("hash-init"),
        ],
        |o| unknown(o, "CLUSTERIP"),
    )
    .v4(),
    Extension::new(
        "ULOG",
        &[
            Opt::value("ulog-nlgroup"),
            Opt::value("ulog-prefix"),
            Opt::value("ulog-cprange"),
            Opt::value("ulog-qthreshold"),
        ],
        |o| passive(o, "ULOG"),
    )
    .v4(),
];

fn passive(o: &Options<'_>, name: &str) -> Result<Target, RuleError> {
    Ok(Target::Passive { name: name.into(), options: set_aside::options_text(o) })
}

fn unknown(o: &Options<'_>, name: &str) -> Result<Target, RuleError> {
    Ok(Target::Unknown { name: name.into(), options: set_aside::options_text(o) })
}

fn synproxy(o: &Options<'_>) -> Result<Target, RuleError> {
    let mut options = String::new();
    super::push_if(&mut options, o.flag("sack-perm"), "sack-perm");
    super::push_if(&mut options, o.flag("timestamp"), "timestamp");
    if let Some(scale) = o.value("wscale", |text| values::number(text, 14))? {
        let _ = write!(options, " --wscale {scale}");
    }
    if let Some(mss) = o.value("mss", values::u16)? {
        let _ = write!(options, " --mss {mss}");
    }
    super::push_if(&mut options, o.flag("ecn"), "ecn");
    Ok(Target::SynProxy { options: options.trim_start().into() })
}

fn tproxy(o: &Options<'_>) -> Result<Target, RuleError> {
    let port = o.need("on-port", values::port)?;
    let none = if o.v6() { "::" } else { "0.0.0.0" };
    let ip = o.value("on-ip", |text| address::address(text, o.env.family))?.map_or_else(|| none.into(), address::text);
    let (mark, mask) = o.value("tproxy-mark", values::masked_u32)?.unwrap_or((0, 0));
    Ok(Target::Tproxy { options: format!("--on-port {port} --on-ip {ip} --tproxy-mark {mark:#x}/{mask:#x}") })
}
