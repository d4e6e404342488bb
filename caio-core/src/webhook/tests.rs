use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn now() -> Timestamp {
    "2026-03-02T10:00:00Z".parse().unwrap()
}

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("../../../tests/webhooks/", $name, ".json"))
    };
}

/// Status and suppression that a body stands for.
fn read(source: Source, hint: Option<&str>, body: &str) -> (Event, Effects) {
    let event = parse(source, hint, body.as_bytes(), now()).unwrap();
    let effects = effects(&event, Trust::Proven);
    (event, effects)
}

fn row(source: Source, hint: Option<&str>, body: &str) -> (Kind, String, String, String) {
    let (event, effects) = read(source, hint, body);
    let who = event.person.as_ref().map(ToString::to_string);
    let who = who.or(event.profile).unwrap_or_default();
    let (signal, status) = effects.signal.unwrap_or_default();
    (
        event.kind,
        who,
        format!("{signal} {status}").trim().to_owned(),
        effects.suppress.unwrap_or_default().to_owned(),
    )
}

macro_rules! table {
    ($source:expr; $($name:literal, $hint:expr => $kind:ident, $who:literal, $signal:literal, $suppress:literal;)+) => {
        $(assert_eq!(
            row($source, $hint, recorded!($name)),
            (Kind::$kind, $who.to_owned(), $signal.to_owned(), $suppress.to_owned()),
            $name
        );)+
    };
}

#[test]
fn instantly_flat_as_it_is_sent_and_nested_as_the_old_tools_sent_it() {
    table! { Source::Instantly;
        "instantly_reply", None => Replied, "kim@example.com", "instantly_webhook:reply replied", "";
        "instantly_reply", Some("open") => Replied, "kim@example.com", "instantly_webhook:reply replied", "";
        "instantly_auto_reply", Some("reply") => AutoReplied, "kim@example.com", "instantly_webhook:auto_reply", "";
        "instantly_reply_out_of_office", Some("reply") => AutoReplied, "kim@example.com", "instantly_webhook:auto_reply", "";
        "instantly_bounce", None => Bounced, "kim@example.com", "instantly_webhook:bounce bounced", "bounced";
        "instantly_open", None => Opened, "kim@example.com", "instantly_webhook:open opened", "";
        "instantly_click", None => Clicked, "kim@example.com", "instantly_webhook:click", "";
        "instantly_sent", None => Sent, "kim@example.com", "instantly_webhook:sent sent", "";
        "instantly_unsubscribe", None => Unsubscribed, "kim@example.com", "instantly_webhook:unsubscribe unsubscribed", "unsubscribed";
        "instantly_label", None => Unknown, "kim@example.com", "", "";
        "instantly_label", Some("unsubscribe") => Unsubscribed, "kim@example.com", "instantly_webhook:unsubscribe unsubscribed", "unsubscribed";
        "instantly_account_error", None => AccountFault, "", "", "";
        "instantly_nested_reply", Some("reply") => Replied, "kim@example.com", "instantly_webhook:reply replied", "";
        "instantly_nested_bounce", None => Bounced, "kim@example.com", "instantly_webhook:bounce bounced", "bounced";
        "instantly_nested_unsubscribe", Some("unsubscribe") => Unsubscribed, "kim@example.com", "instantly_webhook:unsubscribe unsubscribed", "unsubscribed";
    }
    let (event, effects) = read(Source::Instantly, None, recorded!("instantly_reply"));
    assert_eq!(event.text, "Thanks, tell me more about the price.");
    assert_eq!(event.containers, ["caio_t1_20260302_1a2b3c4d"]);
    assert_eq!(event.at, "2026-03-02T09:15:00Z".parse().unwrap());
    assert_eq!(effects.later, Some(Later::Replied));
    let (bounce, _) = read(
        Source::Instantly,
        None,
        recorded!("instantly_nested_bounce"),
    );
    assert_eq!((bounce.text.as_str(), bounce.at), ("hard", now()));
}

#[test]
fn heyreach_nested_lower_case_and_flat_upper_case() {
    table! { Source::HeyReach;
        "heyreach_sent", None => ConnectionSent, "in/kim-lee", "heyreach_webhook:connection_sent linkedin_sent", "";
        "heyreach_accepted", None => Connected, "in/kim-lee", "heyreach_webhook:connection_accepted linkedin_connected", "";
        "heyreach_reply", None => Replied, "in/kim-lee", "heyreach_webhook:message_reply linkedin_replied", "";
        "heyreach_no_type", None => Replied, "in/kim-lee", "heyreach_webhook:message_reply linkedin_replied", "";
        "heyreach_completed", None => Exhausted, "in/kim-lee", "heyreach_webhook:campaign_completed linkedin_exhausted", "";
        "heyreach_tag", None => Noted, "in/kim-lee", "", "";
        "heyreach_flat_reply", None => Replied, "kim@example.com", "heyreach_webhook:message_reply linkedin_replied", "";
    }
    let (event, _) = read(Source::HeyReach, None, recorded!("heyreach_reply"));
    assert_eq!(event.text, "Sounds good");
    assert_eq!(event.containers, ["spring", "caio_t1_20260302_1a2b3c4d"]);
    // One reply is reported by two kinds of subscription.
    let (every, _) = read(Source::HeyReach, None, recorded!("heyreach_every_reply"));
    assert_eq!((every.key, every.at), (event.key, event.at));
}

