//! HeyReach: people join a list; a campaign takes them from there when a person starts it.

mod campaigns;

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use caio_core::requests::{self, Campaign, Message, ProviderRequest};
use caio_core::terms::Provider;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::http::{Call, CallError, Http};
use super::{SETTLES_WITHIN, failures};
use crate::channel::{Channel, Container, Outcome, Outgoing, Prepared, Proof};
use crate::ledger::LedgerEntry;

/// People in one call, the most that the provider takes.
const CHUNK: usize = 100;

/// Entries of a page.
const PAGE: usize = 100;

/// Pages of one listing.
const PAGES: usize = 1000;

/// Statuses of a campaign that sends, or is about to.
const RUNNING: [&str; 3] = ["IN_PROGRESS", "STARTING", "SCHEDULED"];

/// What lists have in common.
#[derive(Debug, Clone, Copy)]
pub struct HeyReachOptions {
    /// How long a lost call may still take effect.
    pub settles_within: SignedDuration,
}

impl Default for HeyReachOptions {
    fn default() -> Self {
        Self {
            settles_within: SETTLES_WITHIN,
        }
    }
}

/// Delivers through HeyReach.
#[derive(Debug)]
pub struct HeyReachChannel {
    http: Http,
    options: HeyReachOptions,
    /// Ids of lists by name, as far as this process knows them; held while one is looked up or made,
    /// so that calls at one time make one.
    known: Mutex<BTreeMap<String, i64>>,
}

/// A list or a campaign, as far as it is looked at.
#[derive(Debug, Clone, Deserialize)]
struct Named {
    id: i64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    status: Option<String>,
}

/// A person in a list, as far as it is looked at.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Person {
    #[serde(default)]
    profile_url: Option<String>,
    #[serde(default)]
    custom_fields: Vec<Field>,
}

#[derive(Debug, Clone, Deserialize)]
struct Field {
    name: String,
    #[serde(default)]
    value: Option<String>,
}

impl Person {
    fn token(&self) -> Option<&str> {
        let mut fields = self.custom_fields.iter();
        fields
            .find(|it| it.name == "caio_delivery")?
            .value
            .as_deref()
    }
}

/// A page of a listing.
#[derive(Debug, Deserialize)]
struct Listed<T> {
    items: Vec<T>,
}

/// Answer to an upload: counts alone.
#[derive(Debug, Deserialize)]
struct Added {
    /// Has to be there: a 200 may hold an error instead.
    #[serde(rename = "addedLeadsCount")]
    new: u64,
    #[serde(default, rename = "updatedLeadsCount")]
    updated: u64,
    #[serde(default, rename = "failedLeadsCount")]
    failed: u64,
}

impl HeyReachChannel {
    /// A channel over `http`.
    pub fn new(http: Http, options: HeyReachOptions) -> Self {
        Self {
            http,
            options,
            known: Mutex::default(),
        }
    }

    /// Everything that a listing gives, over all pages.
    async fn all<T: serde::de::DeserializeOwned>(
        &self,
        name: &'static str,
        path: &str,
        filter: &Value,
    ) -> Result<Vec<T>, CallError> {
        let mut all = Vec::new();
        for _ in 0..PAGES {
            let mut body = filter.clone();
            body["offset"] = all.len().into();
            body["limit"] = PAGE.into();
            let call = Call::post(name, path, Some(&body)).repeatable();
            let page: Listed<T> = self.http.ask(&call).await?;
            let is_last = page.items.len() < PAGE;
            all.extend(page.items);
            if is_last {
                return Ok(all);
            }
        }
        Err(CallError::Unknown(format!(
            "{}, {name}: more than {PAGES} pages",
            self.provider()
        )))
    }

