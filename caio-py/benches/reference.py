"""The old calls in plain Python, written from their description, to be measured beside caio's.

``segment_lead`` answers as the recorded cases say, errors included (``tests/test_benches.py``,
``tests/test_quick_paths.py``), and ``segment`` makes and stamps the record as well, so that both sides
of a ratio do the same work.
"""

import dataclasses
import datetime
import hashlib
import json

C_LEVEL = "ceo cfo coo cto cmo cro chief founder co-founder".split()
VP = ["vp", "vice president", "svp", "evp", "head of"]
DIRECTOR = ["director", "sr director", "senior director"]
MANAGER = ["manager", "lead", "senior manager", "principal"]
INDUSTRIES = (
    (20, "core ICP (B2B SaaS/Software)", ["saas", "software as a service", "b2b software", "enterprise software"]),
    (15, "adjacent ICP (Tech/IT)", ["technology", "tech", "information technology", "it services"]),
    (10, "secondary ICP", ["professional services", "consulting", "fintech", "healthtech"]),
)
TITLES = (
    (25, "C-Level/Founder", "budget owner", C_LEVEL),
    (22, "VP-level", "budget influencer", VP),
    (15, "Director-level", "tactical decision-maker", DIRECTOR),
    (8, "Manager-level", "operational", MANAGER),
)
PRODUCTS = (
    (8, "crm_user", ["salesforce", "hubspot", "pipedrive", "zoho crm", "dynamics 365", "freshsales"]),
    (3, "marketing_tech", ["marketo", "pardot", "eloqua", "mailchimp", "klaviyo", "intercom"]),
    (5, "sales_tech", ["gong", "clari", "chorus", "outreach", "salesloft", "apollo", "zoominfo"]),
)
SOURCES = {
    "website_visitor": (4, "website_source"),
    "content_downloader": (6, "content_source"),
    "demo_requester": (10, "demo_source"),
    "webinar_registrant": (5, "webinar_source"),
}
BONUS = {
    "post_commenter": (5, "commented on post"),
    "event_attendee": (4, "event attendee"),
    "competitor_follower": (3, "competitor follower \u2014 displacement opportunity"),
}


def normalize_email(email):
    return (email or "").strip().lower()


def dedup_email_key(email):
    key = normalize_email(email)
    return f"email:{key}" if key else ""


