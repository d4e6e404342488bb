//! Campaigns: created as drafts, whatever the body says; names may repeat.

use serde_json::{Map, Value, json};

use super::{
    Campaign, Instantly, ORGANIZATION, Result, call_page, checked, not_found, page, refuse, shape,
};
use crate::sandbox::schema::Whole;
use crate::sandbox::wire::{Answer, Call};
use crate::sandbox::{Desk, text};

impl Campaign {
    /// As it is answered.
    pub(super) fn shown(&mut self) -> Value {
        let waits_for = self.not_sending();
        self.record
            .insert("not_sending_status".to_owned(), waits_for);
        Value::Object(self.record.clone())
    }

    pub(in crate::sandbox) fn name(&self) -> &str {
        text(self.record.get("name"))
    }

    pub(in crate::sandbox) fn status(&self) -> i64 {
        let status = self.record.get("status").and_then(Value::as_i64);
        status.unwrap_or_default()
    }

    /// Why an active campaign does not send: 1 no day in its schedule, 2 no lead, 4 no sender.
    fn not_sending(&self) -> Value {
        let schedules = self.record.get("campaign_schedule");
        let schedules = schedules.and_then(|schedule| schedule.get("schedules"));
        let mut schedules = schedules.and_then(Value::as_array).into_iter().flatten();
        let has_day = schedules.any(|schedule| {
            let days = schedule.get("days").and_then(Value::as_object);
            days.is_some_and(|days| days.values().any(|day| day == &json!(true)))
        });
        let senders = self.record.get("email_list").and_then(Value::as_array);
        match self.status() {
            1 if !has_day => json!(1),
            1 if self.leads.is_empty() => json!(2),
            1 if senders.is_none_or(Vec::is_empty) => json!(4),
            _ => Value::Null,
        }
    }

    fn set(&mut self, desk: &Desk<'_>, status: i64) -> Value {
        self.record.insert("status".to_owned(), json!(status));
        self.record
            .insert("timestamp_updated".to_owned(), json!(desk.now));
        self.shown()
    }
}

impl Instantly {
    pub(super) fn create_campaign(&mut self, desk: &Desk<'_>, body: Value) -> Result {
        checked(&shape::CAMPAIGN, &body)?;
        let Value::Object(mut given) = body else {
            return Err(refuse(400, "body must be object"));
        };
        only_numbered_days(&mut given);
        if desk.switches.drop_email_list {
            given.remove("email_list");
        }
        let id = desk.uuid();
        let mut record = Map::new();
        for (name, value) in [
            ("id", json!(id)),
            ("name", Value::Null),
            ("status", json!(desk.switches.new_campaign_status)),
            ("timestamp_created", json!(desk.now)),
            ("timestamp_updated", json!(desk.now)),
            ("organization", json!(ORGANIZATION)),
            ("not_sending_status", Value::Null),
            ("core_variables", json!({})),
            ("custom_variables", json!({})),
            ("email_list", json!([])),
            ("sequences", json!([])),
        ] {
            record.insert(name.to_owned(), value);
        }
        record.extend(given);
        let leads = Vec::new();
        let mut campaign = Campaign { id, record, leads };
        let answer = campaign.shown();
        self.campaigns.push(campaign);
        Ok(answer)
    }

    pub(super) fn update_campaign(&mut self, desk: &Desk<'_>, id: &str, body: &Value) -> Result {
        let wrong = shape::CAMPAIGN.check(body, Whole::No);
        wrong.map_err(|wrong| refuse(400, &wrong))?;
        let mut given = body.as_object().cloned().unwrap_or_default();
        only_numbered_days(&mut given);
        let campaign = self.campaign(id)?;
        campaign.record.extend(given);
        let status = campaign.status();
        Ok(campaign.set(desk, status))
    }

    pub(super) fn list_campaigns(&mut self, desk: &Desk<'_>, call: &Call) -> Result {
        let status = match call.parameter("status").map(str::parse::<i64>) {
            None => None,
            Some(Ok(status)) => Some(status),
            Some(Err(_)) => return Err(refuse(400, "querystring/status must be number")),
        };
        let search = call.parameter("search").unwrap_or_default().to_lowercase();
        let wanted = |campaign: &Value| {
            text(campaign.get("name")).to_lowercase().contains(&search)
                && status.is_none_or(|status| campaign.get("status") == Some(&json!(status)))
        };
        let all = self.campaigns.iter_mut().map(Campaign::shown);
        page(desk, &call_page(call)?, all, wanted)
    }

    pub(super) fn search_by_contact(&mut self, call: &Call) -> Result {
        let Some(email) = call.parameter("search") else {
            return Err(refuse(
                400,
                "querystring must have required property 'search'",
            ));
        };
        let email = email.trim().to_lowercase();
        let holds =
            |campaign: &&mut Campaign| campaign.leads.iter().any(|lead| lead.email == email);
        let found: Vec<Value> = self
            .campaigns
            .iter_mut()
            .filter(holds)
            .map(Campaign::shown)
            .collect();
        Ok(json!({ "items": found }))
    }

    pub(super) fn delete_campaign(&mut self, id: &str) -> Result {
        let at = self.campaigns.iter().position(|campaign| campaign.id == id);
        let at = at.ok_or_else(not_found)?;
        Ok(self.campaigns.remove(at).shown())
    }

    /// Starts or resumes; without senders or leads it is active all the same, and sends nothing.
    pub(super) fn activate(&mut self, desk: &Desk<'_>, id: &str) -> Result {
        let status = desk.switches.activated_status;
        Ok(self.campaign(id).map_err(missing)?.set(desk, status))
    }

    pub(super) fn pause(&mut self, desk: &Desk<'_>, id: &str) -> Result {
        Ok(self.campaign(id).map_err(missing)?.set(desk, 2))
    }
}

/// Activate and pause answer a 400 whose body says 404.
fn missing(mut answer: Answer) -> Answer {
    answer.status = 400;
    answer
}

/// Days count by digit; a day by name is dropped in silence.
fn only_numbered_days(given: &mut Map<String, Value>) {
    let schedules = given.get_mut("campaign_schedule");
    let schedules = schedules.and_then(|schedule| schedule.get_mut("schedules"));
    for schedule in schedules
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(days) = schedule.get_mut("days").and_then(Value::as_object_mut) {
            days.retain(|day, _| matches!(day.as_bytes(), [b'0'..=b'6']));
        }
    }
}
