//! The old scorer, over any JSON: score, tier, reasons, tags, campaign and hooks of one lead.

use serde_json::{Map, Value, json};

use super::CompatError;
use crate::pytext::{
    PyException, PyInt, dict_get, int_of, is_truthy, iterate, py_strip, str_of, text_of,
};

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

type Answer<T> = Result<T, CompatError>;

/// Mirrors `execution/segmentor_classify.py::segment_lead`, without `segmented_at` and
/// `original_lead`; lists that came from a set are sorted (D-37).
///
/// Keeps D-05 (a disqualified lead has a tier and a campaign), D-22 and D-35 (keywords match inside
/// of words), D-36 (a range such as `51-200` is 0 employees). Corrected:
/// [`Model::explain`](crate::icp::Model::explain).
///
/// # Errors
/// The class of the Python exception, where it raised: one odd field cost the lead (D-03).
pub fn segment_lead(lead: &Value) -> Answer<Value> {
    let mut scored = Scored::default();
    let company = member_or_empty(lead, "company")?;
    scored.size(company)?;
    scored.title(lead)?;
    scored.industry(company)?;
    scored.technology(company)?;
    let intent = member_or_empty(lead, "intent")?;
    scored.intent(lead, intent)?;
    let score = scored.score.min(100);
    scored
        .reasons
        .push(format!("= {score}/100 total ICP score"));
    let tier = match score {
        80.. => "tier_1",
        60..80 => "tier_2",
        40..60 => "tier_3",
        _ => "tier_4",
    };
    let intent_score = dict_get(intent, "intent_score")?
        .cloned()
        .unwrap_or(json!(0));
    let tags = tags(lead, company, &intent_score, tier)?;
    let campaign = campaign(lead, intent, tier)?;
    let hooks = hooks(lead, company)?;
    let (name, title) = name_and_title(lead)?;
    let contact = member_or_empty(lead, "contact")?;
    let email = [
        dict_get(contact, "work_email")?,
        dict_get(contact, "verified_email")?,
    ]
    .into_iter()
    .flatten()
    .find(|email| is_truthy(email))
    .or(dict_get(lead, "email")?);
    // Room for all members at once: this is asked for every lead of a file.
    let mut segmented = Map::with_capacity(20);
    for (name, value) in [
        ("lead_id", or(lead, "lead_id", "")?),
        ("linkedin_url", or(lead, "linkedin_url", "")?),
        ("name", name),
        ("title", title),
        ("company", or(company, "name", "")?),
        ("icp_score", json!(score)),
        ("icp_tier", json!(tier)),
        ("intent_score", intent_score),
        ("source_type", or(lead, "source_type", "")?),
        ("source_name", or(lead, "source_name", "")?),
        ("segment_tags", Value::Array(tags)),
        ("score_breakdown", Value::Object(scored.breakdown)),
        ("scoring_reasons", json!(scored.reasons)),
        ("disqualification_reason", json!(scored.disqualified)),
        ("needs_review", json!((70..=85).contains(&score))),
        ("email", json!(email)),
        (
            "company_size",
            dict_get(company, "employee_count")?
                .cloned()
                .unwrap_or(json!(0)),
        ),
        ("industry", or(company, "industry", "")?),
        ("recommended_campaign", json!(campaign)),
        ("personalization_hooks", json!(hooks)),
    ] {
        segmented.insert(name.to_owned(), value);
    }
    Ok(Value::Object(segmented))
}

#[derive(Default)]
struct Scored {
    score: i64,
    breakdown: Map<String, Value>,
    reasons: Vec<String>,
    disqualified: Option<&'static str>,
}

impl Scored {
    fn add(&mut self, component: &str, points: i64, reason: String) {
        self.score += points;
        self.breakdown.insert(component.to_owned(), json!(points));
        self.reasons.push(reason);
    }

