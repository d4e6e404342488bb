//! Instantly, API V2: campaigns and their leads, closed bodies, counts that have to be read.

mod campaigns;
mod leads;
mod shape;

use serde_json::{Map, Value, json};

use super::wire::{Answer, Call, Parsed, operations};
use super::{Desk, text};

/// What Instantly holds.
#[derive(Debug, Default)]
pub(super) struct Instantly {
    pub(super) campaigns: Vec<Campaign>,
    pub(super) blocked: Vec<Value>,
    /// Calls that the real service would obey, and nobody should ever make.
    pub(super) violations: Vec<String>,
    uploaded: usize,
}

/// A campaign as it is answered, with its leads.
#[derive(Debug)]
pub(super) struct Campaign {
    pub(super) id: String,
    pub(super) record: Map<String, Value>,
    pub(super) leads: Vec<Lead>,
}

/// A lead as it is answered.
#[derive(Debug)]
pub(super) struct Lead {
    pub(super) id: String,
    pub(super) email: String,
    pub(super) record: Map<String, Value>,
}

operations! {
    Activate => "activate",
    AddBlock => "add_block",
    AddLead => "add_lead",
    AddLeads => "add_leads",
    CreateCampaign => "create_campaign",
    DeleteCampaign => "delete_campaign",
    DeleteLead => "delete_lead",
    DeleteLeads => "delete_leads",
    GetCampaign => "get_campaign",
    GetLead => "get_lead",
    GetWorkspace => "get_workspace",
    ListBlocks => "list_blocks",
    ListCampaigns => "list_campaigns",
    ListLeads => "list_leads",
    Pause => "pause",
    SearchByContact => "search_by_contact",
    UpdateCampaign => "update_campaign",
    UpdateInterest => "update_interest",
}

type Result<T = Value> = std::result::Result<T, Answer>;

impl Operation {
    pub(super) fn of(call: &Call) -> Option<Self> {
        let (method, segments) = call.route();
        Some(match (method, segments.as_slice()) {
            ("DELETE", ["campaigns", _]) => Self::DeleteCampaign,
            ("DELETE", ["leads"]) => Self::DeleteLeads,
            ("DELETE", ["leads", _]) => Self::DeleteLead,
            ("GET", ["block-lists-entries"]) => Self::ListBlocks,
            ("GET", ["campaigns"]) => Self::ListCampaigns,
            ("GET", ["campaigns", "search-by-contact"]) => Self::SearchByContact,
            ("GET", ["campaigns", _]) => Self::GetCampaign,
            ("GET", ["leads", _]) => Self::GetLead,
            ("GET", ["workspaces", "current"]) => Self::GetWorkspace,
            ("PATCH", ["campaigns", _]) => Self::UpdateCampaign,
            ("POST", ["block-lists-entries"]) => Self::AddBlock,
            ("POST", ["campaigns"]) => Self::CreateCampaign,
            ("POST", ["campaigns", _, "activate"]) => Self::Activate,
            ("POST", ["campaigns", _, "pause"]) => Self::Pause,
            ("POST", ["leads"]) => Self::AddLead,
            ("POST", ["leads", "add"]) => Self::AddLeads,
            ("POST", ["leads", "list"]) => Self::ListLeads,
            ("POST", ["leads", "update-interest-status"]) => Self::UpdateInterest,
            _ => return None,
        })
    }
}

impl Instantly {
    pub(super) fn perform(&mut self, desk: &Desk<'_>, call: &Call) -> Answer {
        match self.answer(desk, call) {
            // The one that only takes the order.
            Ok(body) if Operation::of(call) == Some(Operation::UpdateInterest) => {
                Answer::json(202, &body)
            }
            Ok(body) => Answer::json(200, &body),
            Err(refusal) => refusal,
        }
    }

    fn answer(&mut self, desk: &Desk<'_>, call: &Call) -> Result {
        admit(call)?;
        let Some(operation) = Operation::of(call) else {
            let (method, path) = (&call.method, &call.path);
            return Err(refuse(404, &format!("Route {method}:{path} not found")));
        };
        let body = if call.method == "GET" {
            Value::Null
        } else {
            body(call)?
        };
        let (_, segments) = call.route();
        let id = segments.get(1).copied().unwrap_or_default();
        match operation {
            Operation::Activate => self.activate(desk, id),
            Operation::AddBlock => self.add_block(desk, &body),
            Operation::AddLead => self.add_lead(desk, &body),
            Operation::AddLeads => self.add_leads(desk, &body),
            Operation::CreateCampaign => self.create_campaign(desk, body),
            Operation::DeleteCampaign => self.delete_campaign(id),
            Operation::DeleteLead => self.delete_lead(id),
            Operation::DeleteLeads => self.delete_leads(&body),
            Operation::GetCampaign => self.campaign(id).map(Campaign::shown),
            Operation::GetLead => self.get_lead(id),
            Operation::GetWorkspace => Ok(workspace(desk)),
            Operation::ListBlocks => page(
                desk,
                &call_page(call)?,
                self.blocked.iter().cloned(),
                |_| true,
            ),
            Operation::ListCampaigns => self.list_campaigns(desk, call),
            Operation::ListLeads => self.list_leads(desk, &body),
            Operation::Pause => self.pause(desk, id),
            Operation::SearchByContact => self.search_by_contact(call),
            Operation::UpdateCampaign => self.update_campaign(desk, id, &body),
            Operation::UpdateInterest => self.update_interest(desk, &body),
        }
    }

