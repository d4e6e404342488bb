//! Whom an event is about.

use caio_core::EmailKey;
use caio_core::webhook::Event;
use caio_state::{StateStore, StateStoreExt};

use crate::error::Result;
use crate::leads::LeadRecord;
use crate::records;

/// Whom the event names, and every lead that has the profile it names.
pub(super) async fn people(store: &dyn StateStore, event: &Event) -> Result<Vec<EmailKey>> {
    let mut people: Vec<EmailKey> = event.person.iter().cloned().collect();
    if let Some(profile) = &event.profile {
        let range = records::profile_range(profile);
        let leads: Vec<LeadRecord> = store.index_json(records::PROFILE_INDEX, &range).await?;
        people.extend(leads.into_iter().map(|record| record.lead.key));
    }
    people.sort();
    people.dedup();
    Ok(people)
}
