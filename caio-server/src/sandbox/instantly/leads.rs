//! Leads: 200 does not mean that one landed; the counts say it.

use serde_json::{Map, Value, json};

use super::{
    Campaign, DEFAULT_LIMIT, Instantly, Lead, ORGANIZATION, Page, Result, checked, not_found, page,
    refuse, shape,
};
use crate::sandbox::switches::Scope;
use crate::sandbox::wire::Answer;
use crate::sandbox::{Desk, text};

/// Fields that a lead is given, beside its own variables.
const FIELDS: [&str; 7] = [
    "first_name",
    "last_name",
    "company_name",
    "job_title",
    "phone",
    "website",
    "personalization",
];

/// Where an upload stands among its counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Blocked,
    Duplicate,
    Incomplete,
    Invalid,
    Known,
    Lands,
    OverPlan,
    Skipped,
}

/// The flags of an upload.
#[derive(Debug, Clone, Copy)]
struct Skip {
    workspace: bool,
    campaign: bool,
}

impl Skip {
    fn of(body: &Value) -> Self {
        let flag = |name: &str| body.get(name) == Some(&json!(true));
        Self {
            workspace: flag("skip_if_in_workspace"),
            campaign: flag("skip_if_in_campaign"),
        }
    }
}

impl Instantly {
    pub(super) fn add_leads(&mut self, desk: &Desk<'_>, body: &Value) -> Result {
        checked(&shape::ADD_LEADS, body)?;
        let id = match (text(body.get("campaign_id")), text(body.get("list_id"))) {
            ("", "") => return Err(refuse(400, "body must match exactly one schema in oneOf")),
            (campaign, "") => campaign.to_owned(),
            // There are no lists of leads here.
            ("", _) => return Err(not_found()),
            _ => return Err(refuse(400, "body must match exactly one schema in oneOf")),
        };
        self.campaign(&id)?;
        let leads = body.get("leads").and_then(Value::as_array);
        let leads = leads.map(Vec::as_slice).unwrap_or_default();
        let mut seen = Vec::new();
        let mut created = Vec::new();
        let mut fates = Vec::new();
        for (index, lead) in leads.iter().enumerate() {
            let email = address(lead);
            let mut fate = self.fate(desk, &id, &email, Skip::of(body));
            if !matches!(fate, Fate::Incomplete | Fate::Invalid) && seen.contains(&email) {
                fate = Fate::Duplicate;
            }
            seen.push(email);
            if fate == Fate::Lands {
                if desk.twist.land.is_some_and(|most| created.len() >= most) {
                    continue;
                }
                let lead = self.land(desk, &id, lead)?;
                created.push(json!({
                    "index": index,
                    "id": lead.get("id"),
                    "email": lead.get("email"),
                    "first_name": lead.get("first_name"),
                    "last_name": lead.get("last_name"),
                    "phone": lead.get("phone"),
                }));
            }
            fates.push(fate);
        }
        let count = |wanted: Fate| fates.iter().filter(|fate| **fate == wanted).count();
        let mut answer = json!({
            "status": "success",
            "total_sent": leads.len(),
            "leads_uploaded": created.len(),
            "in_blocklist": count(Fate::Blocked),
            "blocklist_used": if self.blocked.is_empty() { Value::Null } else { json!(ORGANIZATION) },
            "duplicated_leads": count(Fate::Known),
            "skipped_count": count(Fate::Skipped),
            "invalid_email_count": count(Fate::Invalid),
            "incomplete_count": count(Fate::Incomplete),
            "duplicate_email_count": count(Fate::Duplicate),
            "remaining_in_plan": self.remaining(desk),
        });
        if desk.twist.reversed {
            created.reverse();
        }
        if let Some(answer) = answer.as_object_mut() {
            if let Some(counter) = &desk.twist.counter {
                let counted = answer.get(counter).and_then(Value::as_u64).unwrap_or(0);
                let held_back = (leads.len() - fates.len()) as u64;
                answer.insert(counter.clone(), json!(counted + held_back));
            }
            answer.insert("created_leads".to_owned(), Value::Array(created));
        }
        Ok(answer)
    }

    /// One lead; here the key is `campaign`. What a skip flag answers is not documented: the lead that is there.
    pub(super) fn add_lead(&mut self, desk: &Desk<'_>, body: &Value) -> Result {
        checked(&shape::ONE_LEAD, body)?;
        let (id, email) = (text(body.get("campaign")).to_owned(), address(body));
        self.campaign(&id)?;
        match self.fate(desk, &id, &email, Skip::of(body)) {
            Fate::Lands => self.land(desk, &id, body),
            Fate::Known | Fate::Skipped => {
                let mut all = self.leads();
                let found = all.find(|lead| lead.email == email).ok_or_else(not_found)?;
                Ok(Value::Object(found.record.clone()))
            }
            Fate::Blocked => Err(refuse(400, "Lead is in the blocklist")),
            Fate::OverPlan => Err(refuse(400, "Lead limit of the plan is reached")),
            Fate::Duplicate | Fate::Incomplete | Fate::Invalid => Err(refuse(400, "Invalid email")),
        }
    }

