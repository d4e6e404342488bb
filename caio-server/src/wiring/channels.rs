//! Who delivers, from the environment: a provider without a key has no channel.

use std::collections::BTreeMap;
use std::sync::Arc;

use caio_core::requests::instantly_time_zone;
use caio_core::terms::Provider;
use caio_dispatch::campaigns::Campaigns;
use caio_dispatch::channel::Channel;
use caio_dispatch::providers::{
    Auth, Endpoint, GhlChannel, GhlOptions, HeyReachChannel, HeyReachOptions, Http, HttpOptions,
    InstantlyChannel, InstantlyOptions,
};
use jiff::SignedDuration;
use secrecy::SecretString;

use super::Context;
use crate::exit::{Exit, Failure, Result};

/// Channels by provider.
pub(crate) type Channels = BTreeMap<Provider, Arc<dyn Channel>>;

const GHL: &str = "https://services.leadconnectorhq.com";
const INSTANTLY: &str = "https://api.instantly.ai/api/v2";
const HEYREACH: &str = "https://api.heyreach.io/api/public";

impl Context {
    /// The channels that the environment has keys for. With a daily limit they can make campaigns;
    /// without one they are for stopping and asking, which no setting may stand in the way of.
    pub(crate) fn channels(&self, daily_limit: Option<u32>) -> Result<Channels> {
        let mut channels = Channels::new();
        if let Some(channel) = self.instantly(daily_limit)? {
            channels.insert(Provider::Instantly, Arc::new(channel));
        }
        if let Some(channel) = self.heyreach()? {
            channels.insert(Provider::HeyReach, Arc::new(channel));
        }
        if let Some(channel) = self.ghl()? {
            channels.insert(Provider::Ghl, Arc::new(channel));
        }
        Ok(channels)
    }

    /// The providers with campaigns that the environment has keys for.
    pub(crate) fn campaigns(&self) -> Result<Vec<Arc<dyn Campaigns>>> {
        let mut all: Vec<Arc<dyn Campaigns>> = Vec::new();
        if let Some(channel) = self.instantly(None)? {
            all.push(Arc::new(channel));
        }
        if let Some(channel) = self.heyreach()? {
            all.push(Arc::new(channel));
        }
        Ok(all)
    }

    fn instantly(&self, daily_limit: Option<u32>) -> Result<Option<InstantlyChannel>> {
        let Some(key) = self.secret("INSTANTLY_API_KEY") else {
            return Ok(None);
        };
        let http = self.http(
            Provider::Instantly,
            ("INSTANTLY_BASE_URL", INSTANTLY),
            Auth::Bearer(key),
        )?;
        let mut options = match daily_limit {
            Some(limit) => InstantlyOptions::new(self.accounts()?, self.time_zone()?, limit),
            None => InstantlyOptions::new(Vec::new(), "", 0),
        };
        options.settles_within = self.settles_within()?.unwrap_or(options.settles_within);
        Ok(Some(InstantlyChannel::new(http, options)))
    }

    fn heyreach(&self) -> Result<Option<HeyReachChannel>> {
        let Some(key) = self.secret("HEYREACH_API_KEY") else {
            return Ok(None);
        };
        let http = self.http(
            Provider::HeyReach,
            ("HEYREACH_BASE_URL", HEYREACH),
            Auth::Header("X-API-KEY", key),
        )?;
        let mut options = HeyReachOptions::default();
        options.settles_within = self.settles_within()?.unwrap_or(options.settles_within);
        Ok(Some(HeyReachChannel::new(http, options)))
    }

    /// GoHighLevel, if there is a key; without a location or a sender it is said and left out, since
    /// the Python system's environment names no sender.
    fn ghl(&self) -> Result<Option<GhlChannel>> {
        let keys = ["GHL_API_KEY", "GHL_PROD_API_KEY"];
        let Some(key) = keys.iter().find_map(|name| self.secret(name)) else {
            return Ok(None);
        };
        let auth = Auth::Bearer(key);
        let http = self.http(Provider::Ghl, ("GHL_BASE_URL", GHL), auth)?;
        let variable = |name: &str| self.environment.get(name).map_or("", String::as_str);
        match GhlOptions::new(variable("GHL_LOCATION_ID"), variable("GHL_FROM_EMAIL")) {
            Ok(mut options) => {
                options.settles_within = self.settles_within()?.unwrap_or(options.settles_within);
                Ok(Some(GhlChannel::new(http, options)))
            }
            Err(error) => {
                self.printer
                    .warn(&format!("{error}; there is no such channel until then"));
                Ok(None)
            }
        }
    }

