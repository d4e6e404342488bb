//! Campaigns: made in the vendor's own pages, so here through `/sandbox/heyreach/campaigns`; adding a lead may start one.

use serde_json::{Value, json};

use super::lists::MAX_LEADS;
use super::{Container, HeyReach, Lead, Result, canonical, find, number, page, refuse, required};
use crate::sandbox::{Desk, text};

const STATUSES: [&str; 8] = [
    "DRAFT",
    "IN_PROGRESS",
    "PAUSED",
    "FINISHED",
    "CANCELED",
    "FAILED",
    "STARTING",
    "SCHEDULED",
];

impl HeyReach {
    /// A campaign as a person would have made it: `{name, status}`.
    pub(in crate::sandbox) fn make_campaign(
        &mut self,
        desk: &Desk<'_>,
        body: &Value,
    ) -> std::result::Result<Value, String> {
        let name = text(body.get("name"));
        if name.is_empty() {
            return Err("a campaign needs a `name`".to_owned());
        }
        let status = body
            .get("status")
            .map_or("DRAFT", |status| text(Some(status)));
        if !STATUSES.contains(&status) {
            return Err(format!("no status `{status}`: {}", STATUSES.join(", ")));
        }
        let id = self.next_id();
        let record = json!({
            "id": id,
            "name": name,
            "creationTime": desk.now,
            "status": status,
            "linkedInUserListId": null,
            "campaignAccountIds": [],
            "progressStats": {
                "totalUsers": 0,
                "totalUsersInProgress": 0,
                "totalUsersPending": 0,
                "totalUsersFinished": 0,
                "totalUsersFailed": 0,
            },
        });
        let campaign = Container::new(id, &record);
        let answer = campaign.shown();
        self.campaigns.push(campaign);
        Ok(answer)
    }

    pub(super) fn list_campaigns(&self, desk: &Desk<'_>, body: &Value) -> Result {
        let keyword = text(body.get("keyword")).to_lowercase();
        let statuses = body.get("statuses").and_then(Value::as_array);
        let statuses = statuses.filter(|statuses| !statuses.is_empty());
        let wanted = |campaign: &&Container| {
            campaign.name().to_lowercase().contains(&keyword)
                && statuses.is_none_or(|statuses| statuses.contains(&json!(campaign.status())))
        };
        let found = self.campaigns.iter().filter(wanted);
        page(desk, body, 100, found.map(Container::shown).collect())
    }

    pub(super) fn add_to_campaign(&mut self, desk: &Desk<'_>, body: &Value) -> Result {
        let id = number(body, "campaignId")?;
        let pairs = body.get("accountLeadPairs").and_then(Value::as_array);
        let pairs = pairs.ok_or_else(|| required("accountLeadPairs"))?;
        if pairs.len() > MAX_LEADS {
            let wrong = format!("You can add at most {MAX_LEADS} leads in one request.");
            return Err(refuse(400, &wrong));
        }
        let flag = |name: &str| body.get(name) == Some(&json!(true));
        let resumes = flag("resumePausedCampaign");
        let campaign = find(&mut self.campaigns, id)?;
        if campaign.status() == "DRAFT" {
            return Err(refuse(400, "You cannot add new leads to a draft campaign."));
        }
        // What stands beside `lead` is accepted and lost.
        let leads: Vec<&Value> = pairs.iter().filter_map(|pair| pair.get("lead")).collect();
        let counts = campaign.upsert(desk, &leads, false)?;
        for lead in &mut campaign.leads {
            for (name, value) in [
                ("leadCampaignStatus", json!("Pending")),
                ("leadConnectionStatus", json!("None")),
                ("leadMessageStatus", json!("None")),
                ("lastActionTime", Value::Null),
                ("errorCode", Value::Null),
            ] {
                lead.record.entry(name).or_insert(value);
            }
        }
        let starts = campaign.status() == "FINISHED" || campaign.status() == "PAUSED" && resumes;
        if starts {
            campaign.set("IN_PROGRESS");
        }
        Ok(counts.shown(desk, pairs.len()))
    }

    pub(super) fn campaigns_for_lead(&self, desk: &Desk<'_>, body: &Value) -> Result {
        let found = Container::holding(&self.campaigns, body)?.into_iter();
        let shown = found.map(|campaign| {
            json!({
                "campaignId": campaign.id,
                "campaignName": campaign.name(),
                "campaignStatus": campaign.status(),
            })
        });
        page(desk, body, 100, shown.collect())
    }

    /// The lead stays in the campaign, and nothing further goes to it.
    pub(super) fn stop_lead(&mut self, desk: &Desk<'_>, body: &Value) -> Result {
        let campaign = find(&mut self.campaigns, number(body, "campaignId")?)?;
        let (id, url) = (text(body.get("leadMemberId")), text(body.get("leadUrl")));
        let profile = canonical(url);
        let is_it = |lead: &&mut Lead| {
            !url.is_empty() && lead.profile == profile
                || !id.is_empty() && text(lead.record.get("linkedin_id")) == id
        };
        let lead = campaign.leads.iter_mut().find(is_it);
        let lead = lead.ok_or_else(|| refuse(404, "Lead not found in the campaign."))?;
        lead.record
            .insert("leadCampaignStatus".to_owned(), json!("Paused"));
        lead.record
            .insert("lastActionTime".to_owned(), json!(desk.now));
        Ok(Value::Null)
    }

    pub(super) fn pause(&mut self, id: i64) -> Result {
        let campaign = find(&mut self.campaigns, id)?;
        match campaign.status() {
            "IN_PROGRESS" | "PAUSED" | "SCHEDULED" | "STARTING" => Ok(campaign.set("PAUSED")),
            _ => Err(refuse(
                400,
                "The campaign you are trying to pause is not in progress.",
            )),
        }
    }

    /// A campaign without a lead says that it goes on, and is paused again.
    pub(super) fn resume(&mut self, id: i64) -> Result {
        let campaign = find(&mut self.campaigns, id)?;
        if !["FAILED", "FINISHED", "PAUSED"].contains(&campaign.status()) {
            let wrong = "The campaign you are trying to resume is not paused, finished or failed.";
            return Err(refuse(400, wrong));
        }
        let answer = campaign.set("IN_PROGRESS");
        if campaign.leads.is_empty() {
            campaign.set("PAUSED");
        }
        Ok(answer)
    }

    pub(super) fn start(&mut self, id: i64) -> Result {
        let campaign = find(&mut self.campaigns, id)?;
        match campaign.status() {
            "DRAFT" => Ok(campaign.set("IN_PROGRESS")),
            _ => Err(refuse(
                400,
                "The campaign you are trying to start is not a draft.",
            )),
        }
    }
}

impl Container {
    fn set(&mut self, status: &str) -> Value {
        self.record.insert("status".to_owned(), json!(status));
        self.shown()
    }
}