    fn campaign(&mut self, id: &str) -> Result<&mut Campaign> {
        let found = self.campaigns.iter_mut().find(|campaign| campaign.id == id);
        found.ok_or_else(not_found)
    }

    fn add_block(&mut self, desk: &Desk<'_>, body: &Value) -> Result {
        checked(&shape::BLOCK, body)?;
        let value = text(body.get("bl_value")).trim().to_lowercase();
        let entry = json!({
            "id": desk.uuid(),
            "timestamp_created": desk.now,
            "organization_id": ORGANIZATION,
            "bl_value": value,
            "is_domain": !value.contains('@'),
        });
        self.blocked.push(entry.clone());
        Ok(entry)
    }
}

const ORGANIZATION: &str = "01900000-0000-7000-8000-00000000caf0";

/// Who may ask: an agent that names itself, with a key.
fn admit(call: &Call) -> Result<()> {
    if call.header("user-agent").is_empty() {
        return Err(refuse(403, "Access denied"));
    }
    let (scheme, key) = call
        .header("authorization")
        .split_once(' ')
        .unwrap_or_default();
    match key.trim() {
        _ if !scheme.eq_ignore_ascii_case("bearer") => Err(refuse(401, "Unauthorized")),
        "" | "wrong" => Err(refuse(401, "Invalid API key")),
        "noscope" => Err(refuse(403, "API key does not have the required scope")),
        _ => Ok(()),
    }
}

/// The body, by Fastify's rules: an empty one that claims to be JSON is refused, none at all is fine.
fn body(call: &Call) -> Result {
    match call.parsed() {
        Parsed::Absent => Ok(Value::Null),
        Parsed::Broken => Err(refuse(
            400,
            "Body is not valid JSON but content-type is set to 'application/json'",
        )),
        Parsed::EmptyJson => Err(refuse(
            400,
            "Body cannot be empty when content-type is set to 'application/json'",
        )),
        Parsed::Json(body) => Ok(body),
        Parsed::OtherType(kind) => Err(refuse(415, &format!("Unsupported Media Type: {kind}"))),
    }
}

fn checked(shape: &super::schema::Shape, body: &Value) -> Result<()> {
    let found = shape.check(body, super::schema::Whole::Yes);
    found.map_err(|wrong| refuse(400, &wrong))
}

fn refuse(status: u16, message: &str) -> Answer {
    let error = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        415 => "Unsupported Media Type",
        _ => "Error",
    };
    Answer::json(
        status,
        &json!({ "statusCode": status, "error": error, "message": message }),
    )
}

fn not_found() -> Answer {
    refuse(404, "Resource not found")
}

fn workspace(desk: &Desk<'_>) -> Value {
    json!({
        "id": ORGANIZATION,
        "name": "Sandbox",
        "owner": ORGANIZATION,
        "plan_id": "sandbox",
        "timestamp_created": desk.now,
        "timestamp_updated": desk.now,
    })
}

/// How far a page goes and where it begins.
#[derive(Debug)]
struct Page<'a> {
    limit: i64,
    after: Option<&'a str>,
}

const DEFAULT_LIMIT: i64 = 10;

fn call_page(call: &Call) -> Result<Page<'_>> {
    let limit = match call.parameter("limit") {
        None => DEFAULT_LIMIT,
        Some(limit) => limit
            .parse()
            .map_err(|_| refuse(400, "querystring/limit must be integer"))?,
    };
    let after = call
        .parameter("starting_after")
        .filter(|after| !after.is_empty());
    Ok(Page { limit, after })
}

/// A page in the order of creation. The last one carries a cursor as well, so that only an empty page is the end; and a
/// limit over 100 is an empty page, as clients report.
fn page(
    desk: &Desk<'_>,
    page: &Page<'_>,
    items: impl Iterator<Item = Value>,
    wanted: impl Fn(&Value) -> bool,
) -> Result {
    if page.limit < 1 {
        return Err(refuse(400, "limit must be >= 1"));
    }
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let limit = if limit > 100 { 0 } else { limit };
    let mut items = items.peekable();
    if let Some(after) = page.after.filter(|_| !desk.twist.ignore_cursor) {
        let mut found = false;
        while let Some(item) = items.next_if(|_| !found) {
            found = text(item.get("id")) == after;
        }
    }
    let items: Vec<Value> = items.filter(|item| wanted(item)).take(limit).collect();
    let mut answer = json!({ "items": items });
    if let (Some(last), Some(answer)) = (items.last(), answer.as_object_mut()) {
        answer.insert(
            "next_starting_after".to_owned(),
            json!(text(last.get("id"))),
        );
    }
    Ok(answer)
}
