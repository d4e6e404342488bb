//! Bodies that Instantly takes: closed, with its own list of time zones.

use crate::sandbox::schema::{Field, Shape, may, need};

/// A new campaign.
pub(super) const CAMPAIGN: Shape = Shape::Object(&[
    need("name", Shape::Text),
    need("campaign_schedule", SCHEDULE),
    may("ai_sdr_id", Shape::Uuid),
    may("allow_risky_contacts", NULLABLE_FLAG),
    may("auto_variant_select", Shape::Nullable(&AUTO_VARIANT)),
    may("bcc_list", TEXTS),
    may("cc_list", TEXTS),
    may("daily_limit", NULLABLE_NUMBER),
    may("daily_max_leads", NULLABLE_NUMBER),
    may("disable_bounce_protect", NULLABLE_FLAG),
    may("email_gap", NULLABLE_NUMBER),
    may("email_list", TEXTS),
    may("email_tag_list", TEXTS),
    may("first_email_text_only", NULLABLE_FLAG),
    may("insert_unsubscribe_header", NULLABLE_FLAG),
    may("is_evergreen", NULLABLE_FLAG),
    may(
        "limit_emails_per_company_override",
        Shape::Nullable(&PER_COMPANY),
    ),
    may("link_tracking", NULLABLE_FLAG),
    may("match_lead_esp", NULLABLE_FLAG),
    may("open_tracking", NULLABLE_FLAG),
    may("owned_by", Shape::Uuid),
    may("pl_value", NULLABLE_NUMBER),
    may("prioritize_new_leads", NULLABLE_FLAG),
    may("provider_routing_rules", Shape::List(&ROUTING, 0, 100)),
    may("random_wait_max", NULLABLE_NUMBER),
    may("sequences", Shape::List(&SEQUENCE, 0, 100)),
    may("stop_for_company", NULLABLE_FLAG),
    may("stop_on_auto_reply", NULLABLE_FLAG),
    may("stop_on_reply", NULLABLE_FLAG),
    may("text_only", NULLABLE_FLAG),
]);

/// `leads/add`.
pub(super) const ADD_LEADS: Shape = Shape::Object(&[
    need("leads", Shape::List(&Shape::Object(LEAD), 1, 1_000)),
    may("assigned_to", Shape::Uuid),
    may("blocklist_id", Shape::Nullable(&Shape::Uuid)),
    may("campaign_id", Shape::Nullable(&Shape::Uuid)),
    may("list_id", Shape::Nullable(&Shape::Uuid)),
    may("skip_if_in_campaign", Shape::Flag),
    may("skip_if_in_list", Shape::Flag),
    may("skip_if_in_workspace", Shape::Flag),
    may("verify_leads_for_lead_finder", Shape::Flag),
    may("verify_leads_on_import", Shape::Flag),
]);

/// A single lead: here the key is `campaign`.
pub(super) const ONE_LEAD: Shape = Shape::Object(&[
    need("campaign", Shape::Uuid),
    need("email", Shape::Text),
    may("assigned_to", Shape::Uuid),
    may("blocklist_id", Shape::Nullable(&Shape::Uuid)),
    may("company_name", NULLABLE_TEXT),
    may("custom_variables", Shape::Nullable(&Shape::Flat)),
    may("first_name", NULLABLE_TEXT),
    may("job_title", NULLABLE_TEXT),
    may("last_name", NULLABLE_TEXT),
    may("lt_interest_status", Shape::Integer(-4, 4)),
    may("personalization", NULLABLE_TEXT),
    may("phone", NULLABLE_TEXT),
    may("pl_value_lead", NULLABLE_TEXT),
    may("skip_if_in_campaign", Shape::Flag),
    may("skip_if_in_list", Shape::Flag),
    may("skip_if_in_workspace", Shape::Flag),
    may("verify_leads_for_lead_finder", Shape::Flag),
    may("verify_leads_on_import", Shape::Flag),
    may("website", NULLABLE_TEXT),
]);

