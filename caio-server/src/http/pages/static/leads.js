// Everybody who is known, and what happened with them.

import { button, el, fail, fill, get, live, shown, table, tile, when } from "/static/app.js";

let leads = [];
const filter = { status: "", search: "" };

const NAMES = {
  pipeline: "Pipeline", outreach: "Outreach", engagement: "Engaged", decay: "At risk", terminal: "Ended", linkedin: "LinkedIn", revival: "Revival",
};

async function showFunnel() {
  const funnel = await get("/api/leads/funnel");
  const stages = Object.entries(NAMES).filter(([key]) => funnel[key]);
  fill("funnel", tile("All leads", funnel.total_leads), stages.map(([key, name]) => {
    const total = Object.values(funnel[key]).reduce((sum, it) => sum + (Number(it) || 0), 0);
    const parts = Object.entries(funnel[key]).map(([stage, count]) => `${stage.replaceAll("_", " ")} ${count}`).join(", ");
    const made = tile(name, total);
    made.append(el("span", { class: "soft", text: parts }));
    return made;
  }));
}

function showTable() {
  const wanted = filter.search.toLowerCase();
  const found = leads.filter((it) =>
    (!filter.status || it.status === filter.status) &&
    (!wanted || [it.name, it.email, it.company, it.title].some((text) => String(text ?? "").toLowerCase().includes(wanted))));
  const columns = [
    { name: "Name", show: (it) => [el("div", { text: shown(it.name, "") }), el("div", { class: "soft", text: it.email })] },
    { name: "Company", show: (it) => [el("div", { text: shown(it.company, "") }), el("div", { class: "soft", text: shown(it.title, "") })] },
    { name: "Tier", show: (it) => shown(it.icp_tier, "") },
    { name: "Score", number: true, show: (it) => shown(it.icp_score, "") },
    { name: "Opens", number: true, show: (it) => shown(it.open_count, "0") },
    { name: "Replies", number: true, show: (it) => shown(it.reply_count, "0") },
    { name: "Status", show: (it) => shown(it.status, "").replaceAll("_", " ") },
    { name: "", show: (it) => button("Timeline", "", () => timeline(it.email)) },
  ];
  fill("leads", table(columns, found.slice(0, 500), "Nobody fits."),
    found.length > 500 ? el("p", { class: "soft", text: `${found.length} fit; the first 500 are shown.` }) : null);
}

async function timeline(email) {
  const found = await get(`/api/leads/${encodeURIComponent(email)}/timeline`);
  const columns = [
    { name: "When", show: (it) => when(it.timestamp) },
    { name: "Channel", show: (it) => shown(it.channel, "") },
    { name: "What", show: (it) => shown(it.summary ?? it.type, "") },
  ];
  const dialog = el("dialog", { "aria-labelledby": "timeline-title" },
    el("h2", { id: "timeline-title", text: email }),
    table(columns, found.timeline ?? [], "Nothing has happened yet."),
    el("p", { class: "row" }, el("button", { type: "button", text: "Close", on: { click: () => dialog.close() } })));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

async function refresh() {
  const answer = await get("/api/leads");
  leads = Array.isArray(answer) ? answer : answer.leads;
  const statuses = [...new Set(leads.map((it) => it.status))].sort();
  const select = document.getElementById("status");
  select.replaceChildren(el("option", { value: "", text: "all" }), ...statuses.map((it) => el("option", { value: it, text: String(it).replaceAll("_", " ") })));
  select.value = filter.status;
  showTable();
  await showFunnel();
}

document.getElementById("status").addEventListener("change", (event) => { filter.status = event.target.value; showTable(); });
document.getElementById("search").addEventListener("input", (event) => { filter.search = event.target.value; showTable(); });
await live(() => refresh().catch(fail));