    /// Who sends through a provider.
    pub(crate) fn senders(&self, provider: Provider) -> Result<Vec<String>> {
        match provider {
            Provider::Ghl => {
                let from = self.environment.get("GHL_FROM_EMAIL");
                Ok(from.cloned().into_iter().collect())
            }
            Provider::HeyReach => Ok(Vec::new()),
            Provider::Instantly => self.accounts(),
        }
    }

    /// Channels that prepare requests and are never called: for a rehearsal, which needs no keys.
    pub(crate) fn uncalled_channels(&self) -> Result<Channels> {
        let key = || SecretString::from("rehearsal");
        let http = |provider, base, auth| self.http(provider, ("", base), auth);
        let instantly = http(Provider::Instantly, INSTANTLY, Auth::Bearer(key()))?;
        let daily_limit = self.settings().limits.email_per_day;
        let options = InstantlyOptions::new(self.accounts()?, self.time_zone()?, daily_limit);
        let instantly: Arc<dyn Channel> = Arc::new(InstantlyChannel::new(instantly, options));
        let auth = Auth::Header("X-API-KEY", key());
        let heyreach = http(Provider::HeyReach, HEYREACH, auth)?;
        let heyreach = HeyReachChannel::new(heyreach, HeyReachOptions::default());
        let heyreach: Arc<dyn Channel> = Arc::new(heyreach);
        Ok(Channels::from([
            (Provider::Instantly, instantly),
            (Provider::HeyReach, heyreach),
        ]))
    }

    fn time_zone(&self) -> Result<&'static str> {
        let zone = &self.settings().time_zone;
        instantly_time_zone(zone).ok_or_else(|| {
            let message = format!("Instantly has no time zone like `{zone}`");
            Failure::new("config.time_zone", message)
                .hint("set time_zone to one that it has, such as America/Detroit")
                .exit(Exit::Usage)
        })
    }

    /// Accounts that send: those of the old file, else `INSTANTLY_FROM_EMAIL`.
    fn accounts(&self) -> Result<Vec<String>> {
        let production = self.production()?.map(|loaded| loaded.production);
        let accounts = production.map(|it| it.sending_accounts).unwrap_or_default();
        if !accounts.is_empty() {
            return Ok(accounts);
        }
        let one = self.environment.get("INSTANTLY_FROM_EMAIL");
        Ok(one
            .filter(|it| !it.is_empty())
            .cloned()
            .into_iter()
            .collect())
    }

    pub(super) fn secret(&self, name: &str) -> Option<SecretString> {
        let value = self.environment.get(name).filter(|it| !it.is_empty())?;
        Some(value.as_str().into())
    }

    fn http(&self, provider: Provider, (name, base): (&str, &str), auth: Auth) -> Result<Http> {
        let given = self.environment.get(name).filter(|it| !it.is_empty());
        let base = given.map_or(base, String::as_str);
        let refused = |message: String| Failure::new("channel.config", message).exit(Exit::Usage);
        let endpoint =
            Endpoint::new(provider, base, auth).map_err(|error| refused(error.to_string()))?;
        let mut options = HttpOptions::default();
        // A part of what each allows: HeyReach 300 a minute, GoHighLevel 100 in ten seconds,
        // Instantly 100 a second.
        let more = match provider {
            Provider::Ghl => 4,
            Provider::HeyReach => 0,
            Provider::Instantly => 16,
        };
        options.per_second = options.per_second.saturating_add(more);
        let http = Http::new(endpoint, options, Arc::clone(&self.clock));
        let http = http.map_err(|error| refused(error.to_string()))?;
        Ok(http
            .noting(Arc::clone(&self.notes))
            .breaking(self.breakers.clone()))
    }

    /// `CAIO_SETTLES_WITHIN`: seconds after which a lost call has taken effect, if it ever does.
    fn settles_within(&self) -> Result<Option<SignedDuration>> {
        let name = "CAIO_SETTLES_WITHIN";
        let given = self.environment.get(name).filter(|it| !it.is_empty());
        let parse = |text: &String| {
            let seconds: Result<u32, _> = text.parse();
            seconds
                .map(|seconds| SignedDuration::from_secs(seconds.into()))
                .map_err(|_| {
                    let message = format!("{name}: `{text}` is no number of seconds");
                    Failure::new("channel.config", message).exit(Exit::Usage)
                })
        };
        given.map(parse).transpose()
    }
}
