"""What the service is measured beside: a bare application with one middleware that does the same check."""

import os

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.middleware.base import BaseHTTPMiddleware

TOKEN = os.environ["DASHBOARD_AUTH_TOKEN"]
TAGS = ["personalization_mismatch", "icp_mismatch", "campaign_mismatch", "tone_style_issue", "factual_inaccuracy",
        "weak_subject", "weak_cta", "length_issue", "compliance_issue", "placeholder_or_rendering_issue",
        "queue_hygiene_non_actionable", "other"]


class Auth(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        path = request.url.path
        if path.startswith("/api/") and path != "/api/health/ready":
            if request.headers.get("x-dashboard-token") != TOKEN:
                return JSONResponse({"detail": "Unauthorized"}, status_code=401)
        return await call_next(request)


app = FastAPI()
app.add_middleware(Auth)


@app.get("/api/health/ready")
async def ready():
    return {"status": "ready"}


@app.get("/api/rejection-tags")
async def tags():
    return {"tags": TAGS}
