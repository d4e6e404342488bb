"""caio for Python scripts.

``caio_py`` decides as caio does; ``caio_py.compat`` answers as the Python system does that caio
replaces, bit for bit, so that a script can swap one function at a time.
"""

from . import compat
from ._caio_py import (
    CadenceEngine,
    LeadBatch,
    LeadStatusManager,
    StateStore,
    __version__,
    cadence_action_id,
    cadence_email_hash,
    compute_preview_hash,
    dedup_email_key,
    is_lead_eligible,
    normalize_email,
    ramp_status,
    record_file_name,
    rejection,
    segment_lead,
    segment_leads,
    validate_batch,
    warmup_schedule,
)
from ._errors import (
    BatchInvalid,
    CaioBug,
    CaioError,
    InvalidInput,
    LeadSourceError,
    StateConflict,
    StateCorrupt,
    StateError,
    StateUnavailable,
    WrongType,
)

__all__ = [
    "BatchInvalid",
    "CadenceEngine",
    "CaioBug",
    "CaioError",
    "InvalidInput",
    "LeadBatch",
    "LeadSourceError",
    "LeadStatusManager",
    "StateConflict",
    "StateCorrupt",
    "StateError",
    "StateStore",
    "StateUnavailable",
    "WrongType",
    "__version__",
    "cadence_action_id",
    "cadence_email_hash",
    "compat",
    "compute_preview_hash",
    "dedup_email_key",
    "is_lead_eligible",
    "normalize_email",
    "ramp_status",
    "record_file_name",
    "rejection",
    "segment_lead",
    "segment_leads",
    "validate_batch",
    "warmup_schedule",
]
