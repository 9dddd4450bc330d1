//! Extensions of stock Debian that are not modelled: their options are checked and kept as written.

use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::set_aside;
use crate::ruleset::xt::Match;

pub(super) static ALL: &[Extension<Match>] =
    &[
        Extension::new(
            "owner",
            &[
                Opt::value("uid-owner").not(),
                Opt::value("gid-owner").not(),
                Opt::flag("socket-exists").not(),
                Opt::flag("suppl-groups"),
            ],
            |o| keep(o, "owner"),
        )
        .chains(&["OUTPUT", "POSTROUTING"]),
        Extension::new("cgroup", &[Opt::value("cgroup").not(), Opt::value("path").not()], |o| keep(o, "cgroup"))
            .chains(&["INPUT", "OUTPUT", "POSTROUTING"]),
        Extension::new("nfacct", &[Opt::value("nfacct-name")], |o| keep(o, "nfacct")),
        Extension::new("osf", &[Opt::value("genre").not(), Opt::value("ttl"), Opt::value("log")], |o| keep(o, "osf"))
            .v4(),
        Extension::new(
            "ipvs",
            &[
                Opt::flag("ipvs").not(),
                Opt::value("vproto").not(),
                Opt::value("vaddr").not(),
                Opt::value("vport").not(),
                Opt::value("vdir"),
                Opt::value("vmethod").not(),
                Opt::value("vportctl").not(),
            ],
            |o| keep(o, "ipvs"),
        ),
        Extension::new("ipcomp", &[Opt::value("ipcompspi").not(), Opt::flag("compres")], |o| keep(o, "ipcomp"))
            .protocols(&["ipcomp"]),
        Extension::new(
            "rateest",
            &[
                Opt::value("rateest"),
                Opt::flag("rateest-delta"),
                Opt::value("rateest1"),
                Opt::value("rateest2"),
                Opt::flag("rateest-lt").not(),
                Opt::flag("rateest-gt").not(),
                Opt::flag("rateest-eq").not(),
                // Their value may be left out; `keep` prints what there is.
                Opt::value("rateest-bps"),
                Opt::value("rateest-pps"),
                Opt::value("rateest-bps1"),
                Opt::value("rateest-bps2"),
                Opt::value("rateest-pps1"),
                Opt::value("rateest-pps2"),
            ],
            |o| keep(o, "rateest"),
        ),
        Extension::new(
            "srh",
            &[
                Opt::value("srh-next-hdr").not(),
                Opt::value("srh-hdr-len-eq").not(),
                Opt::value("srh-hdr-len-gt").not(),
                Opt::value("srh-hdr-len-lt").not(),
                Opt::value("srh-segs-left-eq").not(),
                Opt::value("srh-segs-left-gt").not(),
                Opt::value("srh-segs-left-lt").not(),
                Opt::value("srh-last-entry-eq").not(),
                Opt::value("srh-last-entry-gt").not(),
                Opt::value("srh-last-entry-lt").not(),
                Opt::value("srh-tag").not(),
                Opt::value("srh-psid").not(),
                Opt::value("srh-nsid").not(),
                Opt::value("srh-lsid").not(),
            ],
            |o| keep(o, "srh"),
        )
        .v6(),
    ];

fn keep(o: &Options<'_>, name: &str) -> Result<Match, RuleError> {
    Ok(Match::Unknown { name: name.into(), options: set_aside::options_text(o) })
}
