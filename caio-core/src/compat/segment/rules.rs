//! The rules of the old scorer, over anything that can be asked as its records were.

use serde_json::Value;
use smallvec::SmallVec;

use super::parts::{Company, Counted, Intent, Original, Person, number};
use super::words::WORDS;
use super::{Answer, Breakdown, Member, Name};
use crate::pytext::{PyInt, int_of, py_strip};
use crate::texts::{Texts, push_number};

#[derive(Debug)]
pub(super) struct Scored {
    score: i64,
    pub(super) breakdown: Breakdown,
    pub(super) reasons: Texts,
    pub(super) disqualified: Option<&'static str>,
}

/// What a lead did, as far as the campaign depends on it.
#[derive(Debug)]
pub(super) struct Counts {
    downloads: f64,
    pricing: f64,
    demo: bool,
}

impl Scored {
    pub(super) fn new() -> Self {
        Self {
            score: 0,
            breakdown: Breakdown::default(),
            reasons: Texts::with_room(480),
            disqualified: None,
        }
    }

    /// Adds points, and the reason that begins with them.
    fn add(&mut self, points: i64, reason: impl FnOnce(&mut String)) {
        self.score += points;
        self.reasons.add(|out| {
            out.push('+');
            push_number(out, points);
            out.push_str(": ");
            reason(out);
        });
    }

    pub(super) fn size<N: Member>(&mut self, company: &Company<N>) -> Answer<()> {
        let given = company.employee_count.as_ref().filter(|it| it.is_truthy());
        let text = given.and_then(Member::text);
        let size = match text {
            None => Counted::of(given)?,
            Some(text) => match int_of(&Value::String(text.replace([',', '+'], ""))) {
                Ok(number) => Counted::Other(approximately(&number), number.to_string()),
                Err(_) => Counted::Whole(0),
            },
        };
        let number = size.number();
        if number < 10.0 {
            self.disqualified = Some("Company too small (<10 employees)");
            self.reasons.add(|out| {
                out.push_str("DISQUALIFIED: Company has <10 employees (");
                size.push(out);
                out.push(')');
            });
            return Ok(());
        }
        let (points, what) = if (51.0..=500.0).contains(&number) {
            (20, "ideal 51-500 sweet spot")
        } else if (501.0..=1000.0).contains(&number) {
            (15, "mid-market")
        } else if (20.0..=50.0).contains(&number) {
            (12, "growth-stage")
        } else if (10.0..=19.0).contains(&number) {
            (5, "early-stage")
        } else if number > 1000.0 {
            (10, "enterprise \u{2014} slower sales cycle")
        } else {
            // A fraction between two bands.
            return Ok(());
        };
        self.breakdown.company_size = Some(points);
        self.add(points, |out| {
            out.push_str("Company size ");
            size.push(out);
            push_all(out, &[" employees (", what, ")"]);
        });
        Ok(())
    }

    pub(super) fn title<N: Member>(&mut self, person: &Person<N>) -> Answer<()> {
        let title = text_or_nothing(person.title.as_ref())?;
        let shown = title.unwrap_or("Unknown");
        let class = title.and_then(|title| WORDS.titles.class_of(title));
        let (points, words, why) = match class {
            Some(0) => (25, "C-Level/Founder title \"", "budget owner"),
            Some(1) => (22, "VP-level title \"", "budget influencer"),
            Some(2) => (15, "Director-level title \"", "tactical decision-maker"),
            Some(_) => (8, "Manager-level title \"", "operational"),
            None => (0, "Title \"", ""),
        };
        self.breakdown.title_seniority = points;
        self.add(points, |out| match class {
            Some(_) => push_all(out, &[words, shown, "\" (", why, ")"]),
            None => push_all(
                out,
                &[words, shown, "\" does not match decision-maker patterns"],
            ),
        });
        Ok(())
    }

