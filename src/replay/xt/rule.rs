//! A rule: head, matches, target, in the order in which `ipt_do_table` and `nft_do_chain` ask them.

use super::super::skb::{HookContext, Skb};
use super::super::world::{Answer, World};
use super::head::Head;
use super::matches::Matcher;
use super::target::PreparedTarget;
use super::{Act, Preparation};
use crate::ruleset::xt::RuleBody;

/// A rule made ready to judge packets.
pub struct PreparedRule {
    head: Head,
    matchers: Box<[Matcher]>,
    target: PreparedTarget,
}

impl PreparedRule {
    /// Makes a rule ready.
    pub fn new(body: &RuleBody, with: &mut Preparation<'_>) -> Self {
        let matchers = body.matches.iter().map(|of| Matcher::new(of, with)).collect();
        Self { head: Head::new(&body.head, with), matchers, target: PreparedTarget::new(&body.target, with) }
    }

    /// Whether the rule counts the packet and acts on it.
    #[inline]
    pub fn matches(&mut self, skb: &Skb<'_>, hook: &HookContext, world: &mut World<'_>) -> Answer {
        let view = match self.head.fits(skb, hook) {
            Ok(view) => view,
            Err(answer) => return answer,
        };
        for matcher in &mut self.matchers {
            match matcher.matches(skb, &view, hook, world) {
                Answer::Yes => {}
                other => return other,
            }
        }
        Answer::Yes
    }

    /// Lets the target act on a packet that matched.
    #[inline]
    pub fn act(&mut self, skb: &mut Skb<'_>, hook: &HookContext, world: &mut World<'_>) -> Act {
        self.target.act(skb, hook, world)
    }
}
