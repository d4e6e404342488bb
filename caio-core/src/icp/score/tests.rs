use proptest::prelude::*;

use super::*;
use crate::icp::Scorer;
use crate::identity::EmailKey;
use crate::lead::{Company, LeadSource};

fn lead(title: &str, industry: &str, employees: Option<u32>) -> Lead {
    Lead {
        key: EmailKey::parse("kim@example.com").unwrap(),
        email: "kim@example.com".to_owned(),
        first_name: "Kim".to_owned(),
        last_name: "Doe".to_owned(),
        title: title.to_owned(),
        linkedin_url: String::new(),
        phone: String::new(),
        location: String::new(),
        company: Company {
            name: "Acorn".to_owned(),
            industry: industry.to_owned(),
            employees,
            ..Company::default()
        },
        source: LeadSource::default(),
        intent: Intent::default(),
    }
}

fn model(name: &str) -> Model {
    Model::builtin(name).unwrap()
}

fn title_points(title: &str) -> u32 {
    model("default")
        .points(&lead(title, "", None))
        .breakdown
        .title
}

fn industry_points(industry: &str) -> u32 {
    model("default")
        .points(&lead("", industry, None))
        .breakdown
        .industry
}

#[test]
fn titles_match_by_words_and_the_longest_keyword() {
    for (title, points) in [
        ("CEO", 25),
        ("Founder & CEO", 25),
        ("President", 25),
        ("Owner", 25),
        ("Managing Partner", 25),
        ("Vice President of Sales", 22),
        ("Vice-President", 22),
        ("VP Marketing", 22),
        ("CTO", 22),
        ("Director of Sales", 15),
        ("Senior Director, RevOps", 15),
        ("VP Engineering", 15),
        ("Head of Data", 15),
        ("Sales Manager", 8),
        ("Marketing Coordinator", 0),
        ("Product Owner", 0),
        ("Executive Assistant to the CEO", 0),
        ("Doctor", 0),
        ("Contractor", 0),
        ("Macro Analyst", 0),
        ("", 0),
    ] {
        assert_eq!(title_points(title), points, "{title}");
    }
}

#[test]
fn industries_match_by_words() {
    for (industry, points) in [
        ("Lawn care", 0),
        ("Law Practice", 20),
        ("Management Consulting", 20),
        ("Computer Software", 15),
        ("Software", 15),
        ("FinTech", 15),
        ("Biotechnology", 15),
        ("Logistics", 10),
        ("Mining", 0),
    ] {
        assert_eq!(industry_points(industry), points, "{industry}");
    }
}

#[test]
fn a_company_that_is_too_small_has_no_tier_and_an_unknown_size_keeps_one() {
    let small = model("default").explain(&lead("CEO", "Marketing", Some(3)));
    assert_eq!((small.tier, small.disqualified.is_some()), (None, true));
    assert!(
        model("default")
            .explain(&lead("CEO", "Marketing", None))
            .tier
            .is_some()
    );
    assert!(
        model("legacy-746")
            .explain(&lead("CEO", "SaaS", Some(3)))
            .tier
            .is_some()
    );
}

#[test]
fn a_model_is_refused_with_what_is_wrong() {
    let broken = |from: &str, to: &str| {
        let text = include_str!("../../../models/realigned.toml").replacen(from, to, 1);
        Model::from_toml(&text).unwrap_err().to_string()
    };
    assert!(broken("tiers = [80, 60, 40]", "tiers = [60, 80, 40]").contains("`tiers`"));
    assert!(broken("to = 19", "to = 5").contains("runs backwards"));
    assert!(broken("from = 20", "from = 15").contains("overlaps"));
    assert!(broken("\"ceo\"", "\"CEO\"").contains("lower-case"));
    assert!(broken("title = \"C-level\"", "title = \"Boss\"").contains("multiplier"));
    assert!(broken("cap = 100", "capp = 100").contains("capp"));
}

#[test]
fn the_digest_sees_decisions_and_no_comments() {
    let text = include_str!("../../../models/realigned.toml");
    let same = Model::from_toml(&format!("# a remark\n{text}")).unwrap();
    assert_eq!(same.digest(), model("default").digest());
    let other = Model::from_toml(&text.replacen("points = 5", "points = 6", 1)).unwrap();
    assert_ne!(other.digest(), model("default").digest());
}

proptest! {
    #[test]
    fn every_score_is_within_its_cap_and_agrees_with_its_explanation(
        title in "[A-Za-z ,&-]{0,30}", industry in "[A-Za-z &-]{0,20}",
        employees in prop::option::of(0u32..5000),
        technologies in prop::collection::vec(prop::sample::select(vec!["HubSpot", "hubspot", "Gong", "Marketo", "x"]), 0..5),
        visits in 0u32..9, demo in any::<bool>(),
        kind in prop::sample::select(vec!["", "event_attendee", "demo_requester"]),
    ) {
        for name in Model::builtin_names() {
            let model = model(name);
            let mut lead = lead(&title, &industry, employees);
            lead.company.technologies = technologies.iter().map(|it| (*it).to_owned()).collect();
            lead.intent = Intent { website_visits: visits, demo_requested: demo, ..Intent::default() };
            lead.source.kind = kind.to_owned();
            let points = model.points(&lead);
            prop_assert!(points.points <= 100);
            let mut scorer = Scorer::new(&model);
            for _ in 0..2 {
                prop_assert_eq!(scorer.points(&lead), points, "also from memory");
            }
            let explained = model.explain(&lead);
            prop_assert_eq!((points.points, points.tier), (explained.points, explained.tier));
            lead.company.technologies.reverse();
            prop_assert_eq!(model.points(&lead), points, "order of technologies");
        }
    }
}