    pub(super) fn industry<N: Member>(&mut self, company: &Company<N>) -> Answer<()> {
        let industry = text_or_nothing(company.industry.as_ref())?;
        let shown = industry.unwrap_or("Unknown");
        let class = industry.and_then(|industry| WORDS.industries.class_of(industry));
        let (points, what) = match class {
            Some(0) => (20, "\" is core ICP (B2B SaaS/Software)"),
            Some(1) => (15, "\" is adjacent ICP (Tech/IT)"),
            Some(_) => (10, "\" is secondary ICP"),
            None => (0, "\" outside ICP target industries"),
        };
        self.breakdown.industry_fit = points;
        self.add(points, |out| {
            if class.is_none() && shown == "Unknown" {
                out.push_str("Industry unknown \u{2014} no data from enrichment");
            } else {
                push_all(out, &["Industry \"", shown, what]);
            }
        });
        Ok(())
    }

    pub(super) fn technology<N: Member>(&mut self, company: &Company<N>) -> Answer<()> {
        let (mut points, mut found) = (0, 0);
        let mut see = |technology: &str| {
            let classes = WORDS.technologies.classes_of(technology);
            found |= classes;
            for (at, (worth, _)) in SIGNALS.iter().enumerate() {
                if classes & (1 << at) != 0 {
                    points += worth;
                }
            }
        };
        if let Some(given) = &company.technologies {
            match given.text() {
                Some(text) => text.split(',').for_each(|it| see(py_strip(it))),
                None => given.each(&mut see)?,
            }
        }
        let points = points.min(15);
        let signals = SIGNALS.iter().enumerate();
        let signals: SmallVec<[&'static str; 3]> = signals
            .filter(|(at, _)| found & (1 << at) != 0)
            .map(|(_, (_, name))| *name)
            .collect();
        self.add(points, |out| {
            if signals.is_empty() {
                out.push_str("No CRM/sales/marketing tech detected in stack");
                return;
            }
            out.push_str("Tech stack signals \u{2014} ");
            for (at, signal) in signals.iter().enumerate() {
                push_all(out, &[if at == 0 { "" } else { ", " }, signal]);
            }
            out.push_str(" (sales maturity indicator)");
        });
        self.breakdown.tech_stack = points;
        self.breakdown.tech_signals = signals;
        Ok(())
    }

    pub(super) fn intent<N: Member>(
        &mut self,
        person: &Person<N>,
        intent: &Intent<N>,
    ) -> Answer<Counts> {
        let visits = Counted::of(intent.website_visits.as_ref())?;
        let downloads = Counted::of(intent.content_downloads.as_ref())?;
        let counts = Counts {
            downloads: downloads.number(),
            pricing: number(intent.pricing_page_visits.as_ref())?,
            demo: intent.demo_requested.as_ref().is_some_and(N::is_truthy),
        };
        let visits_seen = match visits.number() {
            5.0.. => Some((
                8,
                "high_web_engagement",
                " website visits (high engagement)",
            )),
            2.0.. => Some((4, "web_engagement", " website visits")),
            _ => None,
        };
        let downloads_seen = match counts.downloads {
            3.0.. => Some((8, "content_engaged", " content downloads (highly engaged)")),
            1.0.. => Some((4, "content_downloaded", " content download(s)")),
            _ => None,
        };
        let pricing_seen = (counts.pricing >= 1.0).then_some((
            6,
            "pricing_interest",
            "visited pricing page (strong buy signal)",
        ));
        let demo_seen = counts.demo.then_some((
            10,
            "demo_requested",
            "requested a demo (strongest buy signal)",
        ));
        let source_seen = match person.kind() {
            "website_visitor" => Some((4, "website_source", "")),
            "content_downloader" => Some((6, "content_source", "")),
            "demo_requester" => Some((10, "demo_source", "")),
            "webinar_registrant" => Some((5, "webinar_source", "")),
            _ => None,
        };
        let seen = [
            visits_seen,
            downloads_seen,
            pricing_seen,
            demo_seen,
            source_seen,
        ];
        let points = seen.iter().flatten().map(|(worth, _, _)| worth).sum();
        let points = 20.min(points);
        // The source gives points and no words.
        let behaviour = &seen[..4];
        if behaviour.iter().flatten().next().is_none() {
            self.score += points;
            self.reasons
                .push(&["+0: No behavioral intent signals detected"]);
        } else {
            self.add(points, |out| {
                let counted = [Some(&visits), Some(&downloads), None, None];
                let mut before = "Intent signals \u{2014} ";
                for (seen, counted) in behaviour.iter().zip(counted) {
                    if let Some((_, _, why)) = seen {
                        out.push_str(before);
                        if let Some(counted) = counted {
                            counted.push(out);
                        }
                        out.push_str(why);
                        before = "; ";
                    }
                }
            });
        }
        self.breakdown.intent_signals = points;
        self.breakdown.intent_types = seen
            .iter()
            .flatten()
            .map(|(_, signal, _)| *signal)
            .collect();
        let (points, what) = match person.kind() {
            "post_commenter" => (5, "commented on post"),
            "event_attendee" => (4, "event attendee"),
            "competitor_follower" => (3, "competitor follower \u{2014} displacement opportunity"),
            _ => return Ok(counts),
        };
        self.breakdown.engagement_bonus = Some(points);
        self.add(points, |out| {
            push_all(out, &["Social engagement bonus (", what, ")"]);
        });
        Ok(counts)
    }

    /// Score and tier; their reason is the last one.
    pub(super) fn sum(&mut self) -> (i64, &'static str) {
        let score = self.score.min(100);
        self.reasons.add(|out| {
            out.push_str("= ");
            push_number(out, score);
            out.push_str("/100 total ICP score");
        });
        let tier = match score {
            80.. => "tier_1",
            60..80 => "tier_2",
            40..60 => "tier_3",
            _ => "tier_4",
        };
        (score, tier)
    }
}

/// What a technology of each class of keywords is worth, and its name.
const SIGNALS: [(i64, &str); 3] = [(8, "crm_user"), (3, "marketing_tech"), (5, "sales_tech")];

/// The tags behind tier and source, but for `has_email`.
pub(super) fn tags<N: Member>(
    person: &Person<N>,
    company: &Company<N>,
    intent: &Intent<N>,
) -> Answer<Texts> {
    let mut tags = Texts::with_room(96);
    if let Some(name) = text_or_nothing(person.source_name.as_ref())? {
        tags.add(|out| {
            out.push_str("from_");
            push_word(out, name, usize::MAX);
        });
    }
    if let Some(industry) = text_or_nothing(company.industry.as_ref())? {
        tags.add(|out| {
            out.push_str("industry_");
            push_word(out, industry, 20);
        });
    }
    match number(intent.warmth.as_ref())? {
        80.0.. => tags.push(&["hot_intent"]),
        60.0.. => tags.push(&["warm_intent"]),
        40.0.. => tags.push(&["cool_intent"]),
        _ => {}
    }
    Ok(tags)
}

/// `text.lower().replace(' ', '_')[:most]`.
fn push_word(out: &mut String, text: &str, most: usize) {
    if text.is_ascii() {
        let bytes = text.bytes().take(most).map(|byte| match byte {
            b' ' => '_',
            other => char::from(other.to_ascii_lowercase()),
        });
        out.extend(bytes);
    } else {
        let lower = text.to_lowercase();
        let underscored = lower.chars().map(|c| if c == ' ' { '_' } else { c });
        out.extend(underscored.take(most));
    }
}

pub(super) fn campaign<N: Member>(
    person: &Person<N>,
    counts: &Counts,
    tier: &str,
) -> Answer<&'static str> {
    let name = person.source_name.as_ref().map_or(Ok(""), text)?;
    let kind = person.kind();
    if kind == "demo_requester" || counts.demo {
        return Ok("sales_qualified_fasttrack");
    }
    if counts.pricing >= 2.0 {
        return Ok("high_intent_pricing");
    }
    Ok(match (kind, tier) {
        ("competitor_follower", _) => {
            let name = name.to_lowercase();
            let known = [
                ("gong", "gong_displacement"),
                ("clari", "clari_displacement"),
                ("chorus", "chorus_displacement"),
                ("outreach", "outreach_displacement"),
            ];
            let found = known
                .into_iter()
                .find(|(keyword, _)| name.contains(keyword));
            found.map_or("competitor_displacement", |(_, campaign)| campaign)
        }
        ("event_attendee", _) => "event_followup",
        ("webinar_registrant", _) => "webinar_followup",
        ("website_visitor", "tier_1") => "intent_based_tier1",
        ("website_visitor", "tier_2") => "intent_based_tier2",
        ("website_visitor", _) => "intent_based_nurture",
        ("content_downloader", _) if counts.downloads >= 3.0 => "content_engaged_sequence",
        ("content_downloader", _) => "content_nurture",
        ("post_commenter", _) => "thought_leadership_response",
        ("group_member", _) => "community_outreach",
        ("post_liker", "tier_1" | "tier_2") => "social_engagement_qualified",
        ("post_liker", _) => "social_nurture",
        (_, "tier_1") => "tier1_priority_outreach",
        (_, "tier_2") => "tier2_standard_sequence",
        _ => "nurture_sequence",
    })
}

