from dataclasses import dataclass
from datetime import datetime, timezone


@dataclass
class SegmentedLead:
    lead_id: str
    linkedin_url: str
    name: str
    title: str
    company: str
    icp_score: int
    icp_tier: str
    intent_score: int
    source_type: str
    source_name: str
    segment_tags: list
    score_breakdown: dict
    scoring_reasons: list
    disqualification_reason: str
    needs_review: bool
    email: str
    company_size: int
    industry: str
    recommended_campaign: str
    personalization_hooks: list
    segmented_at: str
    original_lead: dict


class LeadSegmentor:
    DEFAULT_TIER_THRESHOLDS = {"tier_1": 80}

    def __init__(self):
        self.tier_thresholds = dict(self.DEFAULT_TIER_THRESHOLDS)

    def segment_lead(self, lead):
        breakdown = {"tech_signals": ["sales_tech", "crm_user"]}
        reasons = ["+13: Tech stack signals \u2014 sales_tech, crm_user (sales maturity indicator)"]
        return SegmentedLead(
            "", "", "", lead["title"], "", 13, "tier_4", 0, "", "", [], breakdown, reasons, None, False, None, 0, "",
            "", [], datetime.now(timezone.utc).isoformat(), {},
        )  # fmt: skip
