//! What the old records say about who was written to, and who must not be.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use caio_core::EmailKey;
use caio_core::batch::parse_instant;
use caio_core::cadence::DEFAULT_21DAY;
use caio_core::identity::{cadence_email_hash, hex};
use caio_core::pytext::strptime_ymd;
use caio_core::suppression::read_list;
use caio_core::terms::{Medium, Provider, Step, Tier};
use caio_state::Key;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::files::Files;
use super::{Held, Hive, Kept, Kind, PastTouch, SharedDocument, Used};

pub(super) fn read(root: &Path) -> io::Result<Hive> {
    let mut files = Files::new(root)?;
    let mut hive = Hive::default();
    let recipients = hive.shadow_emails(&mut files);
    hive.daily_state(&mut files, &recipients);
    hive.batches(&mut files);
    hive.cadences(&mut files);
    hive.lead_statuses(&mut files);
    hive.opt_outs(&mut files);
    hive.dispatch_log(
        &mut files,
        "instantly_dispatch_log.jsonl",
        Provider::Instantly,
    );
    hive.dispatch_log(
        &mut files,
        "heyreach_dispatch_log.jsonl",
        Provider::HeyReach,
    );
    hive.ceiling(
        &mut files,
        "instantly_dispatch_state.json",
        Provider::Instantly,
    );
    hive.ceiling(
        &mut files,
        "heyreach_dispatch_state.json",
        Provider::HeyReach,
    );
    hive.ghl_usage(&mut files);
    hive.follow_ups(&mut files);
    hive.answers(&mut files);
    for name in [
        "audit/agent_feedback.jsonl",
        "audit/email_approvals.jsonl",
        "events.jsonl",
        "ghl_cache",
        "heyreach_events.jsonl",
        "instantly_events",
        "operator_dispatch_log.jsonl",
    ] {
        match files.count(name) {
            0 => {}
            count => drop(hive.left.insert(name, count)),
        }
    }
    hive.faults = files.faults;
    Ok(hive)
}

pub(super) fn text<'a>(record: &'a Value, member: &str) -> &'a str {
    record.get(member).and_then(Value::as_str).unwrap_or("")
}

pub(super) fn is_set(record: &Value, member: &str) -> bool {
    match record.get(member) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(_) => true,
    }
}

