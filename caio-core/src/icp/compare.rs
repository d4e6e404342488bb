//! Who changes tier between two models, and why; and which tiers a model can reach at all.

use serde::Serialize;

use super::model::Model;
use super::score::Explanation;
use crate::lead::Lead;
use crate::terms::Tier;

/// One lead under two models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Under the first.
    pub before: Explanation,
    /// Under the second.
    pub after: Explanation,
}

impl Change {
    /// The tier differs.
    pub fn is_move(&self) -> bool {
        self.before.tier != self.after.tier
    }

    /// Components whose points differ, such as `title 25 -> 15`.
    pub fn components(&self) -> Vec<String> {
        let (a, b) = (self.before.breakdown, self.after.breakdown);
        let pairs = [
            ("size", a.size, b.size),
            ("title", a.title, b.title),
            ("industry", a.industry, b.industry),
            ("technology", a.technology, b.technology),
            ("intent", a.intent, b.intent),
            ("bonus", a.bonus, b.bonus),
            ("multiplier", a.multiplier_percent, b.multiplier_percent),
        ];
        let differing = pairs.into_iter().filter(|(_, a, b)| a != b);
        differing
            .map(|(name, a, b)| format!("{name} {a} -> {b}"))
            .collect()
    }
}

/// `lead` under `a` and under `b`.
pub fn compare(a: &Model, b: &Model, lead: &Lead) -> Change {
    Change {
        before: a.explain(lead),
        after: b.explain(lead),
    }
}

/// The tiers that a lead can reach when nothing is known of what it did: best first.
///
/// A source without intent data leaves `intent` and `bonus` at 0 (D-04).
pub fn reachable_tiers(model: &Model, with_intent: bool) -> Vec<Tier> {
    let data = &model.data;
    let best = |points: &mut dyn Iterator<Item = u32>| points.max().unwrap_or(0);
    let mut sum = best(&mut data.size.iter().map(|band| band.points))
        + best(&mut data.title.iter().map(|class| class.points))
        + best(&mut data.industry.iter().map(|class| class.points))
        + data.technology.cap;
    if with_intent {
        sum += data.intent.cap + best(&mut data.bonus.values().copied());
    }
    let factor = data
        .multiplier
        .iter()
        .map(|it| it.percent)
        .max()
        .unwrap_or(100)
        .max(100);
    let best = model.tier_of((sum * factor / 100).min(data.cap));
    Tier::ALL
        .iter()
        .copied()
        .filter(|tier| *tier >= best)
        .collect()
}