    /// The lists of exactly this name, the oldest first.
    async fn lists(&self, name: &str) -> Result<Vec<i64>, CallError> {
        let filter = json!({ "keyword": name });
        let found: Vec<Named> = self.all("list lists", "/list/GetAll", &filter).await?;
        let named = found
            .into_iter()
            .filter(|it| it.name.as_deref() == Some(name));
        let mut ids: Vec<i64> = named.map(|it| it.id).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    async fn people(&self, list: i64) -> Result<BTreeMap<String, Person>, CallError> {
        let filter = json!({ "listId": list });
        let people: Vec<Person> = self
            .all("list leads", "/list/GetLeadsFromList", &filter)
            .await?;
        let pairs = people.into_iter().filter_map(|person| {
            let profile = same(person.profile_url.as_deref()?);
            Some((profile, person))
        });
        Ok(pairs.collect())
    }

    /// The list of a container: known, found, or made. Several of one name: the oldest.
    async fn list(&self, name: &str, create: &Value) -> Result<i64, CallError> {
        let mut known = self.known.lock().await;
        if let Some(id) = known.get(name) {
            return Ok(*id);
        }
        let id = match self.lists(name).await?.first() {
            Some(id) => *id,
            None => {
                let call = Call::post("create list", "/list/CreateEmptyList", Some(create));
                match self.http.ask::<Named>(&call).await {
                    Ok(list) => list.id,
                    // It may be there all the same.
                    Err(CallError::Unknown(reason)) => match self.lists(name).await?.first() {
                        Some(id) => *id,
                        None => return Err(CallError::Unknown(reason)),
                    },
                    Err(error) => return Err(error),
                }
            }
        };
        known.insert(name.to_owned(), id);
        Ok(id)
    }

    /// Uploads people; one outcome each.
    async fn upload(&self, list: i64, mut body: Value, items: &[Outgoing]) -> Vec<Outcome> {
        body["listId"] = list.into();
        let call = Call::post("add leads", "/list/AddLeadsToListV2", Some(&body));
        let (reason, certain) = match self.http.ask::<Added>(&call).await {
            Ok(added) if added.new + added.updated == items.len() as u64 => {
                let outcome = |_: &Outgoing| Outcome::Accepted {
                    receipt: format!("list {list}"),
                };
                return items.iter().map(outcome).collect();
            }
            Ok(added) => {
                let Added {
                    new,
                    updated,
                    failed,
                } = added;
                let of = items.len();
                let reason = format!(
                    "heyreach left it out: of {of} it took {new}, updated {updated}, failed {failed}"
                );
                (reason, true)
            }
            Err(CallError::Unknown(reason)) => (reason, false),
            Err(error) => {
                let outcome = |_: &Outgoing| Outcome::NotSent {
                    reason: error.to_string(),
                };
                return items.iter().map(outcome).collect();
            }
        };
        let people = self.people(list).await;
        let outcome = |item: &Outgoing| match &people {
            Err(error) => Outcome::Unknown {
                reason: format!("{reason}; and {error}"),
            },
            Ok(people) => match people.get(&same(&item.linkedin_url)) {
                Some(person) => belongs(person, list, &item.delivery),
                None if certain => Outcome::Rejected {
                    reason: reason.clone(),
                },
                None => Outcome::Unknown {
                    reason: reason.clone(),
                },
            },
        };
        items.iter().map(outcome).collect()
    }

    async fn running(&self) -> Result<Vec<Named>, CallError> {
        let filter = json!({ "statuses": RUNNING });
        let mut found: Vec<Named> = self
            .all("list campaigns", "/campaign/GetAll", &filter)
            .await?;
        found.retain(|it| it.status.as_deref().is_some_and(|it| RUNNING.contains(&it)));
        Ok(found)
    }
}

/// One profile, however its address is written.
fn same(url: &str) -> String {
    let url = url.trim().to_lowercase();
    let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let rest = rest.strip_prefix("www.").unwrap_or(rest);
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    rest.trim_end_matches('/').to_owned()
}

/// Whether a person who was found carries the message of this delivery.
fn belongs(person: &Person, list: i64, delivery: &str) -> Outcome {
    match person.token() {
        Some(token) if token.is_empty() || !delivery.starts_with(token) => Outcome::Rejected {
            reason: "the person is in the list with another message".to_owned(),
        },
        _ => Outcome::Accepted {
            receipt: format!("list {list}"),
        },
    }
}

/// What the provider would drop without a word.
fn incomplete(item: &Outgoing) -> Option<Outcome> {
    let missing = [
        (&item.linkedin_url, "a LinkedIn profile"),
        (&item.first_name, "a given name"),
        (&item.last_name, "a family name"),
    ];
    let refused = |reason: String| Some(Outcome::Rejected { reason });
    if let Some((_, what)) = missing.iter().find(|(value, _)| value.is_empty()) {
        return refused(format!("heyreach takes nobody without {what}"));
    }
    let profile = same(&item.linkedin_url);
    let (host, path) = profile.split_once('/').unwrap_or((&profile, ""));
    let is_profile = host.contains("linkedin.") && path.starts_with("in/") && path.len() > 3;
    if is_profile {
        return None;
    }
    refused(format!(
        "`{}` is no profile; expected an address such as https://www.linkedin.com/in/name",
        item.linkedin_url
    ))
}

#[async_trait]
impl Channel for HeyReachChannel {
    fn provider(&self) -> Provider {
        Provider::HeyReach
    }

    fn chunk(&self) -> usize {
        CHUNK
    }

    fn settles_within(&self) -> SignedDuration {
        self.options.settles_within
    }

    fn prepare(&self, container: &Container, items: &[Outgoing]) -> Prepared {
        let refused: Vec<Option<Outcome>> = items.iter().map(incomplete).collect();
        let whole = items.iter().zip(&refused);
        let whole = whole.filter(|(_, refused)| refused.is_none());
        let messages: Vec<Message<'_>> = whole.map(|(item, _)| item.message()).collect();
        let campaign = Campaign {
            name: &container.name,
            accounts: &[],
            time_zone: "",
            daily_limit: 0,
        };
        let requests = if messages.is_empty() {
            Vec::new()
        } else {
            requests::build(Provider::HeyReach, &campaign, &messages)
        };
        Prepared { requests, refused }
    }

