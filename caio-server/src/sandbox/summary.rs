//! Who was reached, how often: what has to be true after a crash.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{World, text};

impl World {
    /// Everything that the providers hold.
    pub(super) fn state(&self) -> Value {
        let campaigns = self.instantly.campaigns.iter().map(|campaign| {
            let leads = campaign.leads.iter().map(|lead| lead.record.clone());
            let mut shown = campaign.record.clone();
            shown.insert("leads".to_owned(), leads.map(Value::Object).collect());
            Value::Object(shown)
        });
        let containers = |containers: &[super::heyreach::Container]| {
            let shown = containers.iter().map(|container| {
                let leads = container.leads.iter().map(|lead| lead.record.clone());
                let mut shown = container.record.clone();
                shown.insert("leads".to_owned(), leads.map(Value::Object).collect());
                Value::Object(shown)
            });
            shown.collect::<Vec<_>>()
        };
        json!({
            "instantly": {
                "campaigns": campaigns.collect::<Vec<_>>(),
                "block_list": self.instantly.blocked,
            },
            "heyreach": {
                "lists": containers(&self.heyreach.lists),
                "campaigns": containers(&self.heyreach.campaigns),
            },
            "ghl": { "contacts": self.ghl.contacts, "messages": self.ghl.messages },
            "smtp": { "messages": self.notify.mail },
            "slack": { "messages": self.notify.slack },
            "twilio": { "messages": self.notify.twilio },
        })
    }

    /// Counts by provider, and who stands in two places or twice in one.
    pub(super) fn summary(&self) -> Value {
        let instantly = self.instantly.campaigns.iter();
        let instantly = instantly.flat_map(|campaign| {
            let leads = campaign.leads.iter();
            leads.map(|lead| (lead.email.clone(), campaign.id.clone()))
        });
        let containers = self.heyreach.lists.iter().chain(&self.heyreach.campaigns);
        let heyreach = containers.flat_map(|container| {
            let leads = container.leads.iter();
            leads.map(|lead| (lead.profile.clone(), container.id.to_string()))
        });
        let messages = self.ghl.messages.iter();
        let ghl = messages.map(|message| {
            let field = |name: &str| text(message.get(name)).to_owned();
            (field("to"), field("id"))
        });
        json!({
            "instantly": counted(instantly, self.instantly.campaigns.len(), &self.instantly.violations),
            "heyreach": counted(
                heyreach,
                self.heyreach.lists.len() + self.heyreach.campaigns.len(),
                &[],
            ),
            "ghl": counted(ghl, self.ghl.messages.len(), &[]),
        })
    }
}

fn counted(
    deliveries: impl Iterator<Item = (String, String)>,
    containers: usize,
    violations: &[String],
) -> Value {
    let mut by_recipient = BTreeMap::<String, Vec<String>>::new();
    for (recipient, container) in deliveries {
        by_recipient.entry(recipient).or_default().push(container);
    }
    let twice = by_recipient.iter().filter(|(_, places)| places.len() > 1);
    let twice =
        twice.map(|(recipient, places)| json!({ "recipient": recipient, "containers": places }));
    json!({
        "containers": containers,
        "recipients": by_recipient.len(),
        "deliveries": by_recipient.values().map(Vec::len).sum::<usize>(),
        "duplicates": twice.collect::<Vec<_>>(),
        "violations": violations,
    })
}