    /// The body is open: a key that is not known, such as `campaign_id`, is ignored, and the whole workspace is answered.
    pub(super) fn list_leads(&self, desk: &Desk<'_>, body: &Value) -> Result {
        if !body.is_object() {
            return Err(refuse(400, "body must be object"));
        }
        let limit = match body.get("limit") {
            None | Some(Value::Null) => DEFAULT_LIMIT,
            Some(limit) => limit
                .as_i64()
                .ok_or_else(|| refuse(400, "body/limit must be integer"))?,
        };
        let after = Some(text(body.get("starting_after"))).filter(|after| !after.is_empty());
        let among = |name: &str, wanted: &Value| {
            let list = body.get(name).and_then(Value::as_array);
            list.map(|list| list.contains(wanted))
        };
        let (campaign, search) = (
            text(body.get("campaign")),
            text(body.get("search")).to_lowercase(),
        );
        let contacts = body
            .get("contacts")
            .and_then(Value::as_array)
            .map(|contacts| {
                let lower =
                    |contact: &Value| contact.as_str().unwrap_or_default().trim().to_lowercase();
                contacts.iter().map(lower).collect::<Vec<_>>()
            });
        let wanted = |lead: &Value| {
            let field = |name: &str| text(lead.get(name)).to_lowercase();
            let id = lead.get("id").unwrap_or(&Value::Null);
            let mut searched = ["email", "first_name", "last_name"].into_iter();
            (campaign.is_empty() || text(lead.get("campaign")) == campaign)
                && contacts
                    .as_ref()
                    .is_none_or(|contacts| contacts.contains(&field("email")))
                && among("ids", id).unwrap_or(true)
                && !among("excluded_ids", id).unwrap_or(false)
                && (search.is_empty() || searched.any(|name| field(name).contains(&search)))
        };
        let all = self.leads().map(|lead| Value::Object(lead.record.clone()));
        page(desk, &Page { limit, after }, all, wanted)
    }

    pub(super) fn get_lead(&self, id: &str) -> Result {
        let lead = self.leads().find(|lead| lead.id == id);
        lead.map(|lead| Value::Object(lead.record.clone()))
            .ok_or_else(not_found)
    }

    pub(super) fn delete_lead(&mut self, id: &str) -> Result {
        for campaign in &mut self.campaigns {
            if let Some(at) = campaign.leads.iter().position(|lead| lead.id == id) {
                return Ok(Value::Object(campaign.leads.remove(at).record));
            }
        }
        Err(not_found())
    }

    /// Without ids the real service deletes every lead of the campaign; here that is refused and remembered.
    pub(super) fn delete_leads(&mut self, body: &Value) -> Result {
        checked(&shape::DELETE_LEADS, body)?;
        let id = text(body.get("campaign_id")).to_owned();
        let ids = body
            .get("ids")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        if ids.is_empty() {
            let violation =
                format!("DELETE /leads of campaign {id} without ids deletes all of its leads");
            self.violations.push(violation.clone());
            return Err(refuse(400, &format!("sandbox: {violation}")));
        }
        if id.is_empty() {
            return Err(refuse(
                400,
                "body must have required property 'campaign_id'",
            ));
        }
        let most = body.get("limit").and_then(Value::as_u64).unwrap_or(10_000);
        let status = body.get("status").cloned();
        let campaign = self.campaign(&id)?;
        let mut count = 0;
        campaign.leads.retain(|lead| {
            let wanted = ids.contains(&json!(lead.id))
                && status
                    .as_ref()
                    .is_none_or(|status| lead.record.get("status") == Some(status));
            let goes = wanted && count < most;
            count += u64::from(goes);
            !goes
        });
        Ok(json!({ "count": count }))
    }

    /// The refusal has a body of its own kind.
    pub(super) fn update_interest(&mut self, desk: &Desk<'_>, body: &Value) -> Result {
        checked(&shape::INTEREST, body)?;
        let email = text(body.get("lead_email")).trim().to_lowercase();
        let campaign = text(body.get("campaign_id"));
        let campaigns = self.campaigns.iter_mut();
        let campaigns = campaigns.filter(|held| campaign.is_empty() || held.id == campaign);
        let mut changed = 0;
        for lead in campaigns.flat_map(|held| &mut held.leads) {
            if lead.email == email {
                let value = body.get("interest_value").cloned().unwrap_or_default();
                lead.record.insert("lt_interest_status".to_owned(), value);
                lead.record
                    .insert("timestamp_updated".to_owned(), json!(desk.now));
                changed += 1;
            }
        }
        if changed == 0 {
            return Err(Answer::json(400, &json!({ "error": "Invalid lead email" })));
        }
        Ok(json!({ "message": "Lead interest status update background job submitted" }))
    }

