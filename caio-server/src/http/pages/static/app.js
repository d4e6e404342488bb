// What every page shares: asking the API, making elements, the stop button, news from the server.
// Whatever comes from a lead is put on the page as text, never as markup.

/** An error that the API explained. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ? String(body.detail) : `the server answered ${status}`);
    this.status = status;
    this.body = body;
  }
}

/** Asks the API; leads to the login when the session has ended. */
export async function ask(method, path, body) {
  const headers = { accept: "application/json" };
  if (method !== "GET") {
    headers["content-type"] = "application/json";
    headers["idempotency-key"] = crypto.randomUUID();
  }
  const response = await fetch(path, {
    method, headers, credentials: "same-origin", cache: "no-store",
    body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
  });
  if (response.status === 401) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
    throw new Problem(401, { detail: "the session has ended" });
  }
  const text = await response.text();
  let answer = {};
  try { answer = text ? JSON.parse(text) : {}; } catch { answer = { detail: "the answer cannot be read" }; }
  if (!response.ok) throw new Problem(response.status, answer);
  return answer;
}

export const get = (path) => ask("GET", path);
export const post = (path, body) => ask("POST", path, body);

/** An element; `text` and children that are strings become text. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") {
      for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    } else if (key === "text") {
      element.textContent = String(value);
    } else {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

/** Puts `children` in place of what `id` held. What would look the same stays, with its focus. */
export function fill(id, ...children) {
  const place = document.getElementById(id);
  if (!place) return;
  const next = el("div", {}, children);
  if (next.innerHTML !== place.innerHTML) place.replaceChildren(...next.childNodes);
}

/** A table, or a sentence when there is nothing. */
export function table(columns, rows, nothing) {
  if (rows.length === 0) return el("p", { class: "soft", text: nothing });
  const head = el("tr", {}, columns.map((it) => el("th", { scope: "col", class: it.number ? "number" : null, text: it.name })));
  const body = rows.map((row) =>
    el("tr", {}, columns.map((it) => el("td", { class: it.number ? "number" : null }, it.show(row)))));
  return el("div", { class: "scroll" }, el("table", {}, el("thead", {}, head), el("tbody", {}, body)));
}

export const shown = (value, nothing = "no data") =>
  value === null || value === undefined || value === "" ? nothing : String(value);

/** An instant in the reader's own time. */
export function when(text) {
  const instant = new Date(text ?? "");
  if (Number.isNaN(instant.getTime())) return shown(text, "");
  return el("time", { datetime: text, title: text, text: instant.toLocaleString() });
}

export function tile(name, value, kind) {
  return el("div", { class: "tile" }, el("span", { class: "soft", text: name }), el("strong", { class: kind, text: shown(value) }));
}

/** Says what happened, for everybody: screen readers too. */
export function say(text) {
  fill("said", text);
  fill("failed");
}

export function fail(error) {
  const hint = error.body?.hint ? ` (${error.body.hint})` : "";
  fill("failed", `${error.message}${hint}`);
}

/** A button that cannot be pressed twice and says what went wrong. */
export function button(text, kind, work) {
  const made = el("button", { type: "button", class: kind, text });
  made.addEventListener("click", async () => {
    made.disabled = true;
    try { await work(); } catch (error) { fail(error); } finally { made.disabled = false; }
  });
  return made;
}

/** A dialog that asks for words; answers them, or null. */
export function asked(title, label, { expected = null, initial = "" } = {}) {
  return new Promise((answer) => {
    const input = el("input", { type: "text", id: "asked-text", value: initial, autocomplete: "off" });
    const dialog = el("dialog", { "aria-labelledby": "asked-title" },
      el("form", { method: "dialog" },
        el("h2", { id: "asked-title", text: title }),
        el("label", { for: "asked-text", text: label }), input,
        el("p", { class: "row" },
          el("button", { value: "yes", class: "yes", text: "Go on" }),
          el("button", { value: "no", type: "submit", formnovalidate: true, text: "Cancel" }))));
    dialog.addEventListener("close", () => {
      const said = dialog.returnValue === "yes" && (expected === null || input.value === expected);
      answer(said ? input.value : null);
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
    input.focus();
  });
}

async function showStop() {
  const standing = await get("/api/stop");
  const place = document.getElementById("stopped");
  place.hidden = !standing.stopped;
  const flag = standing.flag;
  place.textContent = !standing.stopped ? "" : flag
    ? `Stopped by ${flag.by}: ${shown(flag.reason, "no reason given")}. Nothing is sent.`
    : "Stopped by the environment of the server. Nothing is sent.";
  const stop = button("Stop all sending", "stop", async () => {
    const reason = await asked("Stop all sending", "Why? It stands in the record.");
    if (reason === null) return;
    const reached = await post("/api/stop", { reason });
    const open = Object.entries(reached.halted).filter(([, it]) => it.error).map(([who, it]) => `${who}: ${it.error}`);
    if (reached.complete) say("Stopped. Nothing sends at any provider; that was looked up afterwards.");
    else fail(new Error(`Nothing new is sent, but: ${open.join("; ")}`));
    await showStop();
  });
  const resume = button("Allow sending again", "", async () => {
    if ((await asked("Allow sending again", "Type RESUME", { expected: "RESUME" })) === null) return;
    await post("/api/resume", {});
    say("Sending is allowed again. What was paused at the providers stays paused.");
    await showStop();
  });
  fill("stop", standing.stopped && flag ? resume : stop);
}

/**
 * Runs `refresh` now, when the server has news, and every half minute where news cannot arrive. While
 * everything that was heard is shown, the page has `data-shown`: how often it was told how much waits.
 */
export function live(refresh) {
  const page = document.documentElement.dataset;
  let told = 0;
  let running = 0;
  let soon = null;
  const all = async () => {
    running += 1;
    delete page.shown;
    try { await Promise.all([showStop(), refresh()]); } catch (error) { fail(error); }
    running -= 1;
    if (running === 0 && soon === null) page.shown = String(told);
  };
  const later = (it) => {
    if (it.type === "pending") told += 1;
    delete page.shown;
    soon ??= setTimeout(() => { soon = null; all(); }, 500);
  };
  const news = new EventSource("/api/events");
  news.onmessage = later;
  for (const kind of ["event", "stop", "pending"]) news.addEventListener(kind, later);
  news.onopen = () => { page.live = "true"; };
  news.onerror = () => { page.live = "false"; };
  setInterval(all, 30000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) all(); });
  return all();
}
