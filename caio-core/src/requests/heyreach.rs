//! HeyReach: leads join a list, 100 a call, and never a campaign.

use serde_json::{Value, json};

use super::{Campaign, Message, ProviderRequest, token};
use crate::terms::Provider;

/// Most leads in one call.
const LEADS_PER_CALL: usize = 100;

pub(super) fn requests(campaign: &Campaign<'_>, messages: &[Message<'_>]) -> Vec<ProviderRequest> {
    let request = |path: &str, body: Value| ProviderRequest {
        provider: Provider::HeyReach,
        method: "POST".to_owned(),
        path: path.to_owned(),
        body,
    };
    let create = request(
        "/list/CreateEmptyList",
        json!({ "name": campaign.name, "type": "USER_LIST" }),
    );
    let adds = messages.chunks(LEADS_PER_CALL).map(|chunk| {
        let leads: Vec<_> = chunk.iter().map(lead).collect();
        request(
            "/list/AddLeadsToListV2",
            json!({ "listId": "{id of the list}", "leads": leads }),
        )
    });
    std::iter::once(create).chain(adds).collect()
}

fn lead(message: &Message<'_>) -> Value {
    json!({
        "profileUrl": message.linkedin_url,
        "firstName": message.first_name,
        "lastName": message.last_name,
        "companyName": message.company,
        "emailAddress": message.to,
        "customUserFields": [
            { "name": "caio_message", "value": message.body },
            { "name": "caio_delivery", "value": token(message.delivery) },
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_takes_a_hundred_leads_a_call() {
        let campaign = Campaign {
            name: "c",
            accounts: &[],
            time_zone: "",
            daily_limit: 5,
        };
        let message = Message {
            delivery: "0123456789abcdef",
            step: crate::terms::Step::FIRST,
            to: "a@example.com",
            first_name: "Ann",
            last_name: "",
            company: "",
            linkedin_url: "https://linkedin.example/in/ann",
            subject: "",
            body: "Hello",
        };
        let requests = requests(&campaign, &vec![message; 150]);
        let sizes: Vec<_> = requests[1..]
            .iter()
            .map(|r| r.body["leads"].as_array().map_or(0, Vec::len))
            .collect();
        assert_eq!(sizes, [100, 50]);
    }
}
