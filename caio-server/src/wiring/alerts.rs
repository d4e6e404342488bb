//! Who is told, from the environment and settings; recipients are never compiled in.

use std::sync::Arc;
use std::time::Duration;

use caio_core::escalation::{Configured, Subject};
use caio_dispatch::notify::{
    AlertPolicy, Alerts, Drain, Drained, NotifierError, Notifiers, SlackNotifier, SmtpNotifier,
    SmtpOptions, TwilioNotifier, TwilioOptions, Which,
};
use caio_state::StateStore;
use jiff::SignedDuration;

use super::Context;
use crate::exit::Result;

/// Longest time that a command delivers alerts after its own work is done.
const DELIVERING: Duration = Duration::from_secs(45);

const SMTP_HOST: &str = "smtp.gmail.com";
const SMTP_PORT: u16 = 587;

impl Context {
    /// How alerts are raised.
    pub(crate) fn alert_policy(&self) -> AlertPolicy {
        let settings = self.settings();
        let page = ["CAIO_DASHBOARD_URL", "DASHBOARD_URL"]
            .iter()
            .find_map(|name| self.given(name));
        AlertPolicy {
            window: SignedDuration::from_mins(settings.alerts_fold_minutes.into()),
            louder_after_hours: settings.alerts_louder_after_hours,
            link: page.and_then(AlertPolicy::page),
        }
    }

