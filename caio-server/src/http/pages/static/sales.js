// The reviewer's page: what waits, what goes out together, what was sent.

import { asked, button, el, fail, fill, get, live, post, say, shown, table, tile, when } from "/static/app.js";

const filter = { tier: "", search: "", cursors: [] };
let tags = [];

function ago(text) {
  const hours = Math.floor((Date.now() - new Date(text).getTime()) / 3600000);
  return Number.isNaN(hours) ? "" : hours < 1 ? "less than an hour ago" : hours < 48 ? `${hours} hours ago` : `${Math.floor(hours / 24)} days ago`;
}

function left(text) {
  const minutes = Math.floor((new Date(text).getTime() - Date.now()) / 60000);
  if (Number.isNaN(minutes)) return "its expiry cannot be read";
  return minutes <= 0 ? "expired" : minutes < 120 ? `expires in ${minutes} minutes` : `expires in ${Math.floor(minutes / 60)} hours`;
}

async function showQueue() {
  const query = new URLSearchParams({ status: "pending", limit: "50" });
  if (filter.tier) query.set("tier", filter.tier);
  if (filter.search) query.set("search", filter.search);
  const cursor = filter.cursors.at(-1);
  if (cursor) query.set("cursor", cursor);
  const page = await get(`/api/drafts?${query}`);
  const columns = [
    { name: "Score", number: true, show: (it) => shown(it.score) },
    { name: "Tier", show: (it) => it.tier },
    { name: "Who", show: (it) => [el("div", { text: shown(it.name, it.to) }), el("div", { class: "soft", text: shown(it.company, "") })] },
    { name: "Subject", show: (it) => it.subject },
    { name: "Waits since", show: (it) => ago(it.created_at) },
    { name: "", show: (it) => button("Review", "", () => review(it.id)) },
  ];
  fill("queue", table(columns, page.drafts, "Nothing waits for a decision."),
    el("p", { class: "row" },
      filter.cursors.length ? button("Previous", "", async () => { filter.cursors.pop(); await showQueue(); }) : null,
      page.next ? button("Next", "", async () => { filter.cursors.push(page.next); await showQueue(); }) : null));
}

