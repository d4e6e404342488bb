//! Lists: leads are put in by profile, and a lead without what is needed is dropped without a word.

use serde_json::{Map, Value, json};

use super::{
    Container, HeyReach, Lead, Result, canonical, find, invalid, number, page, refuse, required,
};
use crate::sandbox::{Desk, text};

/// Leads in one call.
pub(super) const MAX_LEADS: usize = 100;

/// The three counts of an upload.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    added: usize,
    updated: usize,
    failed: usize,
}

impl Counts {
    pub(super) fn shown(self, desk: &Desk<'_>, sent: usize) -> Value {
        let mut answer = json!({
            "addedLeadsCount": self.added,
            "updatedLeadsCount": self.updated,
            "failedLeadsCount": self.failed,
        });
        let held_back = desk.twist.land.map_or(0, |most| sent.saturating_sub(most));
        if let (Some(counter), Some(answer)) = (&desk.twist.counter, answer.as_object_mut()) {
            let counted = answer.get(counter).and_then(Value::as_u64).unwrap_or(0);
            answer.insert(counter.clone(), json!(counted + held_back as u64));
        }
        answer
    }
}

impl HeyReach {
    pub(super) fn create_list(&mut self, desk: &Desk<'_>, body: &Value) -> Result {
        let (name, kind) = (text(body.get("name")), text(body.get("type")));
        if name.trim().is_empty() {
            return Err(required("name"));
        }
        let kind = match kind {
            "" => "USER_LIST",
            "COMPANY_LIST" | "USER_LIST" => kind,
            _ => return Err(invalid("$.type", "The JSON value could not be converted.")),
        };
        let id = self.next_id();
        let record = json!({
            "id": id,
            "name": name,
            "count": 0,
            "listType": kind,
            "creationTime": desk.now,
            "isDeleted": false,
            "campaigns": [],
            "search": null,
            "status": "UNKNOWN",
        });
        let list = Container::new(id, &record);
        let answer = list.shown();
        self.lists.push(list);
        Ok(answer)
    }

    pub(super) fn list_lists(&self, desk: &Desk<'_>, body: &Value) -> Result {
        let keyword = text(body.get("keyword")).to_lowercase();
        let found = self
            .lists
            .iter()
            .filter(|list| list.name().to_lowercase().contains(&keyword));
        page(desk, body, 100, found.map(Container::shown).collect())
    }

    pub(super) fn lists_for_lead(&self, desk: &Desk<'_>, body: &Value) -> Result {
        let found = Container::holding(&self.lists, body)?.into_iter();
        let shown = found.map(|list| json!({ "listId": list.id, "listName": list.name() }));
        page(desk, body, 100, shown.collect())
    }

    pub(super) fn add_leads(&mut self, desk: &Desk<'_>, body: &Value) -> Result {
        let id = number(body, "listId")?;
        let leads = body.get("leads").and_then(Value::as_array);
        let leads: Vec<&Value> = leads.ok_or_else(|| required("leads"))?.iter().collect();
        let list = find(&mut self.lists, id)?;
        let counts = list.upsert(desk, &leads, desk.switches.lists_lose_fields)?;
        Ok(counts.shown(desk, leads.len()))
    }

    pub(super) fn remove_leads(&mut self, body: &Value) -> Result {
        self.remove(body, "profileUrls", |lead, url| {
            lead.profile == canonical(url)
        })
    }

    pub(super) fn remove_leads_by_id(&mut self, body: &Value) -> Result {
        self.remove(body, "leadMemberIds", |lead, id| {
            ["id", "linkedin_id"]
                .iter()
                .any(|name| text(lead.record.get(*name)) == id)
        })
    }