    /// Raises alerts in `store`.
    pub(crate) fn alerts<'a>(
        &'a self,
        store: &'a dyn StateStore,
        policy: &'a AlertPolicy,
    ) -> Alerts<'a> {
        Alerts {
            store,
            clock: &*self.clock,
            ids: &*self.ids,
            policy,
        }
    }

    /// The channels that are configured, and what is wrong with those that nearly are.
    pub(crate) fn notifiers(&self) -> (Notifiers, Vec<String>) {
        let mut notifiers = Notifiers::default();
        let mut problems = Vec::new();
        match self.slack() {
            None => {}
            Some(Ok(slack)) => {
                problems.extend(slack.doubt());
                notifiers = notifiers.with(Arc::new(slack));
            }
            Some(Err(wrong)) => problems.push(wrong.to_string()),
        }
        match self.sms() {
            None => {}
            Some(Ok(sms)) => notifiers = notifiers.with(Arc::new(sms)),
            Some(Err(wrong)) => problems.push(wrong),
        }
        match self.mail() {
            None => {}
            Some(Ok(mail)) => notifiers = notifiers.with(Arc::new(mail)),
            Some(Err(wrong)) => problems.push(wrong),
        }
        (notifiers, problems)
    }

    /// Raises `subjects` and delivers what waits, after a command's own work is done: nothing that goes
    /// wrong here changes how the command ends.
    pub(crate) async fn tell(&self, store: &dyn StateStore, subjects: Vec<Subject>) {
        self.raise(store, subjects).await;
        self.deliver_alerts(store).await;
    }

    /// Raises alerts, for whoever delivers them.
    pub(crate) async fn raise(&self, store: &dyn StateStore, subjects: Vec<Subject>) {
        let policy = self.alert_policy();
        for problem in self.alerts(store, &policy).raise_all(subjects).await {
            self.printer.warn(&problem);
        }
    }

    /// Delivers what waits, for a bounded time.
    pub(crate) async fn deliver_alerts(&self, store: &dyn StateStore) {
        let (notifiers, problems) = self.notifiers();
        for problem in problems {
            self.printer.warn(&problem);
        }
        // Without a channel another process, which has one, may deliver.
        if notifiers.configured() == Configured::default() {
            return;
        }
        let delivered = self.drain(store, &notifiers, Which::Due);
        match tokio::time::timeout(DELIVERING, delivered).await {
            Ok(Ok(_)) => {}
            Ok(Err(failure)) => self
                .printer
                .warn(&format!("alerts wait: {}", failure.message)),
            Err(_) => self
                .printer
                .warn("alerts wait: delivering them took too long"),
        }
    }

    /// One pass over the outbox.
    pub(crate) async fn drain(
        &self,
        store: &dyn StateStore,
        notifiers: &Notifiers,
        which: Which,
    ) -> Result<Drained> {
        let holder = format!("process {}", std::process::id());
        let drain = Drain {
            store,
            notifiers,
            clock: &*self.clock,
            ids: &*self.ids,
            holder: &holder,
        };
        Ok(drain.run(which).await?)
    }

    fn slack(&self) -> Option<Result<SlackNotifier, NotifierError>> {
        Some(SlackNotifier::new(self.secret("SLACK_WEBHOOK_URL")?))
    }

    fn sms(&self) -> Option<Result<TwilioNotifier, String>> {
        const NAMES: [&str; 4] = [
            "TWILIO_ACCOUNT_SID",
            "TWILIO_AUTH_TOKEN",
            "TWILIO_FROM_NUMBER",
            "ESCALATION_PHONE",
        ];
        let missing = self.missing(&NAMES)?;
        let (Some(account), Some(token), Some(from), Some(to)) = (
            self.given(NAMES[0]),
            self.secret(NAMES[1]),
            self.given(NAMES[2]),
            self.given(NAMES[3]),
        ) else {
            return Some(Err(format!("sms: set {} as well", missing.join(", "))));
        };
        let mut options = TwilioOptions::new(account, token, from, to);
        options.base = self.given("TWILIO_BASE_URL").map(str::to_owned);
        Some(TwilioNotifier::new(options).map_err(|wrong| wrong.to_string()))
    }

    fn mail(&self) -> Option<Result<SmtpNotifier, String>> {
        let user = self.given("SMTP_USER");
        let host = self.given("SMTP_HOST");
        let to = self.given("ESCALATION_EMAIL");
        if to.is_none() && user.is_none() && host.is_none() {
            return None;
        }
        Some(self.mail_of(host, user, to))
    }

    fn mail_of(
        &self,
        host: Option<&str>,
        user: Option<&str>,
        to: Option<&str>,
    ) -> Result<SmtpNotifier, String> {
        let to = to.ok_or("email: set ESCALATION_EMAIL as well: who is told")?;
        if host.is_none() && user.is_none() {
            return Err("email: set SMTP_HOST, or SMTP_USER and SMTP_PASSWORD, as well".to_owned());
        }
        let from = self.given("NOTIFICATION_EMAIL_FROM").or(user);
        let from = from.ok_or("email: set NOTIFICATION_EMAIL_FROM as well")?;
        let port = match self.given("SMTP_PORT") {
            None => SMTP_PORT,
            Some(text) => text
                .parse()
                .map_err(|_| format!("email: SMTP_PORT: `{text}` is no port"))?,
        };
        let options = SmtpOptions::new(host.unwrap_or(SMTP_HOST), port, from, to);
        let mut options = options.map_err(|wrong| wrong.to_string())?;
        options = match (user, self.secret("SMTP_PASSWORD")) {
            (None, None) => options,
            (Some(user), Some(password)) => options.login(user, password),
            _ => return Err("email: SMTP_USER and SMTP_PASSWORD belong together".to_owned()),
        };
        SmtpNotifier::new(options).map_err(|wrong| wrong.to_string())
    }

    /// A variable that is set, without the space around it.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        let value = self.environment.get(name).map(|value| value.trim());
        value.filter(|value| !value.is_empty())
    }

    /// Those of `names` that are unset; `None` when all of them are.
    fn missing<'a>(&self, names: &[&'a str]) -> Option<Vec<&'a str>> {
        let missing = names.iter().filter(|name| self.given(name).is_none());
        let missing: Vec<&str> = missing.copied().collect();
        (missing.len() < names.len()).then_some(missing)
    }
}
