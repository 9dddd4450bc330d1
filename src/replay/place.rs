//! What a capture does not say of the host under test and its place in the network: what was given, what was assumed.

use super::flows::Flow;
use super::wiring::{Vantage, Wiring};
use crate::report::units;
use crate::ruleset::lint::unseen::Need;
use crate::ruleset::model::{Hook, Ruleset};
use std::collections::BTreeSet;

/// Interfaces whose names somebody gave; the others have assumed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Named {
    /// `--iface inside=…`.
    pub inside: bool,
    /// `--iface outside=…`.
    pub outside: bool,
}

/// The host's place.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// As rules see it.
    pub wiring: &'a Wiring,
    /// What of it was given.
    pub named: Named,
}

impl Place<'_> {
    /// What was assumed of the whole replay, a sentence each. `through` packets were forwarded.
    pub fn assumptions(&self, through: u64) -> Vec<String> {
        let routes = &self.wiring.routes;
        let mut said = Vec::new();
        match self.wiring.vantage {
            Vantage::Gateway => {
                if routes.local.is_empty() {
                    let what = "no --local was given, so the rules are taken as a gateway's: every packet is forwarded, \
                                and chains of INPUT and OUTPUT see none";
                    said.push(what.to_owned());
                }
                if routes.inside.is_empty() {
                    said.push(format!(
                        "no --inside was given (nor networks by a policy), so every packet comes in and leaves by {}",
                        routes.outside_if
                    ));
                }
            }
            Vantage::Host if through > 0 => {
                let local: Vec<String> = routes.local.iter().map(ToString::to_string).collect();
                said.push(format!(
                    "{} from nor to --local ({}): the rules see them in FORWARD, as if the host routed them",
                    if through == 1 {
                        "1 packet is neither".into()
                    } else {
                        format!("{} packets are neither", units::count(through))
                    },
                    local.join(", ")
                ));
            }
            Vantage::Host => {}
        }
        said
    }

    /// What of a rule's answer was assumed; `None` if it was given.
    pub fn assumed(&self, need: &Need) -> Option<String> {
        let Need::Interface { name, ending } = need else { return Some(need.assumed()) };
        let routes = &self.wiring.routes;
        let outside = (&*routes.outside_if, self.named.outside);
        match self.wiring.vantage {
            Vantage::Host => Need::of_interface(name, *ending, &[outside]),
            Vantage::Gateway => Need::of_interface(name, *ending, &[(&*routes.inside_if, self.named.inside), outside]),
        }
    }

    /// What is odd about a ruleset in this place.
    pub fn of_ruleset(&self, ruleset: &Ruleset) -> Option<String> {
        if ruleset.rules().next().is_none() {
            return Some(
                "there is no rule in it: the policies of its chains decide, and sets alone do nothing".to_owned(),
            );
        }
        let bases = ruleset.tables.iter().flat_map(|table| &table.chains);
        let hooks: BTreeSet<Hook> = bases
            .filter(|chain| !chain.rules.is_empty())
            .filter_map(|chain| chain.base.as_ref().map(|base| base.hook))
            .collect();
        let (own, passing) = ([Hook::Input, Hook::Output], Hook::Forward);
        match self.wiring.vantage {
            Vantage::Gateway if !hooks.contains(&passing) && own.iter().any(|hook| hooks.contains(hook)) => Some(
                "its rules are in INPUT and OUTPUT, where a gateway's packets do not come: for a host's ruleset give \
                 the host's addresses by --local"
                    .to_owned(),
            ),
            Vantage::Host if hooks.contains(&passing) && !own.iter().any(|hook| hooks.contains(hook)) => Some(
                "its rules are in FORWARD, where a host's own packets do not come: for a gateway's ruleset give \
                 --inside instead of --local"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    /// `true` if the host is no party to a conversation.
    pub fn is_between_others(&self, flow: &Flow) -> bool {
        let is_own = |address| self.wiring.is_local(address);
        self.wiring.vantage == Vantage::Host && !is_own(flow.orig.ip()) && !is_own(flow.resp.ip())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests
    use super::*;
    use crate::replay::world::Routes;

    fn wiring(vantage: Vantage) -> Wiring {
        let routes = Routes {
            local: vec!["10.0.0.1".parse().unwrap()],
            inside: vec![("10.0.0.0".parse().unwrap(), 24)],
            inside_if: "eth1".into(),
            outside_if: "eth0".into(),
        };
        Wiring { vantage, routes }
    }

    fn of(name: &str, vantage: Vantage, named: Named) -> Option<String> {
        let wiring = wiring(vantage);
        Place { wiring: &wiring, named }.assumed(&Need::Interface { name: name.into(), ending: None })
    }

    #[test]
    fn a_given_interface_needs_no_word() {
        let both = Named { inside: true, outside: true };
        assert_eq!(of("eth0", Vantage::Gateway, both), None);
        assert_eq!(of("eth0", Vantage::Host, both), None);
        assert!(of("eth1", Vantage::Gateway, Named { inside: false, outside: true }).unwrap().contains("assumed"));
        assert!(of("eth0", Vantage::Host, Named::default()).unwrap().contains("assumed"));
    }

    #[test]
    fn an_interface_that_no_packet_takes_is_told() {
        let said = of("ens3", Vantage::Host, Named::default()).unwrap();
        assert_eq!(said, "interface ens3: packets come and go by eth0 here: see --iface");
        assert!(of("lo", Vantage::Host, Named::default()).unwrap().contains("itself"));
    }

    #[test]
    fn packets_of_others_are_told() {
        let wiring = wiring(Vantage::Host);
        let place = Place { wiring: &wiring, named: Named::default() };
        assert_eq!(place.assumptions(0), Vec::<String>::new());
        assert!(
            place.assumptions(3).first().unwrap().starts_with("3 packets are neither from nor to --local (10.0.0.1)")
        );
    }
}