    fn remove(&mut self, body: &Value, name: &str, is_it: impl Fn(&Lead, &str) -> bool) -> Result {
        let list = find(&mut self.lists, number(body, "listId")?)?;
        let wanted = body.get(name).and_then(Value::as_array);
        let wanted: Vec<&str> = wanted
            .ok_or_else(|| required(name))?
            .iter()
            .map(|wanted| text(Some(wanted)))
            .collect();
        let absent = |wanted: &&&str| !list.leads.iter().any(|lead| is_it(lead, wanted));
        let missing: Vec<String> = wanted
            .iter()
            .filter(absent)
            .map(|&gone| gone.to_owned())
            .collect();
        list.leads
            .retain(|lead| !wanted.iter().any(|wanted| is_it(lead, wanted)));
        list.count();
        Ok(json!({ "notFoundInList": missing }))
    }
}

impl Container {
    pub(super) fn new(id: i64, record: &Value) -> Self {
        Self {
            id,
            record: record.as_object().cloned().unwrap_or_default(),
            leads: Vec::new(),
        }
    }

    /// Puts leads in: one a profile; a second time is an update.
    pub(super) fn upsert(
        &mut self,
        desk: &Desk<'_>,
        leads: &[&Value],
        lose_fields: bool,
    ) -> Result<Counts> {
        if leads.len() > MAX_LEADS {
            let wrong = format!("You can add at most {MAX_LEADS} leads in one request.");
            return Err(refuse(400, &wrong));
        }
        leads.iter().try_for_each(|lead| check_fields(lead))?;
        let mut counts = Counts::default();
        let most = desk.twist.land.unwrap_or(usize::MAX);
        for lead in leads.iter().take(most) {
            let has = |name: &str| !text(lead.get(name)).trim().is_empty();
            if !(has("profileUrl") && has("firstName") && has("lastName")) {
                continue;
            }
            let profile = canonical(text(lead.get("profileUrl")));
            if !profile.contains("linkedin.com/") {
                counts.failed += 1;
                continue;
            }
            let record = record(desk, lead, &profile, lose_fields);
            match self.leads.iter_mut().find(|known| known.profile == profile) {
                Some(known) => {
                    // The lead is the same one, and what happened to it stays.
                    let given = record.into_iter().filter(|(name, _)| name != "id");
                    known.record.extend(given);
                    counts.updated += 1;
                }
                None => {
                    self.leads.push(Lead { profile, record });
                    counts.added += 1;
                }
            }
        }
        self.count();
        Ok(counts)
    }

    fn count(&mut self) {
        if let Some(count) = self.record.get_mut("count") {
            *count = json!(self.leads.len());
        }
    }
}

/// Names of own fields: letters, digits, underscore.
fn check_fields(lead: &Value) -> Result<()> {
    let fields = lead.get("customUserFields").and_then(Value::as_array);
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let mut names = fields
        .into_iter()
        .flatten()
        .map(|field| text(field.get("name")));
    match names.find(|name| !is_name(name)) {
        Some(name) => Err(refuse(
            400,
            &format!(
                "Custom field name '{name}' is invalid. Only alphanumeric characters and underscores are allowed."
            ),
        )),
        None => Ok(()),
    }
}

fn record(desk: &Desk<'_>, lead: &Value, profile: &str, lose_fields: bool) -> Map<String, Value> {
    let mut record = Map::new();
    record.insert("id".to_owned(), json!(desk.uuid()));
    record.insert("linkedin_id".to_owned(), json!(profile.rsplit('/').next()));
    for name in [
        "profileUrl",
        "firstName",
        "lastName",
        "location",
        "summary",
        "companyName",
        "position",
        "about",
        "emailAddress",
    ] {
        record.insert(
            name.to_owned(),
            lead.get(name).cloned().unwrap_or(Value::Null),
        );
    }
    record.insert("enrichedEmailAddress".to_owned(), Value::Null);
    record.insert("tags".to_owned(), json!([]));
    let fields = lead.get("customUserFields").filter(|_| !lose_fields);
    record.insert(
        "customFields".to_owned(),
        fields.cloned().unwrap_or(json!([])),
    );
    record
}
