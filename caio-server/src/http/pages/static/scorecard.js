// The measures, each real or "no data".

import { button, el, fail, fill, get, live, post, say, shown, table, when } from "/static/app.js";

const STATUS = { on_track: "good", at_risk: "warn", off_track: "bad" };

async function refresh() {
  const page = await get("/api/scorecard");
  const groups = Object.entries(page.scorecard?.metrics_by_category ?? {});
  const columns = [
    { name: "Measure", show: (it) => [el("div", { text: it.name }), el("div", { class: "soft", text: shown(it.description, "") })] },
    { name: "Now", number: true, show: (it) => shown(it.value) },
    { name: "Target", number: true, show: (it) => shown(it.target, "") },
    { name: "", show: (it) => el("span", { class: STATUS[it.status], text: shown(it.status, "no data").replaceAll("_", " ") }) },
  ];
  fill("measures", groups.map(([name, measures]) => [el("h3", { text: name }), table(columns, measures, "No measure.")]).flat());
  const constraint = page.constraint;
  fill("constraint", constraint
    ? el("p", { text: `${constraint.metric_name}: ${constraint.current_value} of ${constraint.target_value}. ${shown(constraint.recommended_action, "")}` })
    : el("p", { class: "soft", text: "No data, or everything is on track." }),
    el("p", { class: "row soft" }, "last computed ", when(page.last_refresh),
      button("Compute now", "", async () => { await post("/api/scorecard/refresh", {}); say("Computed."); await refresh(); })));
}

await live(() => refresh().catch(fail));
