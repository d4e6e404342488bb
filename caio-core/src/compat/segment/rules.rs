//! The rules of the old scorer, over anything that can be asked as its records were.

use serde_json::Value;

use super::{Answer, Given, Member, Part, Tag};
use crate::compat::CompatError;
use crate::pytext::{PyException, PyInt, int_of, iterate, py_strip, str_of, type_name};

const C_LEVEL: &[&str] = &[
    "ceo",
    "cfo",
    "coo",
    "cto",
    "cmo",
    "cro",
    "chief",
    "founder",
    "co-founder",
];
const VP: &[&str] = &["vp", "vice president", "svp", "evp", "head of"];
const DIRECTOR: &[&str] = &["director", "sr director", "senior director"];
const MANAGER: &[&str] = &["manager", "lead", "senior manager", "principal"];
const INDUSTRY_1: &[&str] = &[
    "saas",
    "software as a service",
    "b2b software",
    "enterprise software",
];
const INDUSTRY_2: &[&str] = &[
    "technology",
    "tech",
    "information technology",
    "it services",
];
const INDUSTRY_3: &[&str] = &[
    "professional services",
    "consulting",
    "fintech",
    "healthtech",
];
const CRM: &[&str] = &[
    "salesforce",
    "hubspot",
    "pipedrive",
    "zoho crm",
    "dynamics 365",
    "freshsales",
];
const SALES: &[&str] = &[
    "gong",
    "clari",
    "chorus",
    "outreach",
    "salesloft",
    "apollo",
    "zoominfo",
];
const MARKETING: &[&str] = &[
    "marketo",
    "pardot",
    "eloqua",
    "mailchimp",
    "klaviyo",
    "intercom",
];

#[derive(Debug, Default)]
pub(super) struct Scored {
    pub(super) score: i64,
    pub(super) breakdown: Vec<(&'static str, Part)>,
    pub(super) reasons: Vec<String>,
    pub(super) disqualified: Option<&'static str>,
}

impl Scored {
    fn add(&mut self, component: &'static str, points: i64, reason: String) {
        self.score += points;
        self.breakdown.push((component, Part::Points(points)));
        self.reasons.push(reason);
    }