    fn size(&mut self, company: &Value) -> Answer<()> {
        let zero = json!(0);
        let given = dict_get(company, "employee_count")?
            .filter(|it| is_truthy(it))
            .unwrap_or(&zero);
        let (number, text) = match given {
            Value::String(text) => {
                let digits = text.replace([',', '+'], "");
                match int_of(&Value::String(digits)) {
                    Ok(number) => (approximately(&number), number.to_string()),
                    Err(_) => (0.0, "0".to_owned()),
                }
            }
            other => (number(other)?, str_of(other).into_owned()),
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

    fn title(&mut self, lead: &Value) -> Answer<()> {
        let (lower, shown) = lower_and_shown(dict_get(lead, "title")?)?;
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

    fn industry(&mut self, company: &Value) -> Answer<()> {
        let (lower, shown) = lower_and_shown(dict_get(company, "industry")?)?;
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

    fn technology(&mut self, company: &Value) -> Answer<()> {
        let technologies: Vec<String> = match dict_get(company, "technologies")? {
            None => Vec::new(),
            Some(Value::String(text)) => text
                .split(',')
                .map(|it| py_strip(it).to_lowercase())
                .collect(),
            Some(other) => iterate(other)?
                .iter()
                .map(|it| str_of(it).to_lowercase())
                .collect(),
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
        let signals: Vec<&str> = names
            .into_iter()
            .zip(found)
            .filter(|(_, found)| *found)
            .map(|(name, _)| name)
            .collect();
        let reason = if signals.is_empty() {
            "+0: No CRM/sales/marketing tech detected in stack".to_owned()
        } else {
            self.breakdown
                .insert("tech_signals".to_owned(), json!(signals));
            let signals = signals.join(", ");
            format!("+{points}: Tech stack signals \u{2014} {signals} (sales maturity indicator)")
        };
        self.add("tech_stack", points, reason);
        Ok(())
    }

    fn intent(&mut self, lead: &Value, intent: &Value) -> Answer<()> {
        let mut points = 0;
        let mut signals: Vec<&str> = Vec::new();
        let mut why: Vec<String> = Vec::new();
        let (visits, shown) = counter(intent, "website_visits")?;
        if visits >= 5.0 {
            points += 8;
            signals.push("high_web_engagement");
            why.push(format!("{shown} website visits (high engagement)"));
        } else if visits >= 2.0 {
            points += 4;
            signals.push("web_engagement");
            why.push(format!("{shown} website visits"));
        }
        let (downloads, shown) = counter(intent, "content_downloads")?;
        if downloads >= 3.0 {
            points += 8;
            signals.push("content_engaged");
            why.push(format!("{shown} content downloads (highly engaged)"));
        } else if downloads >= 1.0 {
            points += 4;
            signals.push("content_downloaded");
            why.push(format!("{shown} content download(s)"));
        }
        if counter(intent, "pricing_page_visits")?.0 >= 1.0 {
            points += 6;
            signals.push("pricing_interest");
            why.push("visited pricing page (strong buy signal)".to_owned());
        }
        if dict_get(intent, "demo_requested")?.is_some_and(is_truthy) {
            points += 10;
            signals.push("demo_requested");
            why.push("requested a demo (strongest buy signal)".to_owned());
        }
        let kind = dict_get(lead, "source_type")?
            .and_then(Value::as_str)
            .unwrap_or("");
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
                .insert("intent_types".to_owned(), json!(signals));
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

fn tags(lead: &Value, company: &Value, intent_score: &Value, tier: &str) -> Answer<Vec<Value>> {
    let mut tags = vec![json!(tier), or(lead, "source_type", "unknown")?];
    if let Some(name) = dict_get(lead, "source_name")?.filter(|it| is_truthy(it)) {
        let name = text_of(name, "lower")?.to_lowercase().replace(' ', "_");
        tags.push(json!(format!("from_{name}")));
    }
    if let Some(industry) = dict_get(company, "industry")?.filter(|it| is_truthy(it)) {
        let industry = text_of(industry, "lower")?.to_lowercase().replace(' ', "_");
        let industry: String = industry.chars().take(20).collect();
        tags.push(json!(format!("industry_{industry}")));
    }
    let warmth = number(intent_score)?;
    for (least, tag) in [
        (80.0, "hot_intent"),
        (60.0, "warm_intent"),
        (40.0, "cool_intent"),
    ] {
        if warmth >= least {
            tags.push(json!(tag));
            break;
        }
    }
    if dict_get(member_or_empty(lead, "contact")?, "work_email")?.is_some_and(is_truthy) {
        tags.push(json!("has_email"));
    }
    Ok(tags)
}

fn campaign(lead: &Value, intent: &Value, tier: &str) -> Answer<&'static str> {
    let kind = dict_get(lead, "source_type")?
        .and_then(Value::as_str)
        .unwrap_or("");
    let name = match dict_get(lead, "source_name")? {
        None => String::new(),
        Some(name) => text_of(name, "lower")?.to_lowercase(),
    };
    if kind == "demo_requester" || dict_get(intent, "demo_requested")?.is_some_and(is_truthy) {
        return Ok("sales_qualified_fasttrack");
    }
    if counter(intent, "pricing_page_visits")?.0 >= 2.0 {
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
        ("content_downloader", _) if counter(intent, "content_downloads")?.0 >= 3.0 => {
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

fn hooks(lead: &Value, company: &Value) -> Answer<Vec<String>> {
    let mut hooks = Vec::new();
    let kind = dict_get(lead, "source_type")?
        .and_then(Value::as_str)
        .unwrap_or("");
    let name = dict_get(lead, "source_name")?
        .map(str_of)
        .unwrap_or_default();
    match kind {
        "post_commenter" => hooks.push("Reference their comment on LinkedIn".to_owned()),
        "event_attendee" => hooks.push(format!("Mention {name} event they attended")),
        "competitor_follower" => hooks.push(format!("Reference their interest in {name}")),
        "group_member" => hooks.push(format!("Connect as fellow {name} member")),
        _ => {}
    }
    if dict_get(company, "technologies")?.is_some_and(is_truthy) {
        hooks.push("Reference their tech stack".to_owned());
    }
    if counter(company, "revenue_estimate")?.0 > 10_000_000.0 {
        hooks.push("Mention growth stage messaging".to_owned());
    }
    let title = match dict_get(lead, "title")? {
        None => String::new(),
        Some(title) => text_of(title, "lower")?.to_lowercase(),
    };
    if title.contains("cro") || title.contains("chief") {
        hooks.push("Use executive-level messaging".to_owned());
    } else if title.contains("director") {
        hooks.push("Focus on operational value".to_owned());
    }
    Ok(hooks)
}

/// From the original lead where there is one, even if it says nothing.
fn name_and_title(lead: &Value) -> Answer<(Value, Value)> {
    let Some(original) = dict_get(lead, "original_lead")?.filter(|it| is_truthy(it)) else {
        return Ok((or(lead, "name", "")?, or(lead, "title", "")?));
    };
    let part = |key: &str| -> Answer<String> {
        match dict_get(original, key)? {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(PyException::type_error(format!(
                "can only concatenate str (not \"{}\") to str",
                crate::pytext::type_name(other)
            ))),
        }
    };
    let name = format!("{} {}", part("first_name")?, part("last_name")?);
    Ok((json!(name), or(original, "title", "")?))
}

/// `record.get(key, {})`.
fn member_or_empty<'a>(record: &'a Value, key: &str) -> Answer<&'a Value> {
    static EMPTY: std::sync::LazyLock<Value> =
        std::sync::LazyLock::new(|| Value::Object(Map::new()));
    Ok(dict_get(record, key)?.unwrap_or(&EMPTY))
}

/// `record.get(key, default)`.
fn or(record: &Value, key: &str, default: &str) -> Answer<Value> {
    Ok(dict_get(record, key)?
        .cloned()
        .unwrap_or_else(|| json!(default)))
}

/// `record.get(key, 0)` as it is compared and as it is printed.
fn counter<'a>(record: &'a Value, key: &str) -> Answer<(f64, std::borrow::Cow<'a, str>)> {
    match dict_get(record, key)? {
        None => Ok((0.0, "0".into())),
        Some(value) => Ok((number(value)?, str_of(value))),
    }
}

/// What is compared with a number; everything else cannot be.
fn number(value: &Value) -> Answer<f64> {
    match value {
        Value::Bool(flag) => Ok(f64::from(u8::from(*flag))),
        Value::Number(number) => Ok(number.as_f64().unwrap_or(f64::INFINITY)),
        other => Err(PyException::type_error(format!(
            "'<' not supported between instances of '{}' and 'int'",
            crate::pytext::type_name(other)
        ))),
    }
}

fn approximately(number: &PyInt) -> f64 {
    number.to_string().parse().unwrap_or(f64::INFINITY)
}

/// `(value or "").lower()`, and `value or "Unknown"` as it is printed.
fn lower_and_shown(value: Option<&Value>) -> Answer<(String, String)> {
    match value.filter(|it| is_truthy(it)) {
        None => Ok((String::new(), "Unknown".to_owned())),
        Some(value) => {
            let text = text_of(value, "lower")?;
            Ok((text.to_lowercase(), text.to_owned()))
        }
    }
}

fn any(text: &str, keywords: &[&str]) -> bool {
    keywords.iter().any(|keyword| text.contains(keyword))
}
