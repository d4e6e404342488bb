//! Which campaign a lead belongs to: by how it was found, then by tier.

use crate::lead::Lead;
use crate::terms::Tier;

/// Price page visits from which on a lead is answered on price.
const PRICING_VISITS: u32 = 2;

/// Downloads from which on a reader counts as engaged.
const ENGAGED_DOWNLOADS: u32 = 3;

/// Name of the campaign for `lead`, which names its template.
///
/// A competitor's name in the source does not choose other words (the old router had a campaign for
/// each of four companies): a stranger is not told which company's follower list he was found on.
pub fn campaign<S: AsRef<str>>(lead: &Lead<S>, tier: Tier) -> &'static str {
    let qualified = matches!(tier, Tier::One | Tier::Two);
    let intent = &lead.intent;
    let kind = lead.source.kind.as_ref();
    if kind == "demo_requester" || intent.demo_requested {
        return "sales_qualified_fasttrack";
    }
    if intent.pricing_page_visits >= PRICING_VISITS {
        return "high_intent_pricing";
    }
    match (kind, tier) {
        ("competitor_follower", _) => "competitor_displacement",
        ("event_attendee", _) => "event_followup",
        ("webinar_registrant", _) => "webinar_followup",
        ("website_visitor", Tier::One) => "intent_based_tier1",
        ("website_visitor", Tier::Two) => "intent_based_tier2",
        ("website_visitor", _) => "intent_based_nurture",
        ("content_downloader", _) if intent.content_downloads >= ENGAGED_DOWNLOADS => {
            "content_engaged_sequence"
        }
        ("content_downloader", _) => "content_nurture",
        ("post_commenter", _) => "thought_leadership_response",
        ("group_member", _) => "community_outreach",
        ("post_liker", _) if qualified => "social_engagement_qualified",
        ("post_liker", _) => "social_nurture",
        (_, Tier::One) => "tier1_priority_outreach",
        (_, Tier::Two) => "tier2_standard_sequence",
        _ => "nurture_sequence",
    }
}
