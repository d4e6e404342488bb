//! What a lead scores, without a word (for bulk work) or with every reason.

use serde::Serialize;

use super::model::{AtLeast, Class, Disqualified, Model, TechnologyCount, UnknownSize};
use crate::lead::{Intent, Lead};
use crate::terms::Tier;
use crate::texts::{Texts, push_number, push_quoted};

/// Points by component, before cap and multiplier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
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

/// In place of a class's name.
const NO_CLASS: &str = "no class";

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
    pub fn points<S: AsRef<str>>(&self, lead: &Lead<S>) -> Points {
        self.points_by(lead, self)
    }

    pub(super) fn points_by<S: AsRef<str>>(&self, lead: &Lead<S>, words: impl Words) -> Points {
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
    pub fn explain<S: AsRef<str>>(&self, lead: &Lead<S>) -> Explanation {
        let mut reasons = Texts::default();
        let points = self.explain_by(lead, self, &mut reasons);
        Explanation {
            points: points.points,
            tier: points.tier,
            disqualified: points.disqualified.then(|| self.too_small().to_owned()),
            needs_review: points.needs_review,
            breakdown: points.breakdown,
            reasons: reasons.iter().map(str::to_owned).collect(),
        }
    }

    pub(super) fn explain_by<S: AsRef<str>>(
        &self,
        lead: &Lead<S>,
        words: impl Words,
        reasons: &mut Texts,
    ) -> Points {
        let found = self.find(lead, words);
        let Points {
            points, breakdown, ..
        } = found.points;
        let kind = lead.source.kind.as_ref();
        let mut add = |points: u32, of: &str, write: &dyn Fn(&mut String)| {
            reasons.add(|out| {
                out.push('+');
                push_number(out, points);
                out.push_str(of);
                write(out);
            });
        };
        add(breakdown.size, " size: ", &|out| match found.employees {
            None => out.push_str("unknown size"),
            Some(employees) => {
                push_number(out, employees);
                out.push_str(" employees");
            }
        });
        add(breakdown.title, " title: ", &|out| {
            push_quoted(out, lead.title.as_ref());
            out.push_str(" is ");
            out.push_str(found.title.map_or(NO_CLASS, |class| &class.name));
        });
        add(breakdown.industry, " industry: ", &|out| {
            push_quoted(out, lead.company.industry.as_ref());
            out.push_str(" is ");
            out.push_str(found.industry.map_or(NO_CLASS, |class| &class.name));
        });
        add(breakdown.technology, " technology: ", &|out| {
            push_list(out, lead.company.technologies.iter().map(AsRef::as_ref));
        });
        add(breakdown.intent, " intent: ", &|out| {
            push_intent(out, &lead.intent, kind);
        });
        if breakdown.bonus > 0 {
            add(breakdown.bonus, " found as ", &|out| out.push_str(kind));
        }
        if breakdown.multiplier_percent != 100 {
            reasons.add(|out| {
                out.push('x');
                push_number(out, breakdown.multiplier_percent);
                out.push_str("% for this title and industry");
            });
        }
        reasons.add(|out| {
            out.push_str("= ");
            push_number(out, points);
            out.push_str(" of ");
            push_number(out, self.data.cap);
        });
        found.points
    }

    fn find<S: AsRef<str>>(&self, lead: &Lead<S>, mut words: impl Words) -> Found<'_> {
        let data = &self.data;
        let employees = match data.unknown_size {
            UnknownSize::Disqualify => Some(lead.company.employees.unwrap_or(0)),
            UnknownSize::NoPoints => lead.company.employees,
        };
        let title = words
            .title(lead.title.as_ref())
            .and_then(|at| data.title.get(at));
        let industry = words
            .industry(lead.company.industry.as_ref())
            .and_then(|at| data.industry.get(at));
        let kind = lead.source.kind.as_ref();
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

    fn technology<S: AsRef<str>>(&self, technologies: &[S], mut words: impl Words) -> u32 {
        let rules = &self.data.technology;
        let mut sum = 0;
        for (position, name) in technologies.iter().enumerate() {
            let name = name.as_ref();
            let again = || {
                technologies[..position]
                    .iter()
                    .any(|other| other.as_ref().eq_ignore_ascii_case(name))
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

/// The texts with a comma between them.
fn push_list<'t>(out: &mut String, texts: impl ExactSizeIterator<Item = &'t str>) {
    if texts.len() == 0 {
        out.push_str("none known");
    }
    for (at, text) in texts.enumerate() {
        out.push_str(if at == 0 { "" } else { ", " });
        out.push_str(text);
    }
}

fn push_intent(out: &mut String, intent: &Intent, kind: &str) {
    let counts = [
        (intent.website_visits, " site visits"),
        (intent.content_downloads, " downloads"),
        (intent.pricing_page_visits, " price page visits"),
    ];
    let begin = out.len();
    let next = |out: &mut String| {
        if out.len() > begin {
            out.push_str(", ");
        }
    };
    for (count, what) in counts {
        if count > 0 {
            next(out);
            push_number(out, count);
            out.push_str(what);
        }
    }
    if intent.demo_requested {
        next(out);
        out.push_str("asked for a demo");
    }
    if !kind.is_empty() {
        next(out);
        out.push_str("source ");
        out.push_str(kind);
    }
    if out.len() == begin {
        out.push_str("none known");
    }
}

#[cfg(test)]
mod tests;