def compute_preview_hash(batch):
    actions = [
        {
            "action_id": str(item.get("action_id", "")),
            "email": normalize_email(item.get("email", "")),
            "channel": str(item.get("channel", "")),
            "step": int(item.get("step", 0) or 0),
            "day": int(item.get("day", 0) or 0),
        }
        for item in batch.get("approved_cadence_actions") or []
    ]
    scope = {
        "motion": batch.get("motion"),
        "approved_shadow_email_ids": sorted(batch.get("approved_shadow_email_ids", [])),
        "approved_linkedin_shadow_ids": sorted(batch.get("approved_linkedin_shadow_ids", [])),
        "approved_revival_emails": sorted(batch.get("approved_revival_emails", [])),
        "approved_cadence_actions": sorted(actions, key=lambda item: item["action_id"]),
    }
    text = json.dumps(scope, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def score(lead, company, intent):
    total, breakdown, reasons, refused = 0, {}, [], None
    size = company.get("employee_count") or 0
    if isinstance(size, str):
        try:
            size = int(size.replace(",", "").replace("+", ""))
        except ValueError:
            size = 0
    for low, high, points, what in (
        (51, 500, 20, "ideal 51-500 sweet spot"),
        (501, 1000, 15, "mid-market"),
        (20, 50, 12, "growth-stage"),
        (10, 19, 5, "early-stage"),
        (1000.0000001, float("inf"), 10, "enterprise \u2014 slower sales cycle"),
    ):
        if low <= size <= high:
            total += points
            breakdown["company_size"] = points
            reasons.append(f"+{points}: Company size {size} employees ({what})")
            break
    if size < 10:
        refused = "Company too small (<10 employees)"
        reasons.append(f"DISQUALIFIED: Company has <10 employees ({size})")

    shown = lead.get("title") or "Unknown"
    lower = (lead.get("title") or "").lower()
    for points, words, why, keywords in TITLES:
        if any(keyword in lower for keyword in keywords):
            total += points
            breakdown["title_seniority"] = points
            reasons.append(f'+{points}: {words} title "{shown}" ({why})')
            break
    else:
        breakdown["title_seniority"] = 0
        reasons.append(f'+0: Title "{shown}" does not match decision-maker patterns')

    shown = company.get("industry") or "Unknown"
    lower = (company.get("industry") or "").lower()
    for points, why, keywords in INDUSTRIES:
        if any(keyword in lower for keyword in keywords):
            total += points
            breakdown["industry_fit"] = points
            reasons.append(f'+{points}: Industry "{shown}" is {why}')
            break
    else:
        breakdown["industry_fit"] = 0
        if shown == "Unknown":
            reasons.append("+0: Industry unknown \u2014 no data from enrichment")
        else:
            reasons.append(f'+0: Industry "{shown}" outside ICP target industries')

    names = company.get("technologies", [])
    names = [it.strip().lower() for it in names.split(",")] if isinstance(names, str) else [str(it).lower() for it in names]
    points, signals = 0, set()
    for name in names:
        for worth, signal, keywords in PRODUCTS:
            if any(keyword in name for keyword in keywords):
                points += worth
                signals.add(signal)
    points = min(points, 15)
    total += points
    breakdown["tech_stack"] = points
    if signals:
        breakdown["tech_signals"] = sorted(signals)
        reasons.append(f"+{points}: Tech stack signals \u2014 {', '.join(sorted(signals))} (sales maturity indicator)")
    else:
        reasons.append("+0: No CRM/sales/marketing tech detected in stack")

    points, types, why = 0, [], []
    visits = intent.get("website_visits", 0)
    if visits >= 5:
        points += 8
        types.append("high_web_engagement")
        why.append(f"{visits} website visits (high engagement)")
    elif visits >= 2:
        points += 4
        types.append("web_engagement")
        why.append(f"{visits} website visits")
    downloads = intent.get("content_downloads", 0)
    if downloads >= 3:
        points += 8
        types.append("content_engaged")
        why.append(f"{downloads} content downloads (highly engaged)")
    elif downloads >= 1:
        points += 4
        types.append("content_downloaded")
        why.append(f"{downloads} content download(s)")
    if intent.get("pricing_page_visits", 0) >= 1:
        points += 6
        types.append("pricing_interest")
        why.append("visited pricing page (strong buy signal)")
    if intent.get("demo_requested"):
        points += 10
        types.append("demo_requested")
        why.append("requested a demo (strongest buy signal)")
    kind = lead.get("source_type")
    if isinstance(kind, str) and kind in SOURCES:
        points += SOURCES[kind][0]
        types.append(SOURCES[kind][1])
    points = min(points, 20)
    total += points
    breakdown["intent_signals"] = points
    if types:
        breakdown["intent_types"] = types
    if why:
        reasons.append(f"+{points}: Intent signals \u2014 {'; '.join(why)}")
    else:
        reasons.append("+0: No behavioral intent signals detected")
    if isinstance(kind, str) and kind in BONUS:
        points, what = BONUS[kind]
        total += points
        breakdown["engagement_bonus"] = points
        reasons.append(f"+{points}: Social engagement bonus ({what})")
    total = min(total, 100)
    reasons.append(f"= {total}/100 total ICP score")
    return total, breakdown, reasons, refused


def campaign(lead, intent, tier):
    kind = lead.get("source_type")
    name = lead.get("source_name", "").lower()
    if kind == "demo_requester" or intent.get("demo_requested"):
        return "sales_qualified_fasttrack"
    if intent.get("pricing_page_visits", 0) >= 2:
        return "high_intent_pricing"
    if kind == "competitor_follower":
        for known in ("gong", "clari", "chorus", "outreach"):
            if known in name:
                return f"{known}_displacement"
        return "competitor_displacement"
    if kind == "website_visitor":
        return {"tier_1": "intent_based_tier1", "tier_2": "intent_based_tier2"}.get(tier, "intent_based_nurture")
    if kind == "content_downloader":
        return "content_engaged_sequence" if intent.get("content_downloads", 0) >= 3 else "content_nurture"
    if kind == "post_liker":
        return "social_engagement_qualified" if tier in ("tier_1", "tier_2") else "social_nurture"
    fixed = {
        "event_attendee": "event_followup",
        "webinar_registrant": "webinar_followup",
        "post_commenter": "thought_leadership_response",
        "group_member": "community_outreach",
    }
    if isinstance(kind, str) and kind in fixed:
        return fixed[kind]
    return {"tier_1": "tier1_priority_outreach", "tier_2": "tier2_standard_sequence"}.get(tier, "nurture_sequence")


def hooks(lead, company):
    found = []
    kind, name = lead.get("source_type"), lead.get("source_name", "")
    if kind == "post_commenter":
        found.append("Reference their comment on LinkedIn")
    elif kind == "event_attendee":
        found.append(f"Mention {name} event they attended")
    elif kind == "competitor_follower":
        found.append(f"Reference their interest in {name}")
    elif kind == "group_member":
        found.append(f"Connect as fellow {name} member")
    if company.get("technologies"):
        found.append("Reference their tech stack")
    if company.get("revenue_estimate", 0) > 10_000_000:
        found.append("Mention growth stage messaging")
    title = lead.get("title", "").lower()
    if "cro" in title or "chief" in title:
        found.append("Use executive-level messaging")
    elif "director" in title:
        found.append("Focus on operational value")
    return found


@dataclasses.dataclass
class Segmented:
    """The record that the old call made of each lead."""

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
    disqualification_reason: "str | None"
    needs_review: bool
    email: "str | None"
    company_size: int
    industry: str
    recommended_campaign: str
    personalization_hooks: list
    segmented_at: str
    original_lead: dict


def segment(lead):
    """All that the old call did for a lead: it also made the record and stamped it."""
    company, intent, contact = lead.get("company", {}), lead.get("intent", {}), lead.get("contact", {})
    total, breakdown, reasons, refused = score(lead, company, intent)
    tier = "tier_1" if total >= 80 else "tier_2" if total >= 60 else "tier_3" if total >= 40 else "tier_4"
    warmth = intent.get("intent_score", 0)
    tags = [tier, lead.get("source_type", "unknown")]
    if lead.get("source_name"):
        tags.append("from_" + lead["source_name"].lower().replace(" ", "_"))
    if company.get("industry"):
        tags.append("industry_" + company["industry"].lower().replace(" ", "_")[:20])
    for least, tag in ((80, "hot_intent"), (60, "warm_intent"), (40, "cool_intent")):
        if warmth >= least:
            tags.append(tag)
            break
    if contact.get("work_email"):
        tags.append("has_email")
    recommended, ways = campaign(lead, intent, tier), hooks(lead, company)
    original = lead.get("original_lead", {})
    if original:
        name, title = original.get("first_name", "") + " " + original.get("last_name", ""), original.get("title", "")
    else:
        name, title = lead.get("name", ""), lead.get("title", "")
    return Segmented(
        lead_id=lead.get("lead_id", ""),
        linkedin_url=lead.get("linkedin_url", ""),
        name=name,
        title=title,
        company=company.get("name", ""),
        icp_score=total,
        icp_tier=tier,
        intent_score=warmth,
        source_type=lead.get("source_type", ""),
        source_name=lead.get("source_name", ""),
        segment_tags=tags,
        score_breakdown=breakdown,
        scoring_reasons=reasons,
        disqualification_reason=refused,
        needs_review=70 <= total <= 85,
        email=contact.get("work_email") or contact.get("verified_email") or lead.get("email"),
        company_size=company.get("employee_count", 0),
        industry=company.get("industry", ""),
        recommended_campaign=recommended,
        personalization_hooks=ways,
        segmented_at=datetime.datetime.now(datetime.timezone.utc).isoformat(),
        original_lead=original,
    )


def segment_lead(lead):
    """The members that ``caio_py.compat.segment_lead`` answers."""
    members = vars(segment(lead))
    del members["segmented_at"], members["original_lead"]
    return members