/// `DELETE /leads`.
pub(super) const DELETE_LEADS: Shape = Shape::Object(&[
    may("campaign_id", Shape::Uuid),
    may("ids", Shape::List(&Shape::Uuid, 0, 10_000)),
    may("limit", Shape::Integer(1, 10_000)),
    may("list_id", Shape::Uuid),
    may("status", Shape::Integer(-3, 3)),
]);

/// `leads/update-interest-status`; null takes a status back.
pub(super) const INTEREST: Shape = Shape::Object(&[
    need("lead_email", Shape::Text),
    need("interest_value", Shape::Nullable(&Shape::Integer(-4, 4))),
    may("ai_interest_value", NULLABLE_NUMBER),
    may("campaign_id", Shape::Nullable(&Shape::Uuid)),
    may("disable_auto_interest", Shape::Flag),
    may("list_id", Shape::Nullable(&Shape::Uuid)),
]);

/// An entry of the block list.
pub(super) const BLOCK: Shape = Shape::Object(&[need("bl_value", Shape::Text)]);

const LEAD: &[Field] = &[
    may("assigned_to", Shape::Uuid),
    may("company_name", NULLABLE_TEXT),
    may("custom_variables", Shape::Nullable(&Shape::Flat)),
    may("email", NULLABLE_TEXT),
    may("first_name", NULLABLE_TEXT),
    may("job_title", NULLABLE_TEXT),
    may("last_name", NULLABLE_TEXT),
    may("lt_interest_status", Shape::Integer(-4, 4)),
    may("personalization", NULLABLE_TEXT),
    may("phone", NULLABLE_TEXT),
    may("pl_value_lead", NULLABLE_TEXT),
    may("website", NULLABLE_TEXT),
];

const NULLABLE_FLAG: Shape = Shape::Nullable(&Shape::Flag);
const NULLABLE_NUMBER: Shape = Shape::Nullable(&Shape::Number);
const NULLABLE_TEXT: Shape = Shape::Nullable(&Shape::Text);
const TEXTS: Shape = Shape::List(&Shape::Text, 0, 10_000);

const SCHEDULE: Shape = Shape::Object(&[
    need("schedules", Shape::List(&HOURS, 1, 100)),
    may("end_date", Shape::Nullable(&Shape::Date)),
    may("start_date", Shape::Nullable(&Shape::Date)),
]);

const HOURS: Shape = Shape::Object(&[
    need("name", Shape::Text),
    need(
        "timing",
        Shape::Object(&[need("from", Shape::Time), need("to", Shape::Time)]),
    ),
    need("days", Shape::Days),
    need("timezone", Shape::OneOf(TIME_ZONES)),
]);

const SEQUENCE: Shape = Shape::Object(&[need("steps", Shape::List(&STEP, 0, 100))]);

const STEP: Shape = Shape::Object(&[
    need("type", Shape::OneOf(&["email"])),
    need("delay", Shape::Number),
    need("variants", Shape::List(&VARIANT, 0, 100)),
    may("delay_unit", Shape::OneOf(UNITS)),
    may("pre_delay", Shape::Number),
    may("pre_delay_unit", Shape::OneOf(UNITS)),
]);

const UNITS: &[&str] = &["minutes", "hours", "days"];

const VARIANT: Shape = Shape::Object(&[
    need("subject", Shape::Text),
    need("body", Shape::Text),
    may("v_disabled", Shape::Flag),
]);

const AUTO_VARIANT: Shape = Shape::Object(&[need(
    "trigger",
    Shape::OneOf(&["reply_rate", "click_rate", "open_rate"]),
)]);

const PER_COMPANY: Shape = Shape::Object(&[
    need("mode", Shape::OneOf(&["custom", "disabled"])),
    may("daily_limit", Shape::Number),
    may("scope", Shape::OneOf(&["per_campaign", "across_workspace"])),
]);