    fn leads(&self) -> impl Iterator<Item = &Lead> {
        // By id, which is by time; campaigns may have been filled in turns.
        let mut all: Vec<&Lead> = self
            .campaigns
            .iter()
            .flat_map(|campaign| &campaign.leads)
            .collect();
        all.sort_by(|one, other| one.id.cmp(&other.id));
        all.into_iter()
    }

    fn fate(&self, desk: &Desk<'_>, campaign: &str, email: &str, skip: Skip) -> Fate {
        if email.is_empty() {
            return Fate::Incomplete;
        }
        let Some((_, domain)) = email.split_once('@').filter(|parts| is_address(*parts)) else {
            return Fate::Invalid;
        };
        let holds = |campaign: &Campaign| campaign.leads.iter().any(|lead| lead.email == email);
        let anywhere = self.campaigns.iter().any(holds);
        let mut here = self.campaigns.iter().filter(|held| held.id == campaign);
        let blocked = |entry: &Value| [email, domain].contains(&text(entry.get("bl_value")));
        let skip_campaign =
            skip.campaign && desk.switches.skip_if_in_campaign_means == Scope::AnyCampaign;
        if self.blocked.iter().any(blocked) {
            Fate::Blocked
        } else if here.any(holds) {
            Fate::Known
        } else if anywhere && (skip.workspace || skip_campaign) {
            Fate::Skipped
        } else if self.remaining(desk) == 0 {
            Fate::OverPlan
        } else {
            Fate::Lands
        }
    }

    fn remaining(&self, desk: &Desk<'_>) -> usize {
        desk.switches
            .remaining_in_plan
            .saturating_sub(self.uploaded)
    }

    fn land(&mut self, desk: &Desk<'_>, campaign: &str, given: &Value) -> Result {
        let (id, email) = (desk.uuid(), address(given));
        let mut record = Map::new();
        let mut set = |name: &str, value: Value| record.insert(name.to_owned(), value);
        set("id", json!(id));
        set("timestamp_created", json!(desk.now));
        set("timestamp_updated", json!(desk.now));
        set("organization", json!(ORGANIZATION));
        set("status", json!(1));
        set("email_open_count", json!(0));
        set("email_reply_count", json!(0));
        set("email_click_count", json!(0));
        set(
            "company_domain",
            json!(email.split_once('@').map(|(_, domain)| domain)),
        );
        set("status_summary", json!({}));
        set("email", json!(email));
        set("campaign", json!(campaign));
        set("upload_method", json!("api"));
        set("payload", payload(given));
        for name in FIELDS {
            set(name, given.get(name).cloned().unwrap_or(Value::Null));
        }
        let answer = Value::Object(record.clone());
        let campaign = self.campaign(campaign)?;
        if let Some(known) = campaign
            .record
            .get_mut("custom_variables")
            .and_then(Value::as_object_mut)
        {
            let names = given.get("custom_variables").and_then(Value::as_object);
            for name in names.into_iter().flat_map(Map::keys) {
                known.insert(name.clone(), json!(name));
            }
        }
        campaign.leads.push(Lead { id, email, record });
        self.uploaded += 1;
        Ok(answer)
    }
}

fn address(lead: &Value) -> String {
    text(lead.get("email")).trim().to_lowercase()
}

fn is_address((local, domain): (&str, &str)) -> bool {
    let plain = |part: &str| !part.is_empty() && !part.contains(['@', ' ', ',', ';', '<', '>']);
    plain(local)
        && plain(domain)
        && domain.contains('.')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
}

/// A lead's own variables, with its fields under the names that a template uses.
fn payload(lead: &Value) -> Value {
    let own = lead.get("custom_variables").and_then(Value::as_object);
    let mut payload = own.cloned().unwrap_or_default();
    for (name, variable) in [
        ("email", "email"),
        ("first_name", "firstName"),
        ("last_name", "lastName"),
        ("company_name", "companyName"),
        ("job_title", "jobTitle"),
        ("phone", "phone"),
        ("website", "website"),
        ("personalization", "personalization"),
    ] {
        if let Some(value) = lead.get(name) {
            payload.entry(variable).or_insert_with(|| value.clone());
        }
    }
    Value::Object(payload)
}
