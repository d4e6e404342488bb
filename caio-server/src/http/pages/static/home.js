// Where everything stands.

import { el, fail, fill, get, live, shown, table, tile, when } from "/static/app.js";

const part = (work) => work().catch((error) => { fail(error); });

async function showHealth() {
  const health = await get("/api/health");
  const checks = Object.entries(health.checks ?? {});
  fill("health",
    tile("Service", health.status, health.status === "healthy" ? "good" : "bad"),
    checks.map(([name, says]) => tile(name, says, says === "ok" ? "good" : "bad")));
}

async function showDay() {
  const status = await get("/api/operator/status");
  fill("day",
    tile("E-mails left today", status.limits?.email_remaining),
    tile("LinkedIn left today", status.limits?.linkedin_remaining),
    tile("E-mails today", status.today?.outbound_email),
    tile("Follow-ups today", status.today?.cadence),
    tile("Revivals today", status.today?.revival));
}

async function showUnknown() {
  const page = await get("/api/ledger?state=unknown&limit=20");
  const entries = page.entries ?? page.ledger ?? [];
  const columns = [
    { name: "Delivery", show: (it) => it.id },
    { name: "Batch", show: (it) => it.batch },
    { name: "Where", show: (it) => shown(it.container?.name, "") },
    { name: "Why", show: (it) => shown(it.reason, "") },
  ];
  fill("unknown", table(columns, entries, "None: of every delivery it is known what became of it."));
}

async function showAlerts() {
  const page = await get("/api/alerts");
  const columns = [
    { name: "When", show: (it) => when(it.at ?? it.created_at) },
    { name: "Level", show: (it) => shown(it.level) },
    { name: "What", show: (it) => shown(it.title ?? it.message ?? it.subject) },
  ];
  fill("alerts", table(columns, page.alerts ?? [], "None."));
}

async function showHistory() {
  const page = await get("/api/history?limit=20");
  const columns = [
    { name: "When", show: (it) => when(it.at) },
    { name: "Who", show: (it) => it.by },
    { name: "What", show: (it) => it.kind },
    { name: "About", show: (it) => it.subject },
    { name: "", show: (it) => shown(it.detail, "") },
  ];
  fill("history", table(columns, page.events ?? page.history ?? [], "Nothing has happened yet."));
}

await live(() => Promise.all([showHealth, showDay, showUnknown, showAlerts, showHistory].map(part)));