const ROUTING: Shape = Shape::Object(&[
    need("action", Shape::Text),
    need("recipient_esp", TEXTS),
    need("sender_esp", TEXTS),
]);

/// The zones of the vendor's own definition; New York, Los Angeles, London and UTC are not among them.
pub(super) const TIME_ZONES: &[&str] = &[
    "Etc/GMT+12",
    "Etc/GMT+11",
    "Etc/GMT+10",
    "America/Anchorage",
    "America/Dawson",
    "America/Creston",
    "America/Chihuahua",
    "America/Boise",
    "America/Belize",
    "America/Chicago",
    "America/Bahia_Banderas",
    "America/Regina",
    "America/Bogota",
    "America/Detroit",
    "America/Indiana/Marengo",
    "America/Caracas",
    "America/Asuncion",
    "America/Glace_Bay",
    "America/Campo_Grande",
    "America/Anguilla",
    "America/Santiago",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Argentina/La_Rioja",
    "America/Araguaina",
    "America/Godthab",
    "America/Montevideo",
    "America/Bahia",
    "America/Noronha",
    "America/Scoresbysund",
    "Atlantic/Cape_Verde",
    "Africa/Casablanca",
    "America/Danmarkshavn",
    "Europe/Isle_of_Man",
    "Atlantic/Canary",
    "Africa/Abidjan",
    "Arctic/Longyearbyen",
    "Europe/Belgrade",
    "Africa/Ceuta",
    "Europe/Sarajevo",
    "Africa/Algiers",
    "Africa/Windhoek",
    "Asia/Nicosia",
    "Asia/Beirut",
    "Africa/Cairo",
    "Asia/Damascus",
    "Europe/Bucharest",
    "Africa/Blantyre",
    "Europe/Helsinki",
    "Europe/Istanbul",
    "Asia/Jerusalem",
    "Africa/Tripoli",
    "Asia/Amman",
    "Asia/Baghdad",
    "Europe/Kaliningrad",
    "Asia/Aden",
    "Africa/Addis_Ababa",
    "Europe/Kirov",
    "Europe/Astrakhan",
    "Asia/Tehran",
    "Asia/Dubai",
    "Asia/Baku",
    "Indian/Mahe",
    "Asia/Tbilisi",
    "Asia/Yerevan",
    "Asia/Kabul",
    "Antarctica/Mawson",
    "Asia/Yekaterinburg",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Colombo",
    "Asia/Kathmandu",
    "Antarctica/Vostok",
    "Asia/Dhaka",
    "Asia/Rangoon",
    "Antarctica/Davis",
    "Asia/Novokuznetsk",
    "Asia/Hong_Kong",
    "Asia/Krasnoyarsk",
    "Asia/Brunei",
    "Australia/Perth",
    "Asia/Taipei",
    "Asia/Choibalsan",
    "Asia/Irkutsk",
    "Asia/Dili",
    "Asia/Pyongyang",
    "Australia/Adelaide",
    "Australia/Darwin",
    "Australia/Brisbane",
    "Australia/Melbourne",
    "Antarctica/DumontDUrville",
    "Australia/Currie",
    "Asia/Chita",
    "Antarctica/Macquarie",
    "Asia/Sakhalin",
    "Pacific/Auckland",
    "Etc/GMT-12",
    "Pacific/Fiji",
    "Asia/Anadyr",
    "Asia/Kamchatka",
    "Etc/GMT-13",
    "Pacific/Apia",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn in_03_there_are_102_zones_and_some_well_known_ones_are_missing() {
        let zones: BTreeSet<&str> = TIME_ZONES.iter().copied().collect();
        assert_eq!((zones.len(), TIME_ZONES.len()), (102, 102));
        for missing in [
            "America/New_York",
            "America/Los_Angeles",
            "Europe/London",
            "UTC",
        ] {
            assert!(!zones.contains(missing));
        }
    }
}
