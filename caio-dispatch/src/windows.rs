//! What is used of each limit that holds for everybody, and what is left.

use caio_core::EmailKey;
use caio_core::limits::{LimitPolicy, SendRequest, Window, WindowName};
use caio_core::terms::{Medium, Motion};
use caio_state::StateStore;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::error::Result;
use crate::records;

/// A limit and what is used of it.
#[derive(Debug, Clone)]
pub struct Used {
    /// The limit.
    pub window: Window,
    /// Sent or reserved.
    pub used: u64,
}

/// The windows that are open at `now`: those of a person, a domain or a campaign are left out.
pub async fn used(
    store: &dyn StateStore,
    limits: &LimitPolicy,
    now: Timestamp,
    zone: &TimeZone,
) -> Result<Vec<Used>> {
    // Any address will do: its own windows are taken out below.
    let Ok(anybody) = EmailKey::parse("anybody@example.com") else {
        return Ok(Vec::new());
    };
    let mut windows: Vec<Window> = Vec::new();
    for (medium, motion) in [
        (Medium::Email, Motion::Revival),
        (Medium::LinkedIn, Motion::Outbound),
    ] {
        let request = SendRequest {
            medium,
            motion,
            recipient: &anybody,
            campaign: "",
            run: None,
        };
        windows.extend(limits.windows(&request, now, zone));
    }
    windows.retain(|it| !matches!(it.name, WindowName::DomainHour | WindowName::Delay));
    let keys: Vec<_> = windows.iter().map(|it| records::limit(&it.key)).collect();
    let used = store.counters(&keys).await?;
    let pairs = windows.into_iter().zip(used);
    Ok(pairs.map(|(window, used)| Used { window, used }).collect())
}
