//! The scorecard: twelve measures with their targets, and the one that holds the rest back.
//!
//! A measure is computed from counts, or it has no value; the Python system put constants where it
//! had none (http D-55).

/// What the measures are computed from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Leads that were scored.
    pub scored: u64,
    /// Those of tier 1 and 2.
    pub fitting: u64,
    /// Drafts that a person said yes to.
    pub approved: u64,
    /// Drafts that a person said no to.
    pub rejected: u64,
    /// Leads that were written to.
    pub written_to: u64,
    /// Those who opened something.
    pub opened: u64,
    /// Those who answered.
    pub answered: u64,
    /// Those with a meeting.
    pub meetings: u64,
}

/// How a measure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// At its target or above.
    OnTrack,
    /// Below it, at its warning or above.
    AtRisk,
    /// Below its warning.
    OffTrack,
}

impl Standing {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnTrack => "on_track",
            Self::AtRisk => "at_risk",
            Self::OffTrack => "off_track",
        }
    }
}

/// One measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    /// Id.
    pub id: &'static str,
    /// `pipeline`, `outreach`, `conversion` or `health`.
    pub category: &'static str,
    /// Percent; `None` where nothing here can be counted.
    pub value: Option<f64>,
    /// Percent.
    pub target: f64,
    /// Percent; below it the measure is off track.
    pub warning: f64,
    /// How it is computed, or why it has no value.
    pub description: &'static str,
}

impl Measure {
    /// How it stands; `None` without a value.
    pub fn standing(&self) -> Option<Standing> {
        Some(match self.value? {
            value if value >= self.target => Standing::OnTrack,
            value if value >= self.warning => Standing::AtRisk,
            _ => Standing::OffTrack,
        })
    }

    /// How far it is from its target, in percent of it; `None` without a value.
    pub fn gap_percent(&self) -> Option<f64> {
        Some((self.value? - self.target) / self.target * 100.0)
    }
}

/// The twelve measures, in the order of the old scorecard.
pub fn measures(counts: &Counts) -> Vec<Measure> {
    let Counts {
        scored,
        fitting,
        approved,
        rejected,
        written_to,
        opened,
        answered,
        meetings,
    } = *counts;
    let measure = |id, category, target, warning, value, description| Measure {
        id,
        category,
        value,
        target,
        warning,
        description,
    };
    let none = |id, category, target, warning| {
        let why = "nothing here counts it";
        measure(id, category, target, warning, None, why)
    };
    vec![
        none("lead_velocity_rate", "pipeline", 10.0, 0.0),
        measure(
            "icp_match_rate",
            "pipeline",
            75.0,
            60.0,
            share(fitting, scored),
            "leads of tier 1 and 2 among those that were scored",
        ),
        none("enrichment_rate", "pipeline", 90.0, 75.0),
        measure(
            "email_open_rate",
            "outreach",
            50.0,
            35.0,
            share(opened, written_to),
            "leads who opened something among those who were written to",
        ),
        measure(
            "reply_rate",
            "outreach",
            8.0,
            4.0,
            share(answered, written_to),
            "leads who answered among those who were written to",
        ),
        none("positive_reply_rate", "outreach", 50.0, 30.0),
        measure(
            "meeting_book_rate",
            "conversion",
            2.0,
            1.0,
            share(meetings, written_to),
            "leads with a meeting among those who were written to",
        ),
        measure(
            "ae_approval_rate",
            "conversion",
            70.0,
            50.0,
            share(approved, approved + rejected),
            "drafts that a person said yes to among those decided",
        ),
        none("pipeline_close_rate", "conversion", 20.0, 10.0),
        none("agent_success_rate", "health", 95.0, 85.0),
        none("swarm_uptime", "health", 99.0, 95.0),
        none("queue_health", "health", 90.0, 70.0),
    ]
}

/// The measure that holds the rest back: the furthest from its target among those off track, else
/// among those at risk.
pub fn constraint(measures: &[Measure]) -> Option<&Measure> {
    let worst = |standing| {
        let of = measures.iter().filter(|it| it.standing() == Some(standing));
        of.min_by(|a, b| {
            let gap = |it: &Measure| it.gap_percent().unwrap_or(0.0);
            gap(a).total_cmp(&gap(b))
        })
    };
    worst(Standing::OffTrack).or_else(|| worst(Standing::AtRisk))
}

/// `part` in percent of `whole`, to one decimal; nothing of nothing is no share.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of leads are far below 2^52"
)]
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 1000.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_counted_has_no_value_and_holds_nothing_back() {
        let measures = measures(&Counts::default());
        assert_eq!(measures.len(), 12);
        assert!(measures.iter().all(|it| it.value.is_none()));
        assert_eq!(constraint(&measures), None);
    }

    #[test]
    fn the_furthest_from_its_target_holds_the_rest_back() {
        let counts = Counts {
            scored: 100,
            fitting: 70,
            written_to: 100,
            opened: 60,
            answered: 1,
            approved: 9,
            rejected: 1,
            meetings: 2,
        };
        let measures = measures(&counts);
        let of = |id| measures.iter().find(|it| it.id == id).unwrap();
        assert_eq!(of("icp_match_rate").standing(), Some(Standing::AtRisk));
        assert_eq!(of("email_open_rate").standing(), Some(Standing::OnTrack));
        assert_eq!(of("ae_approval_rate").value, Some(90.0));
        assert_eq!(of("meeting_book_rate").standing(), Some(Standing::OnTrack));
        assert_eq!(constraint(&measures).map(|it| it.id), Some("reply_rate"));
        assert_eq!(of("reply_rate").gap_percent(), Some(-87.5));
    }
}
