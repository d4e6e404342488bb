//! What the store knows about a message's recipient, read in one call: the same for the preview
//! and for the send.

use caio_core::EmailKey;
use caio_core::cadence::{DEFAULT_21DAY, Plan, against};
use caio_core::signals::{self, facts_of};
use caio_core::terms::{Medium, Step};
use caio_state::{Guard, Key, StateStore, Versioned};
use serde_json::{Map, Value};

use crate::cadence::Enrolment;
use crate::error::Result;
use crate::records;
use crate::transition::unchanged;

/// What stands for and against one touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Why the person, domain or company is suppressed.
    pub suppressed: Option<String>,
    /// Status of the lead, as signals made it.
    pub lead_status: Option<String>,
    /// The lead has answered at some time.
    pub has_replied: bool,
    /// What the lead's signals say together.
    pub signals: signals::Facts,
    /// Why its cadence holds this touch back; only asked of follow-ups.
    pub follow_up: Option<String>,
    /// Somebody holds this touch.
    pub touched: bool,
    /// Hold while all of this is still so.
    pub guards: Vec<Guard>,
}

/// The touch of one person.
#[derive(Debug, Clone, Copy)]
pub struct Touch<'a> {
    /// Who.
    pub person: &'a EmailKey,
    /// On which medium.
    pub medium: Medium,
    /// At which step.
    pub step: Step,
}

/// What gates each of `touches`, in order. A record that cannot be read suppresses: unknown is
/// never a yes.
pub async fn facts(store: &dyn StateStore, touches: &[Touch<'_>]) -> Result<Vec<Facts>> {
    let keys: Vec<Vec<Key>> = touches.iter().map(keys).collect();
    let flat: Vec<Key> = keys.iter().flatten().cloned().collect();
    let mut values = store.get(&flat).await?.into_iter();
    let plan = Plan::from(&DEFAULT_21DAY);
    let mut all = Vec::with_capacity(touches.len());
    for (touch, keys) in touches.iter().zip(keys) {
        let mut facts = Facts::default();
        let mut enrolment = None;
        for (position, key) in keys.iter().enumerate() {
            let value = values.next().flatten();
            facts
                .guards
                .push(unchanged(key, value.as_ref().map(|value| &value.version)));
            match value {
                Some(value) if position == 2 && touch.step.is_follow_up() => {
                    enrolment = Some(serde_json::from_slice::<Enrolment>(&value.value));
                }
                Some(value) => facts.take(position, &value),
                None => {}
            }
        }
        if touch.step.is_follow_up() {
            facts.follow_up = match enrolment {
                None => Some("no follow-up has begun for this person".to_owned()),
                Some(Err(error)) => Some(format!("the follow-up cannot be read: {error}")),
                Some(Ok(Enrolment { record, .. })) => {
                    against(&record, &plan, &facts.signals, touch.step.0.into())
                }
            };
        }
        all.push(facts);
    }
    Ok(all)
}

/// Touch, status, the follow-up where the touch is one, then every suppression that would cover the
/// person.
fn keys(touch: &Touch<'_>) -> Vec<Key> {
    let mut keys = vec![
        records::touch(touch.person, touch.medium, touch.step),
        records::lead_status(touch.person),
    ];
    if touch.step.is_follow_up() {
        keys.push(records::cadence(touch.person));
    }
    keys.extend(records::suppressions_of(touch.person));
    keys
}

impl Facts {
    fn take(&mut self, position: usize, value: &Versioned) {
        match position {
            0 => self.touched = true,
            1 => match serde_json::from_slice::<Map<String, Value>>(&value.value) {
                // An end of contact counts for good, though a later signal changed the status.
                Ok(record) => {
                    let known = facts_of(&record);
                    let own = record.get("status").and_then(Value::as_str);
                    self.has_replied = known.has_replied();
                    self.lead_status = known.ended.or(own).map(str::to_owned);
                    self.signals = known;
                }
                Err(error) => {
                    self.suppressed = Some(format!("the lead's status cannot be read: {error}"));
                }
            },
            _ => {
                let why = serde_json::from_slice::<Value>(&value.value);
                let member = |name: &str| {
                    let value = why.as_ref().ok().and_then(|why| why.get(name));
                    value
                        .and_then(Value::as_str)
                        .unwrap_or("unknown")
                        .to_owned()
                };
                self.suppressed = Some(format!("{} ({})", member("reason"), member("source")));
            }
        }
    }
}
