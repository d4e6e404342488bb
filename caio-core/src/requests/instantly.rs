//! Instantly, API V2: a draft campaign whose template prints each lead's own subject and body.

use serde_json::{Map, Value, json};

use super::{Campaign, Message, ProviderRequest, html, token};
use crate::terms::{Provider, Step};

/// Most leads in one call.
const LEADS_PER_CALL: usize = 1000;

pub(super) fn requests(campaign: &Campaign<'_>, messages: &[Message<'_>]) -> Vec<ProviderRequest> {
    let create = ProviderRequest {
        provider: Provider::Instantly,
        method: "POST".to_owned(),
        path: "/campaigns".to_owned(),
        body: campaign_body(campaign),
    };
    // In any campaign, as the vendor reads it: a follow-up is for whom another one holds already. What
    // this campaign holds is counted as a duplicate, with or without.
    let is_first = messages.iter().all(|it| it.step == Step::FIRST);
    let uploads = messages
        .chunks(LEADS_PER_CALL)
        .map(|chunk| ProviderRequest {
            provider: Provider::Instantly,
            method: "POST".to_owned(),
            path: "/leads/add".to_owned(),
            body: json!({
                "campaign_id": "{id of the campaign}",
                "skip_if_in_campaign": is_first,
                "leads": chunk.iter().map(lead).collect::<Vec<_>>(),
            }),
        });
    std::iter::once(create).chain(uploads).collect()
}

fn campaign_body(campaign: &Campaign<'_>) -> Value {
    json!({
        "name": campaign.name,
        "campaign_schedule": { "schedules": [{
            "name": "weekdays",
            "timing": { "from": "08:00", "to": "18:00" },
            "days": { "1": true, "2": true, "3": true, "4": true, "5": true },
            "timezone": campaign.time_zone,
        }]},
        "sequences": [{ "steps": [{
            "type": "email",
            "delay": 0,
            "variants": [{ "subject": "{{caio_subject}}", "body": "{{caio_body}}" }],
        }]}],
        "email_list": campaign.accounts,
        "daily_limit": campaign.daily_limit,
        "stop_on_reply": true,
        "insert_unsubscribe_header": true,
        "open_tracking": false,
        "link_tracking": false,
    })
}

/// A lead with its own letter. Facts that are not known are left out: `null` would be printed.
fn lead(message: &Message<'_>) -> Value {
    let mut lead = Map::new();
    lead.insert("email".to_owned(), json!(message.to));
    for (field, value) in [
        ("first_name", message.first_name),
        ("last_name", message.last_name),
        ("company_name", message.company),
    ] {
        if !value.is_empty() {
            lead.insert(field.to_owned(), json!(value));
        }
    }
    lead.insert(
        "custom_variables".to_owned(),
        json!({
            "caio_subject": message.subject,
            "caio_body": html(message.body),
            "caio_delivery": token(message.delivery),
        }),
    );
    Value::Object(lead)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<'a>(to: &'a str, body: &'a str) -> Message<'a> {
        Message {
            delivery: "0123456789abcdef",
            step: Step::FIRST,
            to,
            first_name: "",
            last_name: "",
            company: "",
            linkedin_url: "",
            subject: "Hello",
            body,
        }
    }

    #[test]
    fn each_lead_carries_its_own_letter_and_unknown_facts_are_left_out() {
        let campaign = Campaign {
            name: "c",
            accounts: &[],
            time_zone: "America/Detroit",
            daily_limit: 5,
        };
        let messages = [
            message("a@example.com", "One\n<b>"),
            message("b@example.com", "Two"),
        ];
        let requests = requests(&campaign, &messages);
        assert_eq!(requests.len(), 2);
        let leads = &requests[1].body["leads"];
        assert_eq!(
            leads[0]["custom_variables"]["caio_body"],
            "One<br/>&lt;b&gt;"
        );
        assert_eq!(leads[1]["custom_variables"]["caio_body"], "Two");
        assert!(leads[0].get("first_name").is_none());
    }

    #[test]
    fn more_leads_than_a_call_takes_are_split() {
        let campaign = Campaign {
            name: "c",
            accounts: &[],
            time_zone: "America/Detroit",
            daily_limit: 5,
        };
        let messages = vec![message("a@example.com", "One"); LEADS_PER_CALL + 1];
        assert_eq!(requests(&campaign, &messages).len(), 3);
    }
}