pub(super) fn hooks<N: Member>(person: &Person<N>, company: &Company<N>) -> Answer<Texts> {
    let mut hooks = Texts::with_room(128);
    // Not a text: the campaign has raised already.
    let name = person.source_name.as_ref().and_then(Member::text);
    let name = name.unwrap_or("");
    match person.kind() {
        "post_commenter" => hooks.push(&["Reference their comment on LinkedIn"]),
        "event_attendee" => hooks.push(&["Mention ", name, " event they attended"]),
        "competitor_follower" => hooks.push(&["Reference their interest in ", name]),
        "group_member" => hooks.push(&["Connect as fellow ", name, " member"]),
        _ => {}
    }
    if company.technologies.as_ref().is_some_and(N::is_truthy) {
        hooks.push(&["Reference their tech stack"]);
    }
    if number(company.revenue_estimate.as_ref())? > 10_000_000.0 {
        hooks.push(&["Mention growth stage messaging"]);
    }
    let title = person.title.as_ref().map_or(Ok(""), text)?;
    match WORDS.hooks.class_of(title) {
        Some(0) => hooks.push(&["Use executive-level messaging"]),
        Some(_) => hooks.push(&["Focus on operational value"]),
        None => {}
    }
    Ok(hooks)
}

/// From the original lead where there is one, even if it says nothing.
pub(super) fn name_and_title<N: Member>(person: &Person<N>) -> Answer<(Name<N>, Option<N>)> {
    let Some(original) = person.original_lead.as_ref().filter(|it| it.is_truthy()) else {
        let name = person.name.clone();
        let name = name.map_or(Name::Made(String::new()), Name::Given);
        return Ok((name, person.title.clone()));
    };
    let original = Original::of(Some(original))?;
    let part = |given: &Option<N>| match given {
        None => Ok(String::new()),
        Some(given) => match given.text() {
            Some(text) => Ok(text.to_owned()),
            None => Err(given.no_addend()),
        },
    };
    let name = format!(
        "{} {}",
        part(&original.first_name)?,
        part(&original.last_name)?
    );
    Ok((Name::Made(name), original.title))
}

fn approximately(number: &PyInt) -> f64 {
    number.to_string().parse().unwrap_or(f64::INFINITY)
}

/// `(value or "")`, of which `.lower()` is asked; nothing where it is empty.
fn text_or_nothing<N: Member>(given: Option<&N>) -> Answer<Option<&str>> {
    given.filter(|it| it.is_truthy()).map(text).transpose()
}

/// What has `.lower()`.
fn text<N: Member>(given: &N) -> Answer<&str> {
    match given.text() {
        Some(text) => Ok(text),
        None => Err(given.no_text("lower")),
    }
}

fn push_all(out: &mut String, parts: &[&str]) {
    for part in parts {
        out.push_str(part);
    }
}
