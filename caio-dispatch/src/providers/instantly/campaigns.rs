//! Campaigns of Instantly, as a person starts and pauses them.

use async_trait::async_trait;
use caio_core::EmailKey;
use caio_core::requests::html;
use caio_core::terms::Provider;
use reqwest::Method;
use serde_json::json;

use super::super::http::Call;
use super::wire::{CampaignRecord, LeadRecord};
use super::{ACTIVE, DRAFT, InstantlyChannel, PAUSED, SUBSEQUENCES};
use crate::campaigns::{Campaign, Campaigns, Member, Stage};

impl CampaignRecord {
    fn campaign(self) -> Campaign {
        let (stage, status) = match self.status {
            DRAFT => (Stage::Draft, "a draft".to_owned()),
            ACTIVE => (Stage::Sending, "active".to_owned()),
            PAUSED => (Stage::Paused, "paused".to_owned()),
            3 => (Stage::Ended, "completed".to_owned()),
            SUBSEQUENCES => (Stage::Sending, "running subsequences".to_owned()),
            -1 => (
                Stage::Ended,
                "held back: accounts unhealthy (-1)".to_owned(),
            ),
            -2 => (Stage::Ended, "held back: bounce protect (-2)".to_owned()),
            -99 => (
                Stage::Ended,
                "held back: account suspended (-99)".to_owned(),
            ),
            other => (
                Stage::Ended,
                format!("in status {other}, which nobody knows"),
            ),
        };
        let has_sender = self.email_list.is_none_or(|senders| !senders.is_empty());
        Campaign {
            id: self.id,
            name: self.name,
            stage,
            status,
            problem: (!has_sender).then(|| "no account sends it".to_owned()),
        }
    }
}

impl LeadRecord {
    fn member(self) -> Member {
        let variable = |name: &str| self.payload.as_ref()?.get(name)?.as_str();
        let text = variable("caio_subject").zip(variable("caio_body"));
        Member {
            address: self
                .email
                .as_deref()
                .and_then(|it| EmailKey::parse(it).ok()),
            token: self.token().map(str::to_owned),
            text: text.map(|(subject, body)| shown(subject, body)),
            // Bounced, unsubscribed, skipped.
            is_out: matches!(self.status, Some(-3..=-1)),
            id: self.id,
        }
    }
}

fn shown(subject: &str, body: &str) -> String {
    format!("{subject}\n{body}")
}

#[async_trait]
impl Campaigns for InstantlyChannel {
    fn provider(&self) -> Provider {
        Provider::Instantly
    }

    async fn list(&self) -> Result<Vec<Campaign>, String> {
        let all = self
            .campaigns(&[])
            .await
            .map_err(|error| error.to_string())?;
        Ok(all.into_iter().map(CampaignRecord::campaign).collect())
    }

    async fn members(&self, campaign: &str) -> Result<Vec<Member>, String> {
        let leads = self.leads(campaign, json!({})).await;
        let leads = leads.map_err(|error| error.to_string())?;
        Ok(leads.into_iter().map(LeadRecord::member).collect())
    }

    /// By the lead's own id: a delete by campaign takes all of them.
    async fn take_out(&self, _campaign: &str, member: &Member) -> Result<(), String> {
        let path = format!("/leads/{}", member.id);
        let call = Call {
            method: Method::DELETE,
            ..Call::post("remove lead", &path, None)
        };
        match self.http.call(&call.repeatable()).await {
            Err(error) if !error.is_not_found() => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    async fn start(&self, campaign: &str) -> Result<(), String> {
        let path = format!("/campaigns/{campaign}/activate");
        let call = Call::post("activate", &path, None).repeatable();
        let answer = self.http.call(&call).await;
        answer.map(drop).map_err(|error| error.to_string())
    }

    async fn pause(&self, campaign: &str) -> Result<(), String> {
        self.pause_campaign(campaign)
            .await
            .map_err(|error| error.to_string())
    }

    fn text(&self, subject: &str, body: &str) -> String {
        shown(subject, &html(body))
    }
}
