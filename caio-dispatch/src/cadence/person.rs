//! What a person decides about one follow-up.

use caio_core::EmailKey;
use caio_core::cadence::{Record, exited, paused, resumed};
use caio_core::signals::Facts;
use caio_state::StateStoreExt;

use super::enrolment::{Enrolment, unreadable};
use super::{Cadences, known};
use crate::error::{DispatchError, Result};
use crate::records;

/// How often a decision is made anew after somebody else changed the record in between.
const ATTEMPTS: usize = 5;

impl Cadences<'_> {
    /// Holds it until somebody resumes it.
    ///
    /// # Errors
    /// [`DispatchError::NotFound`], and [`DispatchError::Refused`] with `cadence.wrong_status` unless it
    /// is active.
    pub async fn pause(&self, person: &EmailKey, reason: &str) -> Result<Enrolment> {
        let change = |record: &Record, _: &Facts, now: &str| paused(record, reason, now);
        self.change(person, ("cadence.paused", reason), change)
            .await
    }

    /// Goes on with it. The signal that held it is acknowledged: it does not hold it again (CA-7).
    ///
    /// # Errors
    /// As [`Self::pause`], unless it is held.
    pub async fn resume(&self, person: &EmailKey) -> Result<Enrolment> {
        self.change(person, ("cadence.resumed", "by hand"), resumed)
            .await
    }

    /// Ends it for good.
    ///
    /// # Errors
    /// As [`Self::pause`], unless it is active or held.
    pub async fn exit(&self, person: &EmailKey, reason: &str) -> Result<Enrolment> {
        let change = |record: &Record, _: &Facts, _: &str| exited(record, reason);
        self.change(person, ("cadence.exited", reason), change)
            .await
    }

    async fn change(
        &self,
        person: &EmailKey,
        (kind, why): (&'static str, &str),
        change: impl Fn(&Record, &Facts, &str) -> Option<Record>,
    ) -> Result<Enrolment> {
        let key = records::cadence(person);
        for _ in 0..ATTEMPTS {
            let Some((before, version)) = self.store.get_json::<Enrolment>(&key).await? else {
                return Err(DispatchError::NotFound {
                    what: "follow-up",
                    id: person.to_string(),
                });
            };
            let facts = known(self.store, &[person]).await?;
            let facts = facts.into_iter().next().unwrap_or_default().signals;
            let Some(record) = change(&before.record, &facts, &self.now()) else {
                return Err(DispatchError::Refused {
                    code: "cadence.wrong_status",
                    reason: format!("the follow-up of {person} is {}", before.status()),
                });
            };
            let next = Enrolment::new(person, record, &Self::plan(), &facts)
                .map_err(|fault| unreadable(&fault))?;
            let put = self.put(
                Some((&before, &version)),
                &next,
                (kind, why),
                Default::default(),
            );
            if put.await? {
                return Ok(next);
            }
        }
        Err(DispatchError::Conflict {
            what: "follow-up",
            id: person.to_string(),
        })
    }
}
