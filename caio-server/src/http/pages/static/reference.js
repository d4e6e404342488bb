// The API, from its own description.

import { el, fail, fill, get, live, table } from "/static/app.js";

let description;

const named = (reference) => reference.split("/").pop();

/** The schema that a reference stands for, with its name. */
function resolved(schema) {
  if (!schema?.$ref) return { name: null, schema: schema ?? {} };
  const name = named(schema.$ref);
  return { name, schema: description.components?.schemas?.[name] ?? {} };
}

/** A kind in a word or two. */
function kind(schema) {
  if (!schema) return "anything";
  if (schema.$ref) return named(schema.$ref);
  const either = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (either) return either.map(kind).join(" or ");
  if (schema.enum) return schema.enum.map((it) => JSON.stringify(it)).join(", ");
  const kinds = [schema.type ?? "anything"].flat().join(" or ");
  return schema.items ? `list of ${kind(schema.items)}` : kinds;
}

/** What bounds a value. */
function bounds(schema) {
  const words = ["minimum", "maximum", "minLength", "maxLength", "format", "default"];
  return words.filter((it) => schema?.[it] !== undefined).map((it) => `${it} ${schema[it]}`).join(", ");
}

const COLUMNS = [
  { name: "Name", show: (it) => el("code", { text: it.name }) },
  { name: "Kind", show: (it) => [el("div", { text: it.kind }), el("div", { class: "soft", text: it.bounds })] },
  { name: "", show: (it) => (it.required ? "needed" : "") },
  { name: "What", show: (it) => it.what },
];

function row(name, schema, required, what) {
  const target = schema?.$ref ? {} : schema;
  return { name, kind: kind(schema), bounds: bounds(target), required, what: what ?? target?.description ?? "" };
}

/** The members of an object, those of the objects in it below them. */
function members(schema, seen = []) {
  const { name, schema: target } = resolved(schema);
  if (name && seen.includes(name)) return [];
  const within = name ? [...seen, name] : seen;
  const inner = target.items ? members(target.items, within) : [];
  const parts = (target.oneOf ?? target.anyOf ?? target.allOf ?? []).flatMap((it) => members(it, within));
  const own = Object.entries(target.properties ?? {}).flatMap(([member, of]) => {
    const what = of.description ?? resolved(of).schema.description;
    const below = members(of, within).map((it) => ({ ...it, name: `${member}.${it.name}` }));
    return [row(member, of, (target.required ?? []).includes(member), what), ...below];
  });
  return [...own, ...inner, ...parts];
}

const part = (title, rows) => (rows.length ? [el("h4", { text: title }), table(COLUMNS, rows, "")] : []);

function answers(operation) {
  const rows = Object.entries(operation.responses ?? {}).map(([status, response]) => {
    const [type, content] = Object.entries(response.content ?? {})[0] ?? ["", {}];
    return { status, what: response.description ?? "", type, of: content.schema ? kind(content.schema) : "" };
  });
  const columns = [
    { name: "Status", show: (it) => el("code", { text: it.status }) },
    { name: "When", show: (it) => it.what },
    { name: "Body", show: (it) => [el("div", { text: it.of }), el("div", { class: "soft", text: it.type })] },
  ];
  return [el("h4", { text: "Answers" }), table(columns, rows, "")];
}

function role(operation) {
  const first = Object.entries(operation.security?.[0] ?? {})[0];
  if (!first) return "everybody";
  return first[0] === "provider" ? "the provider" : (first[1][0] ?? "");
}

function shown(method, path, operation) {
  const parameters = (operation.parameters ?? []).map((it) =>
    row(`${it.name} (${it.in})`, it.schema, it.required, it.description));
  const body = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
  const good = Object.entries(operation.responses ?? {}).find(([status]) => status.startsWith("2"))?.[1];
  const answer = Object.values(good?.content ?? {})[0]?.schema;
  return el("details", { id: `${method} ${path}` },
    el("summary", {}, el("code", { text: `${method.toUpperCase()} ${path}` }), " ", el("span", { class: "soft", text: role(operation) })),
    el("p", { text: operation.summary ?? "" }), el("p", { class: "soft", text: operation.description ?? "" }),
    part("Parameters", parameters), part("Body", body ? members(body) : []), part("What comes back", answer ? members(answer) : []),
    answers(operation));
}

async function refresh() {
  if (description) return;
  description = await get("/openapi.json");
  const groups = new Map();
  for (const [path, item] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const tag = operation.tags?.[0] ?? "other";
      groups.set(tag, [...(groups.get(tag) ?? []), shown(method, path, operation)]);
    }
  }
  fill("routes", [...groups].sort(([a], [b]) => a.localeCompare(b)).map(([tag, all]) => [el("h3", { text: tag }), all]).flat());
}

await live(() => refresh().catch(fail));