    async fn deliver(&self, container: &Container, items: &[Outgoing]) -> Vec<Outcome> {
        let Prepared { requests, refused } = self.prepare(container, items);
        let whole: Vec<Outgoing> = items
            .iter()
            .zip(&refused)
            .filter(|(_, refused)| refused.is_none())
            .map(|(item, _)| item.clone())
            .collect();
        let handed = self.hand_over(container, &whole, requests).await;
        let mut handed = handed.into_iter();
        let lost = || Outcome::Unknown {
            reason: "heyreach: no outcome".to_owned(),
        };
        let outcomes = refused
            .into_iter()
            .map(|refused| refused.or_else(|| handed.next()).unwrap_or_else(lost));
        outcomes.collect()
    }

    async fn reconcile(&self, entries: &[LedgerEntry]) -> Vec<Proof> {
        let mut seen: BTreeMap<&str, Result<Vec<Person>, CallError>> = BTreeMap::new();
        let mut proofs = Vec::with_capacity(entries.len());
        for entry in entries {
            let name = entry.container.name.as_str();
            if !seen.contains_key(name) {
                seen.insert(name, self.everybody_in(name).await);
            }
            proofs.push(match &seen[name] {
                Err(error) => Proof::Undecided {
                    reason: error.to_string(),
                },
                // The ledger knows no profile: people are told apart by their delivery alone.
                Ok(people) => {
                    let is_it = |person: &&Person| {
                        let token = person.token().unwrap_or("");
                        !token.is_empty() && entry.id.starts_with(token)
                    };
                    match people.iter().find(is_it) {
                        Some(_) => Proof::Delivered {
                            receipt: format!("list {name}"),
                        },
                        None if people.iter().any(|it| it.token().is_none()) => Proof::Undecided {
                            reason: "the list does not say whose message is whose".to_owned(),
                        },
                        None => Proof::NotDelivered,
                    }
                }
            });
        }
        proofs
    }

    async fn halt(&self) -> Result<usize, String> {
        let running = self.running().await.map_err(|error| error.to_string())?;
        let pauses = running.iter().map(|it| self.pause_campaign(it.id));
        let mut failures = failures(pauses.collect()).await;
        // What was answered is not what is: ask again.
        let still = self.running().await.map_err(|error| error.to_string())?;
        if still.is_empty() {
            return Ok(running.len());
        }
        let ids: Vec<String> = still
            .iter()
            .map(|campaign| campaign.id.to_string())
            .collect();
        let (count, ids) = (still.len(), ids.join(", "));
        failures.insert(0, format!("heyreach: {count} campaigns still send: {ids}"));
        Err(failures.join("; "))
    }

    async fn health(&self) -> Result<(), String> {
        let call = Call::get("check key", "/auth/CheckApiKey");
        self.http
            .call(&call)
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    }
}

impl HeyReachChannel {
    async fn hand_over(
        &self,
        container: &Container,
        items: &[Outgoing],
        requests: Vec<ProviderRequest>,
    ) -> Vec<Outcome> {
        let mut requests = requests.into_iter();
        let not_sent = |reason: &str| -> Vec<Outcome> {
            let outcome = |_: &Outgoing| Outcome::NotSent {
                reason: reason.to_owned(),
            };
            items.iter().map(outcome).collect()
        };
        if items.is_empty() {
            return Vec::new();
        }
        let Some(create) = requests.next() else {
            return not_sent("there is nothing to hand over");
        };
        let list = match self.list(&container.name, &create.body).await {
            Ok(list) => list,
            Err(error) => return not_sent(&error.to_string()),
        };
        let mut outcomes = Vec::with_capacity(items.len());
        for request in requests {
            let count = request.body["leads"].as_array().map_or(0, Vec::len);
            let handed = &items[outcomes.len()..(outcomes.len() + count).min(items.len())];
            outcomes.extend(self.upload(list, request.body, handed).await);
        }
        outcomes
    }

    async fn everybody_in(&self, name: &str) -> Result<Vec<Person>, CallError> {
        let mut everybody = Vec::new();
        for list in self.lists(name).await? {
            everybody.extend(self.people(list).await?.into_values());
        }
        Ok(everybody)
    }
}

impl fmt::Display for HeyReachChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.http.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn a_profile_is_one_however_its_address_is_written() {
        for url in [
            "https://www.linkedin.example/in/Kim/",
            "http://linkedin.example/in/kim",
            " linkedin.example/in/kim?x=1",
        ] {
            assert_eq!(same(url), "linkedin.example/in/kim", "{url}");
        }
    }
}
