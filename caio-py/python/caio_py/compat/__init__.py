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

# `typing` takes longer to import than everything here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from ._install import Installed


def install(
    mode: str = "shadow",
    only: "Iterable[str] | None" = None,
    report: "str | os.PathLike[str] | None" = None,
) -> "Installed":
    """Binds caio's functions over the old modules, now or as they are imported.

    ``shadow`` runs both and returns the old answer; every difference goes to ``report`` (JSON lines,
    default ``CAIO_SHADOW_REPORT`` or ``caio-shadow.jsonl``) with function, digest of the input, both
    answers and the time that each took. A failure of caio's is recorded and never raised.
    ``replace`` returns caio's answer. ``only`` names functions, classes or modules, such as
    ``"core.state_store.normalize_email"`` or ``"execution.segmentor_classify"``.

    Raises ``InvalidInput`` for an unknown mode or name. Installing again takes the place of what was
    installed before; ``uninstall`` undoes it.
    """
    from ._install import install as bind

    return bind(mode, only, report)


def uninstall() -> None:
    """Gives the old modules their own functions back."""
    from ._install import uninstall as unbind

    unbind()


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
    "install",
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
    "uninstall",
    "validate_batch",
    "warmup_schedule",
]
