from datetime import date


class Ceiling:
    _state = {"lists_created": []}


class HeyReachDispatcher:
    ceiling = Ceiling()

    def _generate_list_name(self, tier: str) -> str:
        return f"caio_{tier.replace('tier_', 't')}_{date.today():%Y%m%d}_v1"

    def _map_to_heyreach_lead(self, shadow_email):
        raise KeyError("recipient_data")
