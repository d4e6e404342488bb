from datetime import date


class DailyCeilingTracker:
    def __init__(self):
        self._state = {"campaigns_created": [{"name": f"t1_pipeline_{date.today():%Y%m%d}_v1"}]}


class InstantlyDispatcher:
    def __init__(self):
        self.ceiling = DailyCeilingTracker()

    def _generate_campaign_name(self, tier: str, source: str = "pipeline") -> str:
        prefix = f"{tier.replace('tier_', 't')}_{source}_{date.today():%Y%m%d}"
        made = self.ceiling._state["campaigns_created"]
        return f"{prefix}_v{1 + sum(it['name'].startswith(prefix) for it in made)}"

    def _map_to_instantly_lead(self, shadow_email):
        return {"email": shadow_email["to"]}