#[test]
fn rb2b_with_blanks_in_its_words_its_own_faulty_sample_and_the_normalised_form() {
    table! { Source::Rb2b;
        "rb2b_visit", None => Visited, "kim@example.com", "", "";
        "rb2b_sample", None => Visited, "in/kim-lee", "", "";
        "rb2b_normalised", None => Visited, "kim@example.com", "", "";
    }
    let (event, _) = read(Source::Rb2b, None, recorded!("rb2b_visit"));
    assert_eq!(event.text, "Acorn https://example.net/pricing");
    assert_eq!(row(Source::Rb2b, None, "{}").0, Kind::Unknown);
}

#[test]
fn a_row_of_clay_names_what_was_asked_for_and_nothing_else_does() {
    table! { Source::Clay;
        "clay_row", None => Enriched, "kim@example.com", "", "";
        "clay_path", None => Unknown, "kim@example.com", "", "";
    }
    assert_eq!(
        read(Source::Clay, None, recorded!("clay_row")).0.text,
        "req_1-A"
    );
    assert_eq!(read(Source::Clay, None, recorded!("clay_path")).0.text, "");
}

#[test]
fn ghl_from_applications_and_from_the_old_tools() {
    table! { Source::Ghl;
        "ghl_inbound", None => Replied, "kim@example.com", "ghl_webhook:reply replied", "";
        "ghl_dnd", None => Unsubscribed, "kim@example.com", "ghl_webhook:unsubscribe unsubscribed", "unsubscribed";
        "ghl_dnd_off", None => Noted, "kim@example.com", "", "";
        "ghl_tag", None => Unsubscribed, "kim@example.com", "ghl_webhook:unsubscribe unsubscribed", "unsubscribed";
        "ghl_stats", None => Bounced, "kim@example.com", "ghl_webhook:bounce bounced", "bounced";
        "ghl_complaint", None => Complained, "kim@example.com", "ghl_webhook:complaint unsubscribed", "complained";
        "ghl_old_reply", None => Replied, "kim@example.com", "ghl_webhook:reply replied", "";
        "ghl_opportunity", None => Noted, "", "", "";
    }
    // What we send ourselves names the lead as `to`, and never suppresses our own address.
    let sent =
        json!({"type": "OutboundMessage", "from": "sender@example.net", "to": "kim@example.com"});
    assert_eq!(
        row(Source::Ghl, None, &sent.to_string()).1,
        "kim@example.com"
    );
}

#[test]
fn a_report_has_one_key_however_often_it_comes_and_reports_have_different_ones() {
    let all = [
        (Source::Instantly, recorded!("instantly_reply")),
        (Source::Instantly, recorded!("instantly_open")),
        (Source::Instantly, recorded!("instantly_nested_reply")),
        (Source::HeyReach, recorded!("heyreach_reply")),
        (Source::HeyReach, recorded!("heyreach_accepted")),
        (Source::Rb2b, recorded!("rb2b_sample")),
        (Source::Rb2b, recorded!("rb2b_visit")),
        (Source::Clay, recorded!("clay_row")),
        (Source::Ghl, recorded!("ghl_inbound")),
        (Source::Ghl, recorded!("ghl_stats")),
    ];
    let later: Timestamp = "2026-03-04T10:00:00Z".parse().unwrap();
    let mut keys = std::collections::BTreeSet::new();
    for (source, body) in all {
        let first = parse(source, None, body.as_bytes(), now()).unwrap();
        assert_eq!(
            parse(source, None, body.as_bytes(), later).unwrap().key,
            first.key
        );
        assert_eq!(first.key.len(), 32);
        assert!(keys.insert(first.key));
    }
}

