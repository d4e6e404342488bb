"""The decisions of the Python system, bit for bit, and the way to put caio in their place.

Functions answer, and raise, as the old ones did; each docstring names the defects that it keeps
(``docs/parity.md``) and the corrected function beside it. ``install`` binds them over the old
modules as a script imports them.
"""

from .._caio_py import (
    cadence_action_id,
    cadence_email_hash,
    compute_preview_hash,
    dedup_email_key,
    normalize_email,
)
from .._caio_py import compat_auth_allowlist as auth_allowlist
from .._caio_py import compat_categorize_rejection as categorize_rejection
from .._caio_py import compat_email_to_filename as email_to_filename
from .._caio_py import compat_heyreach_lead as heyreach_lead
from .._caio_py import compat_heyreach_list_name as heyreach_list_name
from .._caio_py import compat_instantly_campaign_name as instantly_campaign_name
from .._caio_py import compat_instantly_lead as instantly_lead
from .._caio_py import compat_is_auth_exempt_path as is_auth_exempt_path
from .._caio_py import compat_is_lead_eligible as is_lead_eligible
from .._caio_py import compat_is_strict as is_strict
from .._caio_py import compat_migrate_legacy_dedup as migrate_legacy_dedup
from .._caio_py import compat_normalize_path as normalize_path
from .._caio_py import compat_priority_to_tier as priority_to_tier
from .._caio_py import compat_ramp_status as ramp_status
from .._caio_py import compat_segment_lead as segment_lead
from .._caio_py import compat_token_is_valid as token_is_valid
from .._caio_py import compat_validate_batch as validate_batch
from .._caio_py import compat_warmup_schedule as warmup_schedule

__all__ = [
    "auth_allowlist",
    "cadence_action_id",
    "cadence_email_hash",
    "categorize_rejection",
    "compute_preview_hash",
    "dedup_email_key",
    "email_to_filename",
    "heyreach_lead",
    "heyreach_list_name",
    "instantly_campaign_name",
    "instantly_lead",
    "is_auth_exempt_path",
    "is_lead_eligible",
    "is_strict",
    "migrate_legacy_dedup",
    "normalize_email",
    "normalize_path",
    "priority_to_tier",
    "ramp_status",
    "segment_lead",
    "token_is_valid",
    "validate_batch",
    "warmup_schedule",
]
