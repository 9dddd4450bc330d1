//! Target extensions: options into [`Target`], and [`Target`] printed.

mod log;
mod marks;
mod nat;
mod packet;
mod passed;
mod queue;
mod reject;
mod sets;
mod tracking;

use super::extension::Extension;
use crate::ruleset::model::Family;
use crate::ruleset::xt::Target;
use std::fmt::{Display, Write};

/// Every target.
pub(super) static ALL: &[&[Extension<Target>]] =
    &[log::ALL, marks::ALL, nat::ALL, packet::ALL, passed::ALL, queue::ALL, reject::ALL, sets::ALL, tracking::ALL];

/// Appends ` -j NAME --options`. Chains and built-in verdicts are printed by the caller, who knows their names.
pub(super) fn print(out: &mut String, target: &Target, family: Family) {
    match target {
        Target::None | Target::Verdict(_) | Target::Chain { .. } => {}
        Target::Log { .. } | Target::Nflog { .. } | Target::Audit { .. } => log::print(out, target),
        Target::Mark { .. }
        | Target::ConnMark { .. }
        | Target::Classify { .. }
        | Target::Dscp { .. }
        | Target::Tos { .. } => marks::print(out, target),
        Target::Dnat(_)
        | Target::Snat(_)
        | Target::Masquerade { .. }
        | Target::Redirect { .. }
        | Target::Netmap { .. } => nat::print(out, target),
        Target::Ttl { .. }
        | Target::Ecn { .. }
        | Target::Checksum
        | Target::TcpMss { .. }
        | Target::TcpOptStrip { .. }
        | Target::Tee { .. }
        | Target::Trace => packet::print(out, target, family),
        Target::Nfqueue { .. } => queue::print(out, target),
        Target::Reject { with } => push(out, "REJECT", "reject-with", with),
        Target::Set { .. } => sets::print(out, target),
        Target::Ct { .. } => tracking::print(out, target),
        Target::SynProxy { options } => push_kept(out, "SYNPROXY", options),
        Target::Tproxy { options } => push_kept(out, "TPROXY", options),
        Target::Passive { name, options } | Target::Unknown { name, options } => push_kept(out, name, options),
    }
}

fn push(out: &mut String, name: &str, option: &str, value: impl Display) {
    let _ = write!(out, " -j {name} --{option} {value}");
}

fn push_kept(out: &mut String, name: &str, options: &str) {
    let blank = if options.is_empty() { "" } else { " " };
    let _ = write!(out, " -j {name}{blank}{options}");
}

/// ` --name`, if so.
fn push_if(out: &mut String, given: bool, name: &str) {
    if given {
        let _ = write!(out, " --{name}");
    }
}