#[test]
fn what_is_no_object_is_told_apart_and_bounded() {
    let code = |body: &[u8]| parse(Source::Instantly, None, body, now()).map_err(|it| it.code());
    for body in ["", "{", "nul", "{\"a\":1}}", "\u{feff}["] {
        assert_eq!(code(body.as_bytes()), Err("webhook.not_json"), "{body}");
    }
    assert_eq!(code(b"\xff\xfe"), Err("webhook.not_json"));
    for body in ["[]", "null", "3", "\"x\"", "true"] {
        assert_eq!(code(body.as_bytes()), Err("webhook.not_object"), "{body}");
    }
    assert_eq!(
        code("[".repeat(100_000).as_bytes()),
        Err("webhook.not_json")
    );
    assert_eq!(code(&vec![b' '; MAX_BODY + 1]), Err("webhook.too_long"));
    assert_eq!(row(Source::Instantly, None, "{}").0, Kind::Unknown);
    let odd = json!({"event_type": ["open"], "lead_email": {"a": 1}, "timestamp": [], "data": 3});
    assert_eq!(
        row(Source::Instantly, Some("open"), &odd.to_string()).0,
        Kind::Opened
    );
}

#[test]
fn paths_and_names_of_others_are_text_and_nothing_else() {
    let odd = [
        "/tmp/x",
        "../../x.json",
        "caio:stop",
        "\u{202e}@",
        "%2e%2e%2f",
    ];
    for text in odd {
        let body =
            json!({"event_type": text, "lead_email": text, "campaign_id": text, "timestamp": text});
        let (event, _) = read(Source::Instantly, Some("bounce"), &body.to_string());
        assert_eq!((event.kind, event.person), (Kind::Bounced, None), "{text}");
        assert!(event.key.chars().all(|c| c.is_ascii_hexdigit()));
    }
}

#[test]
fn an_unsigned_event_can_hold_and_nothing_else() {
    for (source, hint, body, holds) in [
        (
            Source::Instantly,
            None,
            recorded!("instantly_unsubscribe"),
            true,
        ),
        (Source::Instantly, None, recorded!("instantly_bounce"), true),
        (Source::Instantly, None, recorded!("instantly_reply"), true),
        (Source::Instantly, None, recorded!("instantly_open"), false),
        (Source::Instantly, None, recorded!("instantly_label"), true),
        (Source::HeyReach, None, recorded!("heyreach_reply"), true),
        (Source::HeyReach, None, recorded!("heyreach_sent"), false),
        (Source::Ghl, None, recorded!("ghl_complaint"), true),
    ] {
        let event = parse(source, hint, body.as_bytes(), now()).unwrap();
        let unsigned = effects(&event, Trust::Unsigned);
        let only = Effects {
            hold: unsigned.hold,
            ..Effects::default()
        };
        assert_eq!(
            (unsigned.hold.is_some(), &unsigned),
            (holds, &only),
            "{}",
            event.name
        );
    }
}

#[test]
fn a_word_that_nobody_knows_holds_where_it_sounds_like_an_end() {
    for (word, holds) in [
        ("lead_opted_out", true),
        ("Please remove", true),
        ("do not contact", true),
        ("email_scheduled", false),
        ("Call back in autumn", false),
    ] {
        let body = json!({"event_type": word, "lead_email": "kim@example.com"});
        let (event, effects) = read(Source::Instantly, None, &body.to_string());
        assert_eq!((event.kind, effects.unknown), (Kind::Unknown, true));
        assert_eq!(effects.hold.is_some(), holds, "{word}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        Just(json!("kim@example.com")),
        Just(json!("2026-03-02T09:00:00Z")),
    ];
    let name = prop_oneof![
        prop::sample::select(vec![
            "event_type",
            "type",
            "data",
            "lead",
            "email",
            "lead_email",
            "timestamp",
            "campaign",
            "lists",
            "recent_messages",
            "dndSettings",
            "Email",
            "tags",
            "webhookPayload",
            "pages",
            "Seen At",
            "request_id",
            "name",
            "id",
            "creation_time",
            "is_reply",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,8}",
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(name.clone(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_object_is_an_event_of_bounded_size(body in any_json(), hint in "\\PC{0,10}") {
        for source in Source::ALL {
            let text = body.to_string();
            let event = parse(*source, Some(&hint), text.as_bytes(), now());
            prop_assert_eq!(event.is_ok(), body.is_object());
            let Ok(event) = event else { continue };
            prop_assert_eq!(event.key.len(), 32);
            prop_assert!(event.name.chars().count() <= 64 && event.text.chars().count() <= PREVIEW);
            prop_assert!(!event.name.chars().any(char::is_control));
            let unsigned = effects(&event, Trust::Unsigned);
            prop_assert!(unsigned.suppress.is_none() && unsigned.signal.is_none());
            prop_assert!(unsigned.later.is_none() && !unsigned.unknown);
        }
    }

    #[test]
    fn any_bytes_end_in_an_answer(body in prop::collection::vec(any::<u8>(), 0..200)) {
        for source in Source::ALL {
            let _ = parse(*source, None, &body, now());
        }
    }
}
