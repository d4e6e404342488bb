//! What a lead scores, without a word (for bulk work) or with every reason.

use serde::Serialize;

use super::model::{AtLeast, Class, Disqualified, Model, TechnologyCount, UnknownSize};
use crate::lead::{Intent, Lead};
use crate::terms::Tier;

/// Points by component, before cap and multiplier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Breakdown {
    /// Head count.
    pub size: u32,
    /// Job title.
    pub title: u32,
    /// Industry.
    pub industry: u32,
    /// Technologies in use.
    pub technology: u32,
    /// What the lead did.
    pub intent: u32,
    /// How the lead was found.
    pub bonus: u32,
    /// Applied to the sum, per cent.
    pub multiplier_percent: u32,
}

/// The score of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Points {
    /// 0 to the model's cap.
    pub points: u32,
    /// Absent for a disqualified lead, where the model says so.
    pub tier: Option<Tier>,
    /// The company is too small.
    pub disqualified: bool,
    /// A person should look at it.
    pub needs_review: bool,
    /// Points by component.
    pub breakdown: Breakdown,
}

/// The score of a lead, with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// 0 to the model's cap.
    pub points: u32,
    /// Absent for a disqualified lead, where the model says so.
    pub tier: Option<Tier>,
    /// Why it is disqualified.
    pub disqualified: Option<String>,
    /// A person should look at it.
    pub needs_review: bool,
    /// Points by component.
    pub breakdown: Breakdown,
    /// One line a component, then the sum.
    pub reasons: Vec<String>,
}

/// What was found, for points and reasons alike.
struct Found<'a> {
    employees: Option<u32>,
    title: Option<&'a Class>,
    industry: Option<&'a Class>,
    points: Points,
}

/// What single texts of a lead mean: positions of classes.
pub(super) trait Words {
    fn title(&mut self, text: &str) -> Option<usize>;
    fn industry(&mut self, text: &str) -> Option<usize>;
    /// A bit set.
    fn technology(&mut self, text: &str) -> u32;
}

impl Words for &Model {
    fn title(&mut self, text: &str) -> Option<usize> {
        self.title_class(text)
    }

    fn industry(&mut self, text: &str) -> Option<usize> {
        self.industry_class(text)
    }

    fn technology(&mut self, text: &str) -> u32 {
        self.technology_classes(text)
    }
}

impl Model {
    /// The score of one lead; for many, see [`super::Scorer`].
    pub fn points(&self, lead: &Lead) -> Points {
        self.points_by(lead, self)
    }

    pub(super) fn points_by(&self, lead: &Lead, words: impl Words) -> Points {
        self.find(lead, words).points
    }

    pub(super) fn title_class(&self, text: &str) -> Option<usize> {
        self.titles.class_of(text)
    }

    pub(super) fn industry_class(&self, text: &str) -> Option<usize> {
        self.industries.class_of(text)
    }

    pub(super) fn technology_classes(&self, text: &str) -> u32 {
        self.technologies.classes_of(text)
    }

    /// The score, with one reason a component; for many, see [`super::Scorer`].
    pub fn explain(&self, lead: &Lead) -> Explanation {
        self.explain_by(lead, self)
    }

    pub(super) fn explain_by(&self, lead: &Lead, words: impl Words) -> Explanation {
        let found = self.find(lead, words);
        let Points {
            points,
            tier,
            disqualified,
            needs_review,
            breakdown,
        } = found.points;
        let size = found
            .employees
            .map_or("unknown size".to_owned(), |n| format!("{n} employees"));
        let class =
            |class: Option<&Class>| class.map_or("no class", |class| &class.name).to_owned();
        let mut reasons = vec![
            format!("+{} size: {size}", breakdown.size),
            format!(
                "+{} title: {:?} is {}",
                breakdown.title,
                lead.title,
                class(found.title)
            ),
            format!(
                "+{} industry: {:?} is {}",
                breakdown.industry,
                lead.company.industry,
                class(found.industry)
            ),
            format!(
                "+{} technology: {}",
                breakdown.technology,
                list(&lead.company.technologies)
            ),
            format!(
                "+{} intent: {}",
                breakdown.intent,
                intent_text(&lead.intent, &lead.source.kind)
            ),
        ];
        if breakdown.bonus > 0 {
            reasons.push(format!(
                "+{} found as {}",
                breakdown.bonus, lead.source.kind
            ));
        }
        if breakdown.multiplier_percent != 100 {
            reasons.push(format!(
                "x{}% for this title and industry",
                breakdown.multiplier_percent
            ));
        }
        reasons.push(format!("= {points} of {}", self.data.cap));
        let disqualified =
            disqualified.then(|| format!("fewer than {} employees", self.data.smallest));
        Explanation {
            points,
            tier,
            disqualified,
            needs_review,
            breakdown,
            reasons,
        }
    }

