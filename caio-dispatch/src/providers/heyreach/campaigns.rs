//! Campaigns of HeyReach, as a person lets them go on and pauses them. They are made, and drafts are
//! started, in the vendor's own pages.

use async_trait::async_trait;
use caio_core::EmailKey;
use caio_core::terms::Provider;
use serde::Deserialize;
use serde_json::json;

use super::super::http::{Call, CallError};
use super::{Field, HeyReachChannel, Named, RUNNING};
use crate::campaigns::{Campaign, Campaigns, Member, Stage};

/// Statuses of a person to whom nothing further goes.
const OUT: [&str; 3] = ["Paused", "Finished", "Failed"];

/// A person in a campaign: the record itself, or a profile within.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(default)]
    lead_campaign_status: Option<String>,
    #[serde(default, alias = "linkedInUserProfile")]
    linked_in_user_profile: Option<Facts>,
    #[serde(flatten)]
    own: Facts,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Facts {
    #[serde(default)]
    profile_url: Option<String>,
    #[serde(default)]
    email_address: Option<String>,
    #[serde(default)]
    custom_fields: Vec<Field>,
}

impl Facts {
    fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.custom_fields.iter();
        fields.find(|it| it.name == name)?.value.as_deref()
    }
}

impl Listed {
    fn member(self) -> Member {
        let profile = self.linked_in_user_profile.unwrap_or(self.own);
        let address = profile.email_address.as_deref();
        let status = self.lead_campaign_status.unwrap_or_default();
        Member {
            address: address.and_then(|it| EmailKey::parse(it).ok()),
            token: profile.field("caio_delivery").map(str::to_owned),
            text: profile.field("caio_message").map(str::to_owned),
            is_out: OUT.contains(&status.as_str()),
            id: profile.profile_url.unwrap_or_default(),
        }
    }
}

impl Named {
    fn campaign(self) -> Campaign {
        let status = self.status.unwrap_or_default();
        let stage = match status.as_str() {
            "DRAFT" => Stage::Draft,
            "PAUSED" => Stage::Paused,
            running if RUNNING.contains(&running) => Stage::Sending,
            _ => Stage::Ended,
        };
        let in_its_pages = "a draft is started in heyreach's own pages";
        Campaign {
            id: self.id.to_string(),
            name: self.name.unwrap_or_default(),
            problem: (stage == Stage::Draft).then(|| in_its_pages.to_owned()),
            stage,
            status,
        }
    }
}

impl HeyReachChannel {
    pub(super) async fn pause_campaign(&self, id: i64) -> Result<(), CallError> {
        let id = id.to_string();
        let call = Call {
            query: &[("campaignId", &id)],
            ..Call::post("pause", "/campaign/Pause", None)
        };
        self.http.call(&call.repeatable().insists()).await.map(drop)
    }
}

fn number(campaign: &str) -> Result<i64, String> {
    let parsed = campaign.parse();
    parsed.map_err(|_| format!("heyreach: `{campaign}` is no id of a campaign"))
}

#[async_trait]
impl Campaigns for HeyReachChannel {
    fn provider(&self) -> Provider {
        Provider::HeyReach
    }

    async fn list(&self) -> Result<Vec<Campaign>, String> {
        let all = self
            .all("list campaigns", "/campaign/GetAll", &json!({}))
            .await;
        let all: Vec<Named> = all.map_err(|error| error.to_string())?;
        Ok(all.into_iter().map(Named::campaign).collect())
    }

    async fn members(&self, campaign: &str) -> Result<Vec<Member>, String> {
        let filter = json!({ "campaignId": number(campaign)? });
        let path = "/campaign/GetLeadsFromCampaign";
        let leads = self.all("list campaign leads", path, &filter).await;
        let leads: Vec<Listed> = leads.map_err(|error| error.to_string())?;
        Ok(leads.into_iter().map(Listed::member).collect())
    }

    /// The person stays listed, and nothing further goes to them.
    async fn take_out(&self, campaign: &str, member: &Member) -> Result<(), String> {
        let body = json!({ "campaignId": number(campaign)?, "leadUrl": member.id });
        let call = Call::post("stop lead", "/campaign/StopLeadInCampaign", Some(&body));
        let answer = self.http.call(&call.repeatable()).await;
        answer.map(drop).map_err(|error| error.to_string())
    }

    async fn start(&self, campaign: &str) -> Result<(), String> {
        let call = Call {
            query: &[("campaignId", campaign)],
            ..Call::post("resume", "/campaign/Resume", None)
        };
        let answer = self.http.call(&call.repeatable()).await;
        answer.map(drop).map_err(|error| error.to_string())
    }

    async fn pause(&self, campaign: &str) -> Result<(), String> {
        let answer = self.pause_campaign(number(campaign)?).await;
        answer.map_err(|error| error.to_string())
    }

    fn text(&self, _subject: &str, body: &str) -> String {
        body.to_owned()
    }
}
