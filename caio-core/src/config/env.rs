//! Every environment variable that `caio` reads, with its default and meaning.

use super::keys::KEYS;

/// One environment variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvVar {
    /// Name.
    pub name: &'static str,
    /// What holds when it is unset; `""` for nothing.
    pub default: &'static str,
    /// Its value is never shown.
    pub secret: bool,
    /// What it does.
    pub meaning: &'static str,
}

const fn plain(name: &'static str, default: &'static str, meaning: &'static str) -> EnvVar {
    EnvVar {
        name,
        default,
        secret: false,
        meaning,
    }
}

const fn secret(name: &'static str, meaning: &'static str) -> EnvVar {
    EnvVar {
        name,
        default: "",
        secret: true,
        meaning,
    }
}

/// The registry, in alphabetical order. The keys of `caio.toml` add theirs, see [`setting_variables`].
pub const VARIABLES: &[EnvVar] = &[
    plain(
        "CAIO_APPROVE_WITHOUT_DIGEST",
        "",
        "On lets old callers approve without the digest of what was seen; each such approval is recorded so.",
    ),
    plain(
        "CAIO_COEXIST",
        "",
        "Whether the Python system runs beside us: on, off, or hive:PATH to follow its folder from here; on for Redis when unset.",
    ),
    plain(
        "CAIO_DASHBOARD_URL",
        "",
        "The page that alerts link to; user, query and fragment are left out of it.",
    ),
    plain(
        "CAIO_DISK_IS_KEPT",
        "",
        "On where the system's own disk stays, so that an embedded store on it may send live in staging and production.",
    ),
    plain(
        "CAIO_DRAIN_SECONDS",
        "25",
        "How long the service lets requests under way finish when it is told to end.",
    ),
    plain(
        "CAIO_ENVIRONMENT",
        "",
        "Environment that the data in Redis has to belong to, such as production; unchecked when unset.",
    ),
    plain(
        "CAIO_HOME",
        ".caio",
        "Folder of the embedded store, its keys and caio.toml.",
    ),
    plain(
        "CAIO_IN_FLIGHT",
        "8",
        "Provider calls under way at one time, 1 to 256.",
    ),
    plain(
        "CAIO_LEADS_PER_CALL",
        "",
        "Most leads in one provider call; what the provider takes when unset.",
    ),
    plain(
        "CAIO_LEASE_MS",
        "240000",
        "How long a run that died keeps others out, in milliseconds.",
    ),
    secret(
        "CAIO_SEAL_KEYS",
        "Keys of the approval seal, `id:base64,id2:base64`: the first signs, all verify; 32 bytes or more each.",
    ),
    plain(
        "CAIO_SETTLES_WITHIN",
        "120",
        "Seconds after which a call whose answer was lost has taken effect, if it ever does.",
    ),
    secret(
        "CAIO_STORE",
        "Where state is kept: a URL such as sqlite:.caio/caio.db or rediss://host:6379.",
    ),
    plain(
        "CAIO_TRUSTED_PROXIES",
        "0",
        "How many proxies in front of the service add to X-Forwarded-For; 1 on Railway.",
    ),
    plain(
        "CAIO_USER",
        "",
        "Who decides, for the record; --by overrides it.",
    ),
    plain(
        "CAIO_WEBHOOK_HOLD",
        "",
        "Providers whose webhooks are taken unsigned until a time, provider:until, comma-separated: they can hold a lead and nothing else.",
    ),
    secret(
        "CAIO_WEBHOOK_SECRETS",
        "Keys of Standard Webhooks, whsec_…, two at most with a blank between them: for relays of ours.",
    ),
    secret(
        "CLAY_WEBHOOK_SECRET",
        "Secret of X-Clay-Signature, hex HMAC-SHA256 of the body; two with a blank between them.",
    ),
    plain(
        "CORS_ALLOWED_ORIGINS",
        "",
        "Other origins that may read answers, with commas; localhost on ports 8080 and 3000 when unset.",
    ),
    plain(
        "DASHBOARD_AUTH_STRICT",
        "",
        "Off lets everybody on this machine in while there is no token; of no effect on any other address.",
    ),
    secret(
        "DASHBOARD_AUTH_TOKEN",
        "A token with the role admin, named env.",
    ),
    plain(
        "DASHBOARD_QUERY_TOKEN_ENABLED",
        "",
        "On takes the token from `?token=` as well, as the Python system did.",
    ),
    plain(
        "DASHBOARD_URL",
        "",
        "The same, as the Python system names it.",
    ),
    plain(
        "EMERGENCY_STOP",
        "",
        "Stops all sending unless unset, empty, false, 0, no or off.",
    ),
    plain(
        "ENVIRONMENT",
        "development",
        "development, staging or production.",
    ),
    plain(
        "ESCALATION_EMAIL",
        "",
        "Who gets alerts by e-mail: one address.",
    ),
    plain(
        "ESCALATION_PHONE",
        "",
        "Who gets alerts as text messages: + and 10 to 15 digits.",
    ),
    secret(
        "GHL_API_KEY",
        "Token of a private integration at GoHighLevel; without one there is no such channel.",
    ),
    plain(
        "GHL_BASE_URL",
        "https://services.leadconnectorhq.com",
        "Another address of GoHighLevel: https, or http on this machine.",
    ),
    plain(
        "GHL_FROM_EMAIL",
        "",
        "The address that GoHighLevel sends from.",
    ),
    plain(
        "GHL_LOCATION_ID",
        "",
        "The location at GoHighLevel whose contacts are written to.",
    ),
    secret(
        "GHL_PROD_API_KEY",
        "Second name of GHL_API_KEY, used where that is unset.",
    ),
    plain(
        "GHL_WEBHOOK_PUBLIC_KEY",
        "the published key",
        "Ed25519 key that X-GHL-Signature is checked with: for stand-ins of the provider.",
    ),
    secret(
        "GHL_WEBHOOK_SECRET",
        "Secret of X-GHL-Signature where it is a hex HMAC-SHA256 of the body, as relays send it.",
    ),
    secret(
        "HEYREACH_API_KEY",
        "Key of HeyReach; without it there is no LinkedIn channel.",
    ),
    plain(
        "HEYREACH_BASE_URL",
        "https://api.heyreach.io/api/public",
        "Another address of HeyReach: https, or http on this machine.",
    ),
    secret(
        "HEYREACH_BEARER_TOKEN",
        "Key that HeyReach's webhooks may bring in a header, through a relay.",
    ),
    secret(
        "HEYREACH_WEBHOOK_SECRET",
        "Secret of X-HeyReach-Signature, hex HMAC-SHA256 of the body.",
    ),
    secret(
        "INSTANTLY_API_KEY",
        "Key of Instantly; without it that channel does not exist.",
    ),
    plain(
        "INSTANTLY_BASE_URL",
        "https://api.instantly.ai/api/v2",
        "Another address of Instantly: https, or http on this machine.",
    ),
    plain(
        "INSTANTLY_FROM_EMAIL",
        "",
        "The account that sends, where config/production.json names none.",
    ),
    secret(
        "INSTANTLY_WEBHOOK_SECRET",
        "Secret of X-Instantly-Signature, hex HMAC-SHA256 of the body, as relays send it.",
    ),
    plain(
        "KILL_SWITCH",
        "",
        "A second name of EMERGENCY_STOP; either stops.",
    ),
    plain(
        "LOG_LEVEL",
        "info",
        "What the service logs: error, warn, info or debug.",
    ),
    plain(
        "NOTIFICATION_EMAIL_FROM",
        "",
        "Who alerts by e-mail come from; SMTP_USER when unset.",
    ),
    plain("NO_COLOR", "", "Any value turns colour off."),
    plain(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "The collector that the service sends a span of each request to, such as http://localhost:4318; needs a program built with `--features otel`.",
    ),
    plain(
        "OTEL_SERVICE_NAME",
        "caio",
        "The name of the service in those spans.",
    ),
    plain(
        "PORT",
        "8080",
        "Port of the service; where it is set, the service listens on all addresses.",
    ),
    secret(
        "RB2B_WEBHOOK_SECRET",
        "Secret of X-Signature or X-RB2B-Signature, hex HMAC-SHA256 of the body, as relays send it.",
    ),
    secret(
        "REDIS_URL",
        "The Redis of the Python system; used with STATE_BACKEND=redis.",
    ),
    secret(
        "SLACK_WEBHOOK_URL",
        "The incoming webhook of the Slack channel that gets alerts.",
    ),
    plain(
        "SMTP_HOST",
        "smtp.gmail.com",
        "Mail server of alerts; STARTTLS is required outside of this machine.",
    ),
    secret("SMTP_PASSWORD", "Password at the mail server."),
    plain(
        "SMTP_PORT",
        "587",
        "Its port; 465 speaks TLS from the first byte.",
    ),
    plain("SMTP_USER", "", "User at the mail server."),
    plain(
        "STATE_BACKEND",
        "",
        "Where the Python system keeps state: redis or file; used when CAIO_STORE is unset.",
    ),
    plain(
        "STATE_REDIS_PREFIX",
        "caio",
        "First part of every key in Redis; give each deployment its own.",
    ),
    plain("TWILIO_ACCOUNT_SID", "", "Twilio account, AC…."),
    secret("TWILIO_AUTH_TOKEN", "Its auth token."),
    plain(
        "TWILIO_BASE_URL",
        "https://api.twilio.com",
        "Another address of Twilio: https, or http on this machine.",
    ),
    plain(
        "TWILIO_FROM_NUMBER",
        "",
        "The number that sends, or a messaging service (MG…).",
    ),
    secret(
        "WEBHOOK_BEARER_TOKEN",
        "Key that Instantly's and Clay's webhooks bring in a header.",
    ),
    plain(
        "WEBHOOK_SIGNATURE_REQUIRED",
        "true",
        "Off, in development alone: a provider without a key may hold leads, unsigned.",
    ),
];

/// The variable of each key of `caio.toml`, as `(variable, key)`.
pub fn setting_variables() -> impl Iterator<Item = (String, &'static str)> {
    KEYS.iter().map(|key| (key.variable(), key.name))
}

/// The registered variable of that name.
pub fn variable(name: &str) -> Option<&'static EnvVar> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_sorted_unique_and_explained() {
        assert!(VARIABLES.is_sorted_by(|a, b| a.name < b.name));
        assert!(
            VARIABLES
                .iter()
                .all(|variable| variable.meaning.ends_with('.'))
        );
        let mut names: BTreeSet<String> = VARIABLES.iter().map(|v| v.name.to_owned()).collect();
        for (name, _) in setting_variables() {
            assert!(names.insert(name.clone()), "{name} has two meanings");
        }
    }

    #[test]
    fn what_carries_a_password_is_secret() {
        for name in ["CAIO_SEAL_KEYS", "CAIO_STORE", "REDIS_URL"] {
            let found = variable(name).unwrap();
            assert!(found.secret && found.default.is_empty(), "{name}");
        }
        assert!(variable("PATH").is_none());
    }
}
