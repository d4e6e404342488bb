//! HeyReach, the public API: lists and campaigns of LinkedIn profiles, unknown keys dropped in silence.

mod campaigns;
mod lists;

use serde_json::{Map, Value, json};

use super::wire::{Answer, Call, Parsed, operations};
use super::{Desk, text};

/// What HeyReach holds.
#[derive(Debug, Default)]
pub(super) struct HeyReach {
    pub(super) lists: Vec<Container>,
    pub(super) campaigns: Vec<Container>,
    last_id: i64,
}

/// A list or a campaign as it is answered, with its leads.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) id: i64,
    pub(super) record: Map<String, Value>,
    pub(super) leads: Vec<Lead>,
}

/// A lead as it is answered.
#[derive(Debug)]
pub(super) struct Lead {
    /// Canonical address of the profile: one lead a profile.
    pub(super) profile: String,
    pub(super) record: Map<String, Value>,
}

operations! {
    AddLeads => "add_leads",
    AddLeadsToCampaign => "add_leads_to_campaign",
    CampaignsForLead => "campaigns_for_lead",
    CheckKey => "check_key",
    CreateList => "create_list",
    GetCampaign => "get_campaign",
    GetList => "get_list",
    ListCampaignLeads => "list_campaign_leads",
    ListCampaigns => "list_campaigns",
    ListLeads => "list_leads",
    ListLists => "list_lists",
    ListsForLead => "lists_for_lead",
    Pause => "pause",
    RemoveLeads => "remove_leads",
    RemoveLeadsById => "remove_leads_by_id",
    Resume => "resume",
    Start => "start",
    StopLead => "stop_lead",
}

type Result<T = Value> = std::result::Result<T, Answer>;

impl Operation {
    pub(super) fn of(call: &Call) -> Option<Self> {
        Some(match (call.method.as_str(), call.rest.as_str()) {
            ("DELETE", "list/DeleteLeadsFromList") => Self::RemoveLeadsById,
            ("DELETE", "list/DeleteLeadsFromListByProfileUrl") => Self::RemoveLeads,
            ("GET", "auth/CheckApiKey") => Self::CheckKey,
            ("GET", "campaign/GetById") => Self::GetCampaign,
            ("GET", "list/GetById") => Self::GetList,
            ("POST", "campaign/AddLeadsToCampaignV2") => Self::AddLeadsToCampaign,
            ("POST", "campaign/GetAll") => Self::ListCampaigns,
            ("POST", "campaign/GetCampaignsForLead") => Self::CampaignsForLead,
            ("POST", "campaign/GetLeadsFromCampaign") => Self::ListCampaignLeads,
            ("POST", "campaign/Pause") => Self::Pause,
            ("POST", "campaign/Resume") => Self::Resume,
            ("POST", "campaign/StartCampaign") => Self::Start,
            ("POST", "campaign/StopLeadInCampaign") => Self::StopLead,
            ("POST", "list/AddLeadsToListV2") => Self::AddLeads,
            ("POST", "list/CreateEmptyList") => Self::CreateList,
            ("POST", "list/GetAll") => Self::ListLists,
            ("POST", "list/GetLeadsFromList") => Self::ListLeads,
            ("POST", "list/GetListsForLead") => Self::ListsForLead,
            _ => return None,
        })
    }
}

impl HeyReach {
    pub(super) fn perform(&mut self, desk: &Desk<'_>, call: &Call) -> Answer {
        match self.answer(desk, call) {
            Ok(Value::Null) => Answer::empty(200),
            Ok(body) => Answer::json(200, &body),
            Err(refusal) => refusal,
        }
    }

    fn answer(&mut self, desk: &Desk<'_>, call: &Call) -> Result {
        if matches!(call.header("x-api-key"), "" | "wrong") {
            return Err(Answer::empty(401));
        }
        let operation = Operation::of(call).ok_or_else(|| Answer::empty(404))?;
        let by_query = || {
            let id = call
                .parameter("campaignId")
                .or_else(|| call.parameter("listId"));
            let id = id.and_then(|id| id.parse().ok());
            id.ok_or_else(|| invalid("campaignId", "The value '' is invalid."))
        };
        match operation {
            Operation::AddLeads => self.add_leads(desk, &body(call)?),
            Operation::AddLeadsToCampaign => self.add_to_campaign(desk, &body(call)?),
            Operation::CampaignsForLead => self.campaigns_for_lead(desk, &body(call)?),
            Operation::CheckKey => Ok(Value::Null),
            Operation::CreateList => self.create_list(desk, &body(call)?),
            Operation::GetCampaign => Ok(find(&mut self.campaigns, by_query()?)?.shown()),
            Operation::GetList => Ok(find(&mut self.lists, by_query()?)?.shown()),
            Operation::ListCampaignLeads => {
                let body = body(call)?;
                let id = number(&body, "campaignId")?;
                find(&mut self.campaigns, id)?.page_of_leads(desk, &body, 100)
            }
            Operation::ListCampaigns => self.list_campaigns(desk, &body(call)?),
            Operation::ListLeads => {
                let body = body(call)?;
                let id = number(&body, "listId")?;
                find(&mut self.lists, id)?.page_of_leads(desk, &body, 1_000)
            }
            Operation::ListLists => self.list_lists(desk, &body(call)?),
            Operation::ListsForLead => self.lists_for_lead(desk, &body(call)?),
            Operation::Pause => self.pause(by_query()?),
            Operation::RemoveLeads => self.remove_leads(&body(call)?),
            Operation::RemoveLeadsById => self.remove_leads_by_id(&body(call)?),
            Operation::Resume => self.resume(by_query()?),
            Operation::Start => self.start(by_query()?),
            Operation::StopLead => self.stop_lead(desk, &body(call)?),
        }
    }

    fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        100_000 + self.last_id
    }
}

impl Container {
    pub(super) fn shown(&self) -> Value {
        Value::Object(self.record.clone())
    }

    pub(super) fn status(&self) -> &str {
        text(self.record.get("status"))
    }

    pub(super) fn name(&self) -> &str {
        text(self.record.get("name"))
    }

    /// Those among some that hold a lead, by its profile or its address.
    fn holding<'c>(containers: &'c [Self], body: &Value) -> Result<Vec<&'c Self>> {
        let (profile, email) = (text(body.get("profileUrl")), text(body.get("email")));
        if profile.is_empty() && email.is_empty() {
            let wrong = "One of email, linkedinId or profileUrl is required.";
            return Err(refuse(400, wrong));
        }
        let (profile, email) = (canonical(profile), email.trim().to_lowercase());
        let is_it = |lead: &Lead| {
            let address = text(lead.record.get("emailAddress")).to_lowercase();
            lead.profile == profile || !email.is_empty() && address == email
        };
        let holds = |container: &&Self| container.leads.iter().any(is_it);
        Ok(containers.iter().filter(holds).collect())
    }

    fn page_of_leads(&self, desk: &Desk<'_>, body: &Value, most: usize) -> Result {
        let profile = text(body.get("leadProfileUrl"));
        let profile = (!profile.is_empty()).then(|| canonical(profile));
        let keyword = text(body.get("keyword")).to_lowercase();
        let wanted = |lead: &&Lead| {
            let field = |name: &str| text(lead.record.get(name)).to_lowercase();
            let mut searched = ["firstName", "lastName", "companyName", "emailAddress"].into_iter();
            profile
                .as_ref()
                .is_none_or(|profile| *profile == lead.profile)
                && (keyword.is_empty() || searched.any(|name| field(name).contains(&keyword)))
        };
        let found = self.leads.iter().filter(wanted);
        page(
            desk,
            body,
            most,
            found
                .map(|lead| Value::Object(lead.record.clone()))
                .collect(),
        )
    }
}

fn find(containers: &mut [Container], id: i64) -> Result<&mut Container> {
    let found = containers.iter_mut().find(|container| container.id == id);
    found.ok_or_else(|| refuse(404, "Not found."))
}

/// The body, by the rules of ASP.NET: JSON by its type, and an object.
fn body(call: &Call) -> Result {
    match call.parsed() {
        Parsed::Absent | Parsed::OtherType(_) => {
            Err(problem(415, "Unsupported Media Type", &json!({})))
        }
        Parsed::EmptyJson => Err(invalid("", "A non-empty request body is required.")),
        Parsed::Json(body) if body.is_object() => Ok(body),
        Parsed::Broken | Parsed::Json(_) => {
            Err(invalid("$", "The JSON value could not be converted."))
        }
    }
}

fn number(body: &Value, name: &str) -> Result<i64> {
    let number = body.get(name).and_then(Value::as_i64);
    number.ok_or_else(|| required(name))
}

/// One of the two bodies of a refusal.
fn refuse(status: u16, message: &str) -> Answer {
    Answer::json(status, &json!({ "errorMessage": message }))
}

/// The other: what is wrong with which field.
fn invalid(field: &str, message: &str) -> Answer {
    let title = "One or more validation errors occurred.";
    problem(400, title, &json!({ field: [message] }))
}

fn required(name: &str) -> Answer {
    let mut letters = name.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let name: String = first.chain(letters).collect();
    invalid(&name, &format!("The {name} field is required."))
}

fn problem(status: u16, title: &str, errors: &Value) -> Answer {
    let body = json!({ "title": title, "status": status, "errors": errors });
    Answer::json(status, &body).retyped("application/problem+json; charset=utf-8".to_owned())
}

/// A page by offset and limit.
fn page(desk: &Desk<'_>, body: &Value, most: usize, items: Vec<Value>) -> Result {
    let size = |name: &str, default: usize| match body.get(name) {
        None | Some(Value::Null) => Ok(default),
        Some(value) => {
            let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
            size.ok_or_else(|| invalid(name, "The value is invalid."))
        }
    };
    let (offset, limit) = (size("offset", 0)?, size("limit", most)?);
    if limit == 0 || limit > most {
        let wrong = format!("The field Limit must be between 1 and {most}.");
        return Err(invalid("Limit", &wrong));
    }
    let offset = if desk.twist.ignore_cursor { 0 } else { offset };
    let total = items.len();
    let items: Vec<Value> = items.into_iter().skip(offset).take(limit).collect();
    Ok(json!({ "totalCount": total, "items": items }))
}

/// One spelling of a profile's address: no scheme, no `www.`, no query, no closing slash, small letters.
pub(super) fn canonical(profile: &str) -> String {
    let lower = profile.trim().to_lowercase();
    let bare = lower
        .split_once("://")
        .map_or(lower.as_str(), |(_, rest)| rest);
    let bare = bare.split(['?', '#']).next().unwrap_or_default();
    let bare = bare.strip_prefix("www.").unwrap_or(bare);
    let bare = bare.trim_end_matches('/');
    percent_encoding::percent_decode_str(bare)
        .decode_utf8_lossy()
        .to_lowercase()
}
