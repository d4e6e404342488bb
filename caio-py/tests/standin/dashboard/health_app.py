import os

_ALWAYS = {"/api/health", "/api/health/live", "/api/health/ready"}


def _categorize_rejection(reason: str) -> str:
    return "tone_issue" if "tone" in (reason or "") else "other"


def _priority_to_tier(priority) -> str:
    return {"high": "tier_1", "medium": "tier_2"}.get((priority or "").strip().lower(), "tier_3")


def _normalize_path(path: str) -> str:
    path = "/" + (path or "").strip().strip("/")
    return path


def _load_api_auth_allowlist():
    extra = os.getenv("DASHBOARD_AUTH_ALLOWLIST") or ""
    return _ALWAYS | {_normalize_path(it) for it in extra.split(",") if it.strip()}


API_AUTH_ALLOWLIST = _load_api_auth_allowlist()


def _is_token_strict_mode() -> bool:
    return os.getenv("DASHBOARD_AUTH_STRICT") == "1"


def _token_is_valid(token) -> bool:
    configured = os.getenv("DASHBOARD_AUTH_TOKEN")
    return token == configured if configured else not _is_token_strict_mode()


def _is_auth_exempt_path(path: str) -> bool:
    return _normalize_path(path) in API_AUTH_ALLOWLIST