fn receipt(record: &Value, member: &str) -> Option<String> {
    match record.get(member)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A tier, the lowest where the record names none.
fn tier(record: &Value) -> Tier {
    text(record, "tier").parse().unwrap_or(Tier::Four)
}

/// When a letter was given to GHL: the old system did so when it was approved.
fn handed_to_ghl(email: &Value) -> &str {
    match text(email, "sent_at") {
        "" => text(email, "approved_at"),
        at => at,
    }
}

/// The day that the name of a campaign or list carries, as in `t1_pipeline_20260302_v1`; a line of the
/// log says no other.
fn day_in(entry: &Value) -> String {
    let name = match text(entry, "campaign_name") {
        "" => text(entry, "list_name"),
        name => name,
    };
    let is_day = |part: &&str| part.len() == 8 && part.bytes().all(|it| it.is_ascii_digit());
    let day = name.split('_').rfind(is_day);
    let day = day.map(|it| format!("{}-{}-{}", &it[..4], &it[4..6], &it[6..]));
    day.filter(|it| strptime_ymd(it).is_some())
        .unwrap_or_default()
}

const fn medium_of(provider: Provider) -> Medium {
    match provider {
        Provider::HeyReach => Medium::LinkedIn,
        Provider::Ghl | Provider::Instantly => Medium::Email,
    }
}

impl Hive {
    fn hold(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.held.push(Held {
            what: what.into(),
            why: why.into(),
        });
    }

    fn first_touch(
        &mut self,
        person: EmailKey,
        provider: Provider,
        origin: &str,
    ) -> &mut PastTouch {
        let at = self.touches.len();
        self.touches.push(PastTouch {
            person,
            medium: medium_of(provider),
            step: Step::FIRST,
            provider,
            tier: Tier::Four,
            at: String::new(),
            origin: origin.to_owned(),
            receipt: None,
            certain: true,
        });
        &mut self.touches[at]
    }

    /// Marks of shadow e-mails; answers who each one was to.
    fn shadow_emails(&mut self, files: &mut Files<'_>) -> BTreeMap<String, EmailKey> {
        let mut recipients = BTreeMap::new();
        for (file, email) in files.objects("shadow_mode_emails") {
            let stem = file.rsplit('/').next().unwrap_or_default();
            let stem = stem.strip_suffix(".json").unwrap_or(stem);
            let id = match text(&email, "email_id") {
                "" => stem,
                id => id,
            };
            let Ok(person) = EmailKey::parse(text(&email, "to")) else {
                files.fault(&file, None, "`to` holds no address");
                continue;
            };
            // The file's name counts before the id inside, as the old migration has it.
            recipients.insert(stem.to_owned(), person.clone());
            recipients
                .entry(id.to_owned())
                .or_insert_with(|| person.clone());
            let status = text(&email, "status");
            let ghl = is_set(&email, "sent_via_ghl") || is_set(&email, "ghl_message_id");
            let mut is_out = false;
            if ghl || status == "sent_via_ghl" {
                is_out = true;
                let touch = self.first_touch(person.clone(), Provider::Ghl, &file);
                touch.receipt = receipt(&email, "ghl_message_id");
                handed_to_ghl(&email).clone_into(&mut touch.at);
                touch.tier = tier(&email);
            } else if is_set(&email, "queued_for_send") || is_set(&email, "send_error") {
                is_out = true;
                let touch = self.first_touch(person.clone(), Provider::Ghl, &file);
                touch.certain = false;
                handed_to_ghl(&email).clone_into(&mut touch.at);
                touch.tier = tier(&email);
                let why = "given to GHL, and the outcome was not recorded";
                self.hold(file.clone(), why);
            }
            if is_set(&email, "instantly_dispatched_at")
                || is_set(&email, "instantly_campaign_id")
                || status == "dispatched_to_instantly"
            {
                is_out = true;
                let touch = self.first_touch(person.clone(), Provider::Instantly, &file);
                touch.receipt = receipt(&email, "instantly_campaign_id");
                text(&email, "instantly_dispatched_at").clone_into(&mut touch.at);
                touch.tier = tier(&email);
            }
            if is_set(&email, "heyreach_dispatched_at") || is_set(&email, "heyreach_list_id") {
                let touch = self.first_touch(person.clone(), Provider::HeyReach, &file);
                touch.receipt = receipt(&email, "heyreach_list_id");
                text(&email, "heyreach_dispatched_at").clone_into(&mut touch.at);
                touch.tier = tier(&email);
            }
            if !is_out {
                let kind = match status {
                    "approved" => "shadow_mode_emails, approved and not sent",
                    "rejected" => "shadow_mode_emails, rejected",
                    _ => "shadow_mode_emails, undecided",
                };
                *self.left.entry(kind).or_default() += 1;
            }
        }
        recipients
    }

    fn daily_state(&mut self, files: &mut Files<'_>, recipients: &BTreeMap<String, EmailKey>) {
        const FILE: &str = "operator_state.json";
        let Some(state) = files.object(FILE) else {
            return;
        };
        let date = text(&state, "date").to_owned();
        if strptime_ymd(&date).is_none() {
            files.fault(FILE, None, "`date` is not of the form YYYY-MM-DD");
            return;
        }
        let dispatched = state.get("leads_dispatched").and_then(Value::as_array);
        for entry in dispatched.into_iter().flatten() {
            let entry = entry.as_str().unwrap_or("");
            let address = entry.strip_prefix("email:").unwrap_or(entry);
            let person = if address.contains('@') {
                EmailKey::parse(address).ok()
            } else {
                recipients.get(entry).cloned()
            };
            match person {
                Some(person) => {
                    let touch = self.first_touch(person, Provider::Instantly, FILE);
                    touch.at.clone_from(&date);
                }
                None if entry.is_empty() => {}
                None => self.hold(
                    format!("{FILE}: leads_dispatched {entry:?}"),
                    "it names a shadow e-mail that is not there, so nobody knows who was written to",
                ),
            }
        }
        self.documents.push(SharedDocument {
            kind: Kind::DailyState,
            key: Key::new(&["operator", "state", &date]),
            file: FILE.to_owned(),
            value: state,
        });
    }

    fn batches(&mut self, files: &mut Files<'_>) {
        for (file, batch) in files.objects("operator_batches") {
            let stem = file.rsplit('/').next().unwrap_or_default();
            let id = match text(&batch, "batch_id") {
                "" => stem.strip_suffix(".json").unwrap_or(stem),
                id => id,
            };
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if id.is_empty() || !id.chars().all(plain) {
                files.fault(&file, None, format!("{id:?} is no id of a batch"));
                continue;
            }
            self.documents.push(SharedDocument {
                kind: Kind::Batch,
                key: Key::new(&["operator", "batch", id]),
                file,
                value: batch,
            });
        }
    }

    fn cadences(&mut self, files: &mut Files<'_>) {
        for (file, state) in files.objects("cadence_state") {
            let Ok(person) = EmailKey::parse(text(&state, "email")) else {
                files.fault(&file, None, "`email` holds no address");
                continue;
            };
            let steps = state.get("steps_completed").and_then(Value::as_array);
            for done in steps.into_iter().flatten() {
                if text(done, "action") != "dispatched" {
                    continue;
                }
                let number = done.get("step").and_then(Value::as_u64);
                let step = number
                    .and_then(|number| u32::try_from(number).ok())
                    .map(Step);
                let known = DEFAULT_21DAY.steps.iter().find(|it| Some(it.step) == step);
                match known {
                    Some(known) => {
                        let provider = match known.medium {
                            Medium::LinkedIn => Provider::HeyReach,
                            Medium::Email => Provider::Instantly,
                        };
                        let touch = self.first_touch(person.clone(), provider, &file);
                        touch.step = known.step;
                        text(done, "at").clone_into(&mut touch.at);
                        touch.tier = tier(&state);
                    }
                    None => self.hold(file.clone(), format!("no cadence has a step {number:?}")),
                }
            }
            self.documents.push(SharedDocument {
                kind: Kind::Cadence,
                key: Key::new(&["cadence", "lead", &cadence_email_hash(person.as_str())]),
                file,
                value: state,
            });
        }
    }

    fn lead_statuses(&mut self, files: &mut Files<'_>) {
        for (file, status) in files.objects("lead_status") {
            match EmailKey::parse(text(&status, "email")) {
                Ok(person) => self.statuses.push((person, status)),
                Err(_) => files.fault(&file, None, "`email` holds no address"),
            }
        }
    }

    fn opt_outs(&mut self, files: &mut Files<'_>) {
        const FILE: &str = "unsubscribes.jsonl";
        if let Some(text) = files.text(FILE) {
            self.opt_outs = read_list(&text);
        }
    }

    fn dispatch_log(&mut self, files: &mut Files<'_>, file: &str, provider: Provider) {
        for (line, entry) in files.lines(file) {
            let added = entry
                .get("leads_added")
                .and_then(Value::as_u64)
                .unwrap_or(0);
            let certain = match text(&entry, "status") {
                "dispatched" => true,
                // The provider took some of them before it failed.
                "error" if added > 0 => false,
                _ => continue,
            };
            let origin = format!("{file}:{line}");
            let people = entry.get("recipient_emails").and_then(Value::as_array);
            for person in people.into_iter().flatten() {
                match EmailKey::parse(person.as_str().unwrap_or("")) {
                    Ok(person) => {
                        let touch = self.first_touch(person, provider, &origin);
                        touch.certain = certain;
                        touch.tier = tier(&entry);
                        touch.at = day_in(&entry);
                        touch.receipt =
                            receipt(&entry, "campaign_id").or_else(|| receipt(&entry, "list_id"));
                    }
                    Err(_) => files.fault(file, Some(line), "a recipient holds no address"),
                }
            }
        }
    }

    fn ceiling(&mut self, files: &mut Files<'_>, file: &str, provider: Provider) {
        let Some(state) = files.object(file) else {
            return;
        };
        let count = state.get("dispatched_count").and_then(Value::as_u64);
        match (
            strptime_ymd(text(&state, "date")),
            count.and_then(|it| u32::try_from(it).ok()),
        ) {
            (Some(_), Some(count)) => self.used.push(Used {
                provider,
                day: text(&state, "date").to_owned(),
                count,
            }),
            _ => files.fault(file, None, "expected `date` and `dispatched_count`"),
        }
    }

    /// People who accepted a connection and wait for a follow-up.
    fn follow_ups(&mut self, files: &mut Files<'_>) {
        for (file, flag) in files.objects("heyreach_followups") {
            let name = hex(&Sha256::digest(file.as_bytes())[..12]);
            self.kept.push(Kept {
                key: Key::new(&["caio", "follow_up", &name]),
                file,
                value: flag,
                until: None,
            });
        }
    }

    /// Answers of providers that stand for a call made before, under its idempotency key, for a day.
    fn answers(&mut self, files: &mut Files<'_>) {
        for (file, answer) in files.objects("idempotency") {
            let key = text(&answer, "key");
            let until = parse_instant(text(&answer, "expires_at"));
            let is_plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric());
            match until {
                Some(until) if is_plain => self.kept.push(Kept {
                    key: Key::new(&["caio", "idempotency", key]),
                    file,
                    value: answer,
                    until: Some(until),
                }),
                _ => files.fault(&file, None, "expected `key` and `expires_at`"),
            }
        }
    }

    fn ghl_usage(&mut self, files: &mut Files<'_>) {
        const FILE: &str = "ghl_usage.json";
        let Some(usage) = files.object(FILE) else {
            return;
        };
        let days = usage.get("daily_sends").and_then(Value::as_object);
        for (day, count) in days.into_iter().flatten() {
            match (
                strptime_ymd(day),
                count.as_u64().and_then(|it| u32::try_from(it).ok()),
            ) {
                (Some(_), Some(count)) => self.used.push(Used {
                    provider: Provider::Ghl,
                    day: day.clone(),
                    count,
                }),
                _ => files.fault(
                    FILE,
                    None,
                    format!("`daily_sends` of {day:?} is no count of a day"),
                ),
            }
        }
    }
}
