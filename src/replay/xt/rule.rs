//! A rule: head, matches, target.

use super::super::skb::{HookContext, Skb};
use super::super::world::{Answer, World};
use super::{Preparation, PreparedTarget, StatefulMatch, stateful};
use crate::ruleset::xt::RuleBody;

/// A rule made ready to judge packets.
pub struct PreparedRule {
    matchers: Box<[Matcher]>,
    target: PreparedTarget,
}

enum Matcher {
    Never,
    Stateful(Box<dyn StatefulMatch + Send>),
}

impl PreparedRule {
    /// Makes a rule ready.
    pub fn new(body: &RuleBody, with: &mut Preparation<'_>) -> Self {
        let matcher = |of| stateful::prepare(of, with).map_or(Matcher::Never, Matcher::Stateful);
        let matchers = body.matches.iter().map(matcher).collect();
        Self { matchers, target: PreparedTarget::new(&body.target, with) }
    }

    /// Whether the rule counts the packet and acts on it.
    #[inline]
    pub fn matches(&mut self, skb: &Skb<'_>, hook: &HookContext, world: &mut World<'_>) -> Answer {
        for matcher in &mut self.matchers {
            let answer = match matcher {
                Matcher::Never => Answer::No,
                Matcher::Stateful(matcher) => matcher.matches(skb, hook, world),
            };
            if answer != Answer::Yes {
                return answer;
            }
        }
        Answer::Yes
    }

    /// What it does.
    #[inline]
    pub fn target(&mut self) -> &mut PreparedTarget {
        &mut self.target
    }
}