async function review(id) {
  const { draft, content, lead, history } = await get(`/api/drafts/${encodeURIComponent(id)}`);
  const subject = el("input", { type: "text", id: "draft-subject", value: draft.subject });
  const body = el("textarea", { id: "draft-body" });
  body.value = draft.body;
  const tag = el("select", { id: "draft-tag" }, el("option", { value: "", text: "what is wrong" }), tags.map((it) => el("option", { value: it, text: it.replaceAll("_", " ") })));
  const reason = el("input", { type: "text", id: "draft-reason", placeholder: "in words" });
  const problem = el("p", { role: "alert" });
  const dialog = el("dialog", { "aria-labelledby": "draft-title" });
  const decide = (text, kind, work) => {
    const made = el("button", { type: "button", class: kind, text });
    made.addEventListener("click", async () => {
      made.disabled = true;
      problem.textContent = "";
      try { say(await work()); dialog.close(); await refresh(); }
      catch (error) { problem.textContent = error.message + (error.body?.hint ? ` (${error.body.hint})` : ""); }
      finally { made.disabled = false; }
    });
    return made;
  };
  const approve = decide("Approve", "yes", async () => {
    const changed = { seen: content };
    if (subject.value !== draft.subject) changed.subject = subject.value;
    if (body.value !== draft.body) changed.edited_body = body.value;
    const answer = await post(`/api/emails/${encodeURIComponent(id)}/approve`, changed);
    return `${shown(draft.name, draft.to)}: ${answer.message}`;
  });
  const reject = decide("Reject", "no", async () => {
    const answer = await post(`/api/emails/${encodeURIComponent(id)}/reject`, { rejection_tag: tag.value, reason: reason.value });
    return `${shown(draft.name, draft.to)}: rejected as ${answer.rejection_tag.replaceAll("_", " ")}`;
  });
  const reasons = lead?.reasons ?? [];
  dialog.append(
    el("h2", { id: "draft-title", text: `${shown(draft.name, "")} <${draft.to}>` }),
    el("p", { class: "soft", text: [draft.company, draft.tier, `score ${draft.score}`, draft.campaign].filter(Boolean).join(" · ") }),
    (draft.flags ?? []).length ? el("p", { class: "warn", text: `Look at: ${draft.flags.join("; ")}` }) : "",
    el("label", { for: "draft-subject", text: "Subject" }), subject,
    el("label", { for: "draft-body", text: "Text, exactly as it will be sent" }), body,
    problem,
    el("p", { class: "row" }, approve, el("button", { type: "button", text: "Close", on: { click: () => dialog.close() } })),
    el("p", { class: "row" }, el("label", { for: "draft-tag", text: "Or no:" }), tag, reason, reject),
    el("h3", { text: "Why this person" }),
    reasons.length ? el("ul", {}, reasons.map((it) => el("li", { text: it }))) : el("p", { class: "soft", text: "no data" }),
    el("h3", { text: "What happened" }),
    table([{ name: "When", show: (it) => when(it.at) }, { name: "Who", show: (it) => it.by }, { name: "What", show: (it) => it.kind }, { name: "", show: (it) => shown(it.detail, "") }], history, "Nothing yet."),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

async function showBatches() {
  const [pending, approved, executing, unknown] = await Promise.all(
    ["pending", "approved", "executing", "unknown"].map((status) => get(`/api/batches?status=${status}&limit=10`)));
  const all = [...pending.batches, ...approved.batches, ...executing.batches, ...unknown.batches];
  const cards = all.map((batch) => el("div", { class: "card" },
    el("h3", { text: `${batch.id}: ${batch.items.length} messages, ${batch.motion}, ${batch.status}` }),
    el("p", { class: "soft" }, `made ${ago(batch.created_at)}, ${left(batch.expires_at)}`),
    el("p", { class: "row" }, button("Show every message", "", () => batchDialog(batch.id)))));
  fill("batches", cards.length ? cards : el("p", { class: "soft", text: "No batch is open." }),
    el("p", { class: "row" }, button("Make a batch of what is approved", "", async () => {
      const made = await post("/api/batches", {});
      const outside = made.refused.map((it) => `${it.recipient}: ${it.reasons.join(", ")}`);
      say(`${made.batch.id} holds ${made.batch.items.length} messages.${outside.length ? ` Left out: ${outside.join("; ")}` : ""}`);
      await refresh();
      await batchDialog(made.batch.id);
    })));
}

async function batchDialog(id) {
  const { batch, messages } = await get(`/api/batches/${encodeURIComponent(id)}`);
  const dialog = el("dialog", { "aria-labelledby": "batch-title" });
  const problem = el("p", { role: "alert" });
  const act = (text, kind, work) => {
    const made = el("button", { type: "button", class: kind, text });
    made.addEventListener("click", async () => {
      made.disabled = true;
      problem.textContent = "";
      try { const words = await work(); if (words) { say(words); dialog.close(); await refresh(); } }
      catch (error) {
        const changes = error.body?.changes ?? [];
        problem.textContent = `${error.message}${changes.length ? `: ${changes.join("; ")}` : ""}`;
      } finally { made.disabled = false; }
    });
    return made;
  };
  const base = `/api/batches/${encodeURIComponent(id)}`;
  const buttons = [];
  if (batch.status === "pending") {
    buttons.push(act("Approve exactly this", "yes", async () => {
      await post(`${base}/approve`, { digest: batch.digest });
      return `${id} is approved and sealed. Nothing is sent before it is dispatched.`;
    }));
  }
  if (batch.status === "pending" || batch.status === "approved") {
    buttons.push(act(batch.status === "pending" ? "Reject" : "Take the approval back", "no", async () => {
      const reason = await asked("Why?", "It stands in the record.");
      if (reason === null) return null;
      await post(`${base}/${batch.status === "pending" ? "reject" : "revoke"}`, { reason });
      return `${id} will not be sent.`;
    }));
  }
  if (batch.status === "approved") {
    buttons.push(act("Dispatch", "stop", async () => {
      const typed = await asked(`Send ${batch.items.length} messages`, `Type SEND ${batch.items.length}`, { expected: `SEND ${batch.items.length}` });
      if (typed === null) return null;
      const report = await post("/api/operator/trigger", { dry_run: false, motion: batch.motion });
      const errors = report.errors ?? [];
      if (errors.length) throw new Error(errors.join("; "));
      return `${id}: ${report.run_id} has run; look at its outcome below.`;
    }));
  }
  dialog.append(
    el("h2", { id: "batch-title", text: `${id}: ${batch.items.length} messages` }),
    el("p", { class: "soft", text: `${batch.motion}, ${batch.status}, ${left(batch.expires_at)}; at most ${batch.limits.email_per_day} e-mails a day` }),
    el("p", { class: "digest", text: `digest ${batch.digest}` }),
    batch.seal ? el("p", { text: `approved by ${batch.seal.approved_by}` }, " ", when(batch.seal.approved_at)) : "",
    problem,
    el("p", { class: "row" }, buttons, el("button", { type: "button", text: "Close", on: { click: () => dialog.close() } })),
    messages.map((message, at) => el("div", {},
      el("h3", { text: `${at + 1}. ${shown(message.to, "")}${message.changed ? " (CHANGED since)" : ""}` }),
      el("div", { text: shown(message.subject, "") }),
      el("pre", { text: shown(message.body, "") }))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

async function showDay() {
  const status = await get("/api/operator/status");
  const ramp = status.ramp ?? {};
  fill("day",
    tile("E-mails left today", status.limits?.email_remaining),
    tile("LinkedIn left today", status.limits?.linkedin_remaining),
    tile("Sent today", status.today?.outbound_email),
    tile("Ramp", ramp.active ? `day ${ramp.day}, ${shown(ramp.tier_filter, "all tiers")}` : "not active"));
}

async function showHistory() {
  const columns = [
    { name: "When", show: (it) => when(it.started_at ?? it.at) },
    { name: "Run", show: (it) => shown(it.run_id ?? it.subject, "") },
    { name: "Motion", show: (it) => shown(it.motion, "") },
    { name: "What became of it", show: (it) => shown(it.status ?? it.detail ?? (it.errors ?? []).join("; "), "") },
  ];
  const runs = await get("/api/operator/history?limit=20");
  fill("runs", table(columns, Array.isArray(runs) ? runs : runs.history ?? [], "Nothing was dispatched yet."));
}

async function refresh() {
  const parts = await Promise.allSettled([showDay(), showBatches(), showQueue(), showHistory()]);
  const failed = parts.find((it) => it.status === "rejected");
  if (failed) fail(failed.reason);
}

document.getElementById("search").addEventListener("change", (event) => {
  filter.search = event.target.value; filter.cursors = []; showQueue().catch(fail);
});
document.getElementById("tier").addEventListener("change", (event) => {
  filter.tier = event.target.value; filter.cursors = []; showQueue().catch(fail);
});
tags = (await get("/api/rejection-tags")).tags;
await live(refresh);
