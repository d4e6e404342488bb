use proptest::prelude::*;

use super::*;
use crate::identity::EmailKey;
use crate::lead::{Company, Intent, LeadSource};
use crate::terms::Tier;

fn sender() -> Sender {
    Sender {
        name: "Robin Vale".to_owned(),
        title: "Partner".to_owned(),
        company: "Oak & Vale".to_owned(),
        email: "robin@oakvale.example".to_owned(),
        postal_address: "1 Mill Lane, Springfield, EX 00001".to_owned(),
        opt_out_text: "Answer \"no\" and you will not hear from us again.".to_owned(),
        ..Sender::default()
    }
}

fn lead() -> Lead {
    Lead {
        key: EmailKey::parse("kim@example.com").unwrap(),
        email: "kim@example.com".to_owned(),
        first_name: "Kim".to_owned(),
        last_name: String::new(),
        title: String::new(),
        linkedin_url: String::new(),
        phone: String::new(),
        location: String::new(),
        company: Company {
            name: "Acorn".to_owned(),
            ..Company::default()
        },
        source: LeadSource::default(),
        intent: Intent::default(),
    }
}

fn full() -> Lead {
    let mut lead = lead();
    lead.title = "COO".to_owned();
    lead.company.industry = "Marketing".to_owned();
    lead.source.name = "Spring Summit".to_owned();
    lead
}

fn templates() -> TemplateSet {
    TemplateSet::builtin().unwrap()
}

#[test]
fn every_template_renders_for_full_and_minimal_leads_and_passes_the_checks() {
    let templates = templates();
    let mut bodies = std::collections::BTreeSet::new();
    for campaign in templates.campaigns() {
        for lead in [lead(), full()] {
            let rendered = templates.first_touch(campaign, &lead, &sender()).unwrap();
            assert_eq!(check(&rendered, &sender()), [], "{campaign}");
            let words = rendered.body.split_whitespace().count();
            assert!((50..=140).contains(&words), "{campaign}: {words} words");
            assert!(
                !rendered.body.contains("  "),
                "{campaign}: {}",
                rendered.body
            );
            assert!(
                bodies.insert(rendered.body),
                "{campaign} has another campaign's words"
            );
            if lead.title.is_empty() {
                bodies.clear();
            }
        }
    }
    for step in crate::cadence::DEFAULT_21DAY.steps {
        let action = step.action.to_string();
        let rendered = templates.follow_up(&action, &full(), &sender()).unwrap();
        assert_eq!(
            rendered.subject.is_empty(),
            step.medium == crate::Medium::LinkedIn,
            "{action}"
        );
        assert!(step.medium == crate::Medium::Email || rendered.body.chars().count() <= 300);
    }
}

#[test]
fn every_campaign_that_the_router_names_has_its_own_template() {
    let templates = templates();
    let known: Vec<&str> = templates.campaigns().collect();
    for kind in [
        "",
        "demo_requester",
        "competitor_follower",
        "event_attendee",
        "webinar_registrant",
        "website_visitor",
        "content_downloader",
        "post_commenter",
        "group_member",
        "post_liker",
    ] {
        for tier in Tier::ALL {
            for (pricing, downloads) in [(0, 0), (2, 0), (0, 3)] {
                let mut lead = lead();
                lead.source.kind = kind.to_owned();
                lead.intent.pricing_page_visits = pricing;
                lead.intent.content_downloads = downloads;
                assert!(known.contains(&crate::route::campaign(&lead, *tier)));
            }
        }
    }
}

#[test]
fn a_missing_fact_is_named_and_never_papered_over() {
    let mut nameless = lead();
    nameless.first_name = " ".to_owned();
    let error = templates()
        .first_touch("event_followup", &nameless, &sender())
        .unwrap_err();
    assert_eq!(error.code(), "copy.missing");
    assert!(error.to_string().contains("first_name"));
    let error = templates()
        .first_touch("no_such", &lead(), &sender())
        .unwrap_err();
    assert_eq!(error, CopyError::NoTemplate("no_such".to_owned()));
}

#[test]
fn without_a_sender_the_text_is_marked_and_never_fit_for_live() {
    let rendered = templates()
        .first_touch("event_followup", &lead(), &Sender::default())
        .unwrap();
    assert!(rendered.placeholder_sender);
    assert!(
        rendered
            .body
            .contains("[[ postal address not configured ]]")
    );
    let findings = check(&rendered, &Sender::default());
    assert!(findings.iter().any(|it| it.severity == Severity::Failure));
}

#[test]
fn own_templates_take_the_place_of_theirs_and_no_other() {
    let own = |name: &str| {
        let source = "subject: Ours\n\nHi {{ first_name }}, ours.".to_owned();
        TemplateSet::with_own(&BTreeMap::from([(name.to_owned(), source)]))
    };
    let templates = own("event_followup").unwrap();
    let subject = |campaign: &str| {
        templates
            .first_touch(campaign, &lead(), &sender())
            .unwrap()
            .subject
    };
    assert_eq!(subject("event_followup"), "Ours");
    assert_ne!(subject("webinar_followup"), "Ours");
    assert!(
        own("event_folowup")
            .unwrap_err()
            .to_string()
            .contains("event_followup")
    );
}

#[test]
fn an_edit_cannot_take_the_way_out_away() {
    let rendered = templates()
        .first_touch("event_followup", &lead(), &sender())
        .unwrap();
    assert_eq!(
        unfit(&rendered.subject, &rendered.body, &sender()),
        Vec::<String>::new()
    );
    let cut = rendered.body.replace(&sender().opt_out_text, "");
    assert!(unfit("Hello", &cut, &sender())[0].contains("opt out"));
    assert!(unfit("Hello", "Hi Kim,\n{{ name }}", &Sender::default())[0].contains("not filled in"));
}

#[test]
fn a_template_is_checked_when_it_is_loaded() {
    let load = |source: &'static str| {
        TemplateSet::from_sources([("mine", source)], [])
            .map(|_| ())
            .map_err(|it| it.to_string())
    };
    assert!(load("no head").unwrap_err().contains("empty line"));
    assert!(
        load("subject: x\n\nHi {{ frist_name }}")
            .unwrap_err()
            .contains("unknown `frist_name`")
    );
    assert!(load("subject: x\n\nHi {{ first_name").is_err());
    let urgent =
        TemplateSet::from_sources([("mine", "subject: RE: us\n\nHi {{ first_name }}, x")], []);
    let error = urgent
        .unwrap()
        .first_touch("mine", &lead(), &sender())
        .unwrap_err();
    assert_eq!(error.code(), "copy.unfit");
}

proptest! {
    #[test]
    fn whatever_a_lead_is_called_the_text_says_it_verbatim(name in "[^\\s\\x00-\\x1f{}%][^\\x00-\\x1f{}%]{0,20}") {
        let mut lead = lead();
        lead.first_name = name.trim().to_owned();
        let rendered = templates().first_touch("nurture_sequence", &lead, &sender()).unwrap();
        let greeting = format!("Hi {},", name.trim());
        prop_assert!(rendered.body.starts_with(&greeting));
        prop_assert!(!rendered.subject.contains('\n'));
    }
}