    pub(super) fn size<N: Member>(&mut self, company: &Given<N>) -> Answer<()> {
        let given = company.get("employee_count")?.filter(Member::is_truthy);
        let (number, text) = match &given {
            None => (0.0, "0".to_owned()),
            Some(given) => match given.text() {
                Some(text) => {
                    let digits = text.replace([',', '+'], "");
                    match int_of(&Value::String(digits)) {
                        Ok(number) => (approximately(&number), number.to_string()),
                        Err(_) => (0.0, "0".to_owned()),
                    }
                }
                None => {
                    let given = given.value()?;
                    (number(&given)?, str_of(&given).into_owned())
                }
            },
        };
        if number < 10.0 {
            self.disqualified = Some("Company too small (<10 employees)");
            self.reasons
                .push(format!("DISQUALIFIED: Company has <10 employees ({text})"));
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
        self.add(
            "company_size",
            points,
            format!("+{points}: Company size {text} employees ({what})"),
        );
        Ok(())
    }

    pub(super) fn title<N: Member>(&mut self, lead: &Given<N>) -> Answer<()> {
        let (lower, shown) = lower_and_shown(lead.get("title")?)?;
        let reason = |points: i64, words: &str, why: &str| {
            (
                points,
                format!("+{points}: {words} title \"{shown}\" ({why})"),
            )
        };
        let (points, reason) = if any(&lower, C_LEVEL) {
            reason(25, "C-Level/Founder", "budget owner")
        } else if any(&lower, VP) {
            reason(22, "VP-level", "budget influencer")
        } else if any(&lower, DIRECTOR) {
            reason(15, "Director-level", "tactical decision-maker")
        } else if any(&lower, MANAGER) {
            reason(8, "Manager-level", "operational")
        } else {
            (
                0,
                format!("+0: Title \"{shown}\" does not match decision-maker patterns"),
            )
        };
        self.add("title_seniority", points, reason);
        Ok(())
    }

    pub(super) fn industry<N: Member>(&mut self, company: &Given<N>) -> Answer<()> {
        let (lower, shown) = lower_and_shown(company.get("industry")?)?;
        let (points, reason) = if any(&lower, INDUSTRY_1) {
            (
                20,
                format!("+20: Industry \"{shown}\" is core ICP (B2B SaaS/Software)"),
            )
        } else if any(&lower, INDUSTRY_2) {
            (
                15,
                format!("+15: Industry \"{shown}\" is adjacent ICP (Tech/IT)"),
            )
        } else if any(&lower, INDUSTRY_3) {
            (10, format!("+10: Industry \"{shown}\" is secondary ICP"))
        } else if shown == "Unknown" {
            (
                0,
                "+0: Industry unknown \u{2014} no data from enrichment".to_owned(),
            )
        } else {
            (
                0,
                format!("+0: Industry \"{shown}\" outside ICP target industries"),
            )
        };
        self.add("industry_fit", points, reason);
        Ok(())
    }

    pub(super) fn technology<N: Member>(&mut self, company: &Given<N>) -> Answer<()> {
        let given = company.get("technologies")?;
        let technologies: Vec<String> = match &given {
            None => Vec::new(),
            Some(given) => match given.text() {
                Some(text) => text
                    .split(',')
                    .map(|it| py_strip(it).to_lowercase())
                    .collect(),
                None => iterate(&*given.value()?)?
                    .iter()
                    .map(|it| str_of(it).to_lowercase())
                    .collect(),
            },
        };
        let mut points = 0;
        let mut found = [false; 3];
        for technology in &technologies {
            for (at, (keywords, worth)) in [(CRM, 8), (MARKETING, 3), (SALES, 5)]
                .into_iter()
                .enumerate()
            {
                if any(technology, keywords) {
                    points += worth;
                    found[at] = true;
                }
            }
        }
        let points = points.min(15);
        let names = ["crm_user", "marketing_tech", "sales_tech"];
        let signals: Vec<&'static str> = names
            .into_iter()
            .zip(found)
            .filter(|(_, found)| *found)
            .map(|(name, _)| name)
            .collect();
        let reason = if signals.is_empty() {
            "+0: No CRM/sales/marketing tech detected in stack".to_owned()
        } else {
            self.breakdown
                .push(("tech_signals", Part::Signals(signals.clone())));
            let signals = signals.join(", ");
            format!("+{points}: Tech stack signals \u{2014} {signals} (sales maturity indicator)")
        };
        self.add("tech_stack", points, reason);
        Ok(())
    }

    pub(super) fn intent<N: Member>(&mut self, lead: &Given<N>, intent: &Given<N>) -> Answer<()> {
        let mut points = 0;
        let mut signals: Vec<&'static str> = Vec::new();
        let mut why: Vec<String> = Vec::new();
        let visits = counter(intent, "website_visits")?;
        if visits >= 5.0 {
            points += 8;
            signals.push("high_web_engagement");
            why.push(format!(
                "{} website visits (high engagement)",
                shown(intent, "website_visits")?
            ));
        } else if visits >= 2.0 {
            points += 4;
            signals.push("web_engagement");
            why.push(format!(
                "{} website visits",
                shown(intent, "website_visits")?
            ));
        }
        let downloads = counter(intent, "content_downloads")?;
        if downloads >= 3.0 {
            points += 8;
            signals.push("content_engaged");
            why.push(format!(
                "{} content downloads (highly engaged)",
                shown(intent, "content_downloads")?
            ));
        } else if downloads >= 1.0 {
            points += 4;
            signals.push("content_downloaded");
            why.push(format!(
                "{} content download(s)",
                shown(intent, "content_downloads")?
            ));
        }
        if counter(intent, "pricing_page_visits")? >= 1.0 {
            points += 6;
            signals.push("pricing_interest");
            why.push("visited pricing page (strong buy signal)".to_owned());
        }
        if intent
            .get("demo_requested")?
            .is_some_and(|it| it.is_truthy())
        {
            points += 10;
            signals.push("demo_requested");
            why.push("requested a demo (strongest buy signal)".to_owned());
        }
        let kind = lead.get("source_type")?;
        let kind = kind.as_ref().and_then(Member::text).unwrap_or("");
        let (worth, signal) = match kind {
            "website_visitor" => (4, Some("website_source")),
            "content_downloader" => (6, Some("content_source")),
            "demo_requester" => (10, Some("demo_source")),
            "webinar_registrant" => (5, Some("webinar_source")),
            _ => (0, None),
        };
        points += worth;
        signals.extend(signal);
        let points = points.min(20);
        if !signals.is_empty() {
            self.breakdown
                .push(("intent_types", Part::Signals(signals)));
        }
        let reason = if why.is_empty() {
            "+0: No behavioral intent signals detected".to_owned()
        } else {
            format!("+{points}: Intent signals \u{2014} {}", why.join("; "))
        };
        self.add("intent_signals", points, reason);
        let (points, what) = match kind {
            "post_commenter" => (5, "commented on post"),
            "event_attendee" => (4, "event attendee"),
            "competitor_follower" => (3, "competitor follower \u{2014} displacement opportunity"),
            _ => return Ok(()),
        };
        self.add(
            "engagement_bonus",
            points,
            format!("+{points}: Social engagement bonus ({what})"),
        );
        Ok(())
    }
}

pub(super) fn tags<N: Member>(
    lead: &Given<N>,
    company: &Given<N>,
    intent_score: Option<&N>,
    tier: &'static str,
) -> Answer<Vec<Tag<N>>> {
    let source = lead.get("source_type")?;
    let source = source.map_or(Tag::Text("unknown".into()), Tag::Given);
    let mut tags = vec![Tag::Text(tier.into()), source];
    let word = |given: &N| Ok::<_, CompatError>(lower(given)?.replace(' ', "_"));
    if let Some(name) = lead.get("source_name")?.filter(Member::is_truthy) {
        tags.push(Tag::Text(format!("from_{}", word(&name)?).into()));
    }
    if let Some(industry) = company.get("industry")?.filter(Member::is_truthy) {
        let industry: String = word(&industry)?.chars().take(20).collect();
        tags.push(Tag::Text(format!("industry_{industry}").into()));
    }
    let warmth = match intent_score {
        None => 0.0,
        Some(score) => number(&*score.value()?)?,
    };
    for (least, tag) in [
        (80.0, "hot_intent"),
        (60.0, "warm_intent"),
        (40.0, "cool_intent"),
    ] {
        if warmth >= least {
            tags.push(Tag::Text(tag.into()));
            break;
        }
    }
    let contact = lead.member("contact")?;
    if contact.get("work_email")?.is_some_and(|it| it.is_truthy()) {
        tags.push(Tag::Text("has_email".into()));
    }
    Ok(tags)
}

pub(super) fn campaign<N: Member>(
    lead: &Given<N>,
    intent: &Given<N>,
    tier: &str,
) -> Answer<&'static str> {
    let kind = lead.get("source_type")?;
    let kind = kind.as_ref().and_then(Member::text).unwrap_or("");
    let name = match lead.get("source_name")? {
        None => String::new(),
        Some(name) => lower(&name)?,
    };
    if kind == "demo_requester"
        || intent
            .get("demo_requested")?
            .is_some_and(|it| it.is_truthy())
    {
        return Ok("sales_qualified_fasttrack");
    }
    if counter(intent, "pricing_page_visits")? >= 2.0 {
        return Ok("high_intent_pricing");
    }
    Ok(match (kind, tier) {
        ("competitor_follower", _) => {
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
        ("content_downloader", _) if counter(intent, "content_downloads")? >= 3.0 => {
            "content_engaged_sequence"
        }
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

pub(super) fn hooks<N: Member>(lead: &Given<N>, company: &Given<N>) -> Answer<Vec<String>> {
    let mut hooks = Vec::new();
    let kind = lead.get("source_type")?;
    let kind = kind.as_ref().and_then(Member::text).unwrap_or("");
    let given = lead.get("source_name")?;
    let name = match &given {
        None => String::new(),
        Some(name) => str_of(&*name.value()?).into_owned(),
    };
    match kind {
        "post_commenter" => hooks.push("Reference their comment on LinkedIn".to_owned()),
        "event_attendee" => hooks.push(format!("Mention {name} event they attended")),
        "competitor_follower" => hooks.push(format!("Reference their interest in {name}")),
        "group_member" => hooks.push(format!("Connect as fellow {name} member")),
        _ => {}
    }
    if company
        .get("technologies")?
        .is_some_and(|it| it.is_truthy())
    {
        hooks.push("Reference their tech stack".to_owned());
    }
    if counter(company, "revenue_estimate")? > 10_000_000.0 {
        hooks.push("Mention growth stage messaging".to_owned());
    }
    let title = match lead.get("title")? {
        None => String::new(),
        Some(title) => lower(&title)?,
    };
    if title.contains("cro") || title.contains("chief") {
        hooks.push("Use executive-level messaging".to_owned());
    } else if title.contains("director") {
        hooks.push("Focus on operational value".to_owned());
    }
    Ok(hooks)
}

/// From the original lead where there is one, even if it says nothing.
pub(super) fn name_and_title<N: Member>(lead: &Given<N>) -> Answer<(Tag<N>, Option<N>)> {
    let given = |name: Option<N>| name.map_or(Tag::Text("".into()), Tag::Given);
    let Some(original) = lead.get("original_lead")?.filter(Member::is_truthy) else {
        return Ok((given(lead.get("name")?), lead.get("title")?));
    };
    let part = |key: &'static str| -> Answer<String> {
        match original.get(key)? {
            None => Ok(String::new()),
            Some(given) => match given.text() {
                Some(text) => Ok(text.to_owned()),
                None => Err(PyException::type_error(format!(
                    "can only concatenate str (not \"{}\") to str",
                    type_name(&*given.value()?)
                ))),
            },
        }
    };
    let name = format!("{} {}", part("first_name")?, part("last_name")?);
    Ok((Tag::Text(name.into()), original.get("title")?))
}

/// `record.get(key, 0)` as it is compared.
fn counter<N: Member>(record: &Given<N>, key: &'static str) -> Answer<f64> {
    match record.get(key)? {
        None => Ok(0.0),
        Some(given) => number(&*given.value()?),
    }
}

/// `record.get(key, 0)` as it is printed.
fn shown<N: Member>(record: &Given<N>, key: &'static str) -> Answer<String> {
    match record.get(key)? {
        None => Ok("0".to_owned()),
        Some(given) => Ok(str_of(&*given.value()?).into_owned()),
    }
}

/// What is compared with a number; everything else cannot be.
fn number(value: &Value) -> Answer<f64> {
    match value {
        Value::Bool(flag) => Ok(f64::from(u8::from(*flag))),
        Value::Number(number) => Ok(number.as_f64().unwrap_or(f64::INFINITY)),
        other => Err(PyException::type_error(format!(
            "'<' not supported between instances of '{}' and 'int'",
            type_name(other)
        ))),
    }
}

fn approximately(number: &PyInt) -> f64 {
    number.to_string().parse().unwrap_or(f64::INFINITY)
}

/// `(value or "").lower()`, and `value or "Unknown"` as it is printed.
fn lower_and_shown<N: Member>(given: Option<N>) -> Answer<(String, String)> {
    match given.filter(Member::is_truthy) {
        None => Ok((String::new(), "Unknown".to_owned())),
        Some(given) => {
            let lower = lower(&given)?;
            Ok((lower, given.text().unwrap_or_default().to_owned()))
        }
    }
}

/// `value.lower()`.
fn lower<N: Member>(given: &N) -> Answer<String> {
    match given.text() {
        Some(text) => Ok(text.to_lowercase()),
        None => Err(PyException::attribute(&*given.value()?, "lower")),
    }
}

fn any(text: &str, keywords: &[&str]) -> bool {
    keywords.iter().any(|keyword| text.contains(keyword))
}