    fn find(&self, lead: &Lead, mut words: impl Words) -> Found<'_> {
        let data = &self.data;
        let employees = match data.unknown_size {
            UnknownSize::Disqualify => Some(lead.company.employees.unwrap_or(0)),
            UnknownSize::NoPoints => lead.company.employees,
        };
        let title = words.title(&lead.title).and_then(|at| data.title.get(at));
        let industry = words
            .industry(&lead.company.industry)
            .and_then(|at| data.industry.get(at));
        let kind = lead.source.kind.as_str();
        let mut breakdown = Breakdown {
            size: employees.map_or(0, |employees| self.size(employees)),
            title: title.map_or(0, |class| class.points),
            industry: industry.map_or(0, |class| class.points),
            technology: self.technology(&lead.company.technologies, words),
            intent: self.intent(&lead.intent, kind),
            bonus: data.bonus.get(kind).copied().unwrap_or(0),
            multiplier_percent: 100,
        };
        let fits = |wanted: Option<&String>, class: Option<&Class>| {
            wanted.is_none_or(|wanted| class.is_some_and(|class| class.name == *wanted))
        };
        if let Some(multiplier) = data
            .multiplier
            .iter()
            .find(|it| fits(it.title.as_ref(), title) && fits(it.industry.as_ref(), industry))
        {
            breakdown.multiplier_percent = multiplier.percent;
        }
        let Breakdown {
            size,
            title: t,
            industry: i,
            technology,
            intent,
            bonus,
            ..
        } = breakdown;
        let sum = size + t + i + technology + intent + bonus;
        let points = (sum * breakdown.multiplier_percent / 100).min(data.cap);
        let disqualified = employees.is_some_and(|employees| employees < data.smallest);
        let tier = match data.disqualified {
            Disqualified::NoTier if disqualified => None,
            _ => Some(self.tier_of(points)),
        };
        let needs_review = (data.review[0]..=data.review[1]).contains(&points);
        Found {
            employees,
            title,
            industry,
            points: Points {
                points,
                tier,
                disqualified,
                needs_review,
                breakdown,
            },
        }
    }

    fn size(&self, employees: u32) -> u32 {
        let band = self
            .data
            .size
            .iter()
            .find(|band| employees >= band.from && band.to.is_none_or(|to| employees <= to));
        band.map_or(0, |band| band.points)
    }

    fn technology(&self, technologies: &[String], mut words: impl Words) -> u32 {
        let rules = &self.data.technology;
        let mut sum = 0;
        for (position, name) in technologies.iter().enumerate() {
            let again = || {
                technologies[..position]
                    .iter()
                    .any(|other| other.eq_ignore_ascii_case(name))
            };
            if rules.count == TechnologyCount::EachProductOnce && again() {
                continue;
            }
            let classes = words.technology(name);
            let points = rules.classes.iter().enumerate();
            sum += points
                .filter(|(at, _)| classes & 1 << at != 0)
                .map(|(_, class)| class.points)
                .sum::<u32>();
        }
        sum.min(rules.cap)
    }

    fn intent(&self, intent: &Intent, kind: &str) -> u32 {
        let rules = &self.data.intent;
        let at_least = |rules: &[AtLeast], count: u32| {
            rules
                .iter()
                .find(|rule| count >= rule.from)
                .map_or(0, |rule| rule.points)
        };
        let sum = at_least(&rules.website_visits, intent.website_visits)
            + at_least(&rules.content_downloads, intent.content_downloads)
            + at_least(&rules.pricing_page_visits, intent.pricing_page_visits)
            + if intent.demo_requested {
                rules.demo_requested
            } else {
                0
            }
            + rules.source.get(kind).copied().unwrap_or(0);
        sum.min(rules.cap)
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "none known".to_owned()
    } else {
        names.join(", ")
    }
}

fn intent_text(intent: &Intent, kind: &str) -> String {
    let mut parts = Vec::new();
    for (count, what) in [
        (intent.website_visits, "site visits"),
        (intent.content_downloads, "downloads"),
        (intent.pricing_page_visits, "price page visits"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if intent.demo_requested {
        parts.push("asked for a demo".to_owned());
    }
    if !kind.is_empty() {
        parts.push(format!("source {kind}"));
    }
    list(&parts)
}

#[cfg(test)]
mod tests;
