//! Chains that lead back to themselves, which the kernel refuses if a packet can get there (`mark_source_chains`).

use super::tables::led_to;
use crate::ruleset::error::RuleError;
use crate::ruleset::model::Table;

/// How far a chain has been followed.
#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    Open,
    Done,
}

/// Follows every jump from the base chains.
pub(super) fn check(table: &Table) -> Result<(), RuleError> {
    let mut marks = vec![Mark::New; table.chains.len()];
    for (start, chain) in table.chains.iter().enumerate() {
        if chain.base.is_some() {
            follow(table, start, &mut marks)?;
        }
    }
    Ok(())
}

fn follow(table: &Table, start: usize, marks: &mut [Mark]) -> Result<(), RuleError> {
    // Chain, and its next rule: a stack of its own, as chains may nest as deep as a file likes.
    let mut stack = vec![(start, 0_usize)];
    while let Some((chain, next)) = stack.pop() {
        if let Some(mark) = marks.get_mut(chain) {
            *mark = Mark::Open;
        }
        let Some(rules) = table.chains.get(chain).map(|chain| &chain.rules) else { continue };
        let jump = rules.iter().enumerate().skip(next).find_map(|(index, rule)| Some((index, rule, led_to(rule)?)));
        let Some((index, rule, to)) = jump else {
            if let Some(mark) = marks.get_mut(chain) {
                *mark = Mark::Done;
            }
            continue;
        };
        let to = to.0 as usize;
        stack.push((chain, index.saturating_add(1)));
        match marks.get(to).copied() {
            Some(Mark::New) => stack.push((to, 0)),
            Some(Mark::Open) => {
                let name = table.chains.get(to).map_or("", |chain| &chain.name);
                let message =
                    format!("this rule leads back into chain {name}, which leads here: the kernel refuses loops");
                return Err(RuleError::new(rule.place.clone(), message));
            }
            _ => {}
        }
    }
    Ok(())
}
