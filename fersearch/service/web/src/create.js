// A new study: a form made from the JSON Schema of a study file.
import { html, useEffect, useState } from "./html.js";
import { get, post } from "./api.js";
import { Failure } from "./parts.js";
import { go, link } from "./route.js";
import { refresh } from "./state.js";

const FIRST = ["model", "one_study", "dataset", "name", "trials", "epochs", "timeout"];
const HIDDEN = new Set(["plugins", "data"]);

export function Create() {
  const [schema, setSchema] = useState(null);
  const [choices, setChoices] = useState({});
  const [values, setValues] = useState({ model: "cnn", dataset: "faces" });
  const [space, setSpace] = useState("");
  const [state, setState] = useState({ error: null, busy: false });
  useEffect(() => {
    Promise.all([get("schema"), get("plugins"), get("datasets")]).then(
      ([found, plugins, datasets]) => {
        setSchema(found);
        setChoices({ model: plugins.filter((one) => one.kind === "architecture"), dataset: datasets });
      },
      (error) => setState({ error, busy: false }),
    );
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    setState({ error: null, busy: true });
    try {
      const created = await post("studies", bodyOf(values, space, schema));
      await refresh();
      go("study", created[0].name);
    } catch (error) {
      setState({ error, busy: false });
    }
  };
  const set = (key, value) => setValues((before) => ({ ...before, ...(key === "one_study" ? { model: value ? [before.model] : before.model[0] } : {}), [key]: value }));
  const fields = schema ? fieldsOf(schema) : [];
  const field = (one) => html`<${Field} key=${one.key} field=${one} choices=${choices[one.key]} several=${one.key === "model" && values.one_study} value=${values[one.key] ?? ""} set=${set} />`;
  const mistaken = new Set((state.error?.mistakes ?? []).map((line) => line.split(":")[0]));
  return html`<main>
    <p><a href=${link("")}>← Studies</a></p><h1 tabindex="-1">New study</h1>
    <form class="card" onSubmit=${submit} aria-busy=${state.busy}>
      <div class="fields">${fields.filter((one) => FIRST.includes(one.key)).map(field)}</div>
      <details open=${[...mistaken].some((key) => !FIRST.includes(key))}><summary>More options</summary>
        <div class="fields">${fields.filter((one) => !FIRST.includes(one.key)).map(field)}</div>
        <label class="whole"><span>Search space, one parameter per line</span>
          <textarea rows="4" placeholder=${values.one_study ? "learning_rate = 0.001..0.1\ncnn.width = 1, 4" : "learning_rate = 0.001..0.1\noptimizer = sgd, adam"} value=${space} onInput=${(event) => setSpace(event.target.value)}></textarea>
          <small>Each as a value, a list or LOW..HIGH. Parameters that are left out keep their default range.</small></label>
      </details>
      <${Failure} error=${state.error} />
      <div class="buttons"><button type="submit" class="primary" disabled=${!schema || state.busy}>${state.busy ? "Checking the data …" : "Create and run"}</button></div>
    </form>
  </main>`;
}

function Field({ field, choices, several, value, set }) {
  const { key, title, help, options, kind, preset } = field;
  const change = (event) => set(key, event.target.value);
  const common = { name: key, value, onInput: change, placeholder: preset === undefined ? "" : String(preset) };
  let input = html`<input ...${common} type=${kind === "integer" ? "number" : "text"} />`;
  if (kind === "boolean") {
    return html`<label class="check"><input type="checkbox" name=${key} checked=${value === true} onChange=${(event) => set(key, event.target.checked)} /> <span>${title}</span><small>${help}</small></label>`;
  }
  if (several) {
    const chosen = (event) => set(key, [...event.target.selectedOptions].map((one) => one.value));
    input = html`<select name=${key} multiple size="6" onChange=${chosen}>${choices.map((one) => html`<option key=${one.name} value=${one.name} selected=${value.includes(one.name)}>${one.name}</option>`)}</select>`;
  } else if (choices) {
    input = html`<select ...${common}>${choices.map((one) => html`<option key=${one.name} value=${one.name}>${one.name}</option>`)}</select>`;
  } else if (options) {
    input = html`<select ...${common}><option value="">default${preset ? ` (${preset})` : ""}</option>${options.map((one) => html`<option value=${one}>${one}</option>`)}</select>`;
  }
  const about = several ? `${value.length} selected; their own parameters are named ARCHITECTURE.NAME` : choices ? (choices.find((one) => one.name === value)?.summary ?? "") : help;
  return html`<label><span>${title}</span>${input}<small>${about}</small></label>`;
}

function fieldsOf(schema) {
  const fields = [];
  const add = (properties, table) => {
    for (const [name, property] of Object.entries(properties)) {
      const key = table ? `${table}.${name}` : name;
      const inner = resolve(schema, property);
      if (HIDDEN.has(key) || inner.deprecated) continue;
      if (name === "space") continue;
      if (key === "protocol") add(inner.properties ?? {}, "protocol");
      else fields.push(fieldOf(key, name, inner));
    }
  };
  add(schema.properties, "");
  return fields.sort((a, b) => order(a.key) - order(b.key));
}

const order = (key) => (FIRST.includes(key) ? FIRST.indexOf(key) : FIRST.length);

function fieldOf(key, name, property) {
  const parts = [property, ...(property.anyOf ?? [])];
  const options = parts.find((one) => one.enum)?.enum;
  const kind = property.type === "boolean" ? "boolean" : parts.some((one) => one.type === "integer") ? "integer" : parts.some((one) => one.type === "array") ? "array" : "text";
  return { key, title: name.replaceAll("_", " "), help: (property.description ?? "").replaceAll("`", ""), options, kind, preset: property.default ?? undefined };
}

function resolve(schema, property) {
  const reference = property.$ref ?? property.allOf?.[0]?.$ref ?? property.anyOf?.find((one) => one.$ref?.includes("Protocol"))?.$ref;
  const target = reference ? reference.split("/").slice(1).reduce((at, part) => at[part], schema) : {};
  return { ...target, ...property };
}

function bodyOf(values, space, schema) {
  const body = {};
  for (const { key, kind } of fieldsOf(schema)) {
    const text = String(values[key] ?? "").trim();
    if (!text || (kind === "boolean" && text !== "true")) continue;
    const value = kind === "boolean" ? true : kind === "integer" && /^-?\d+$/.test(text) ? Number(text) : kind === "array" && text.includes(",") ? text.split(",").map((part) => (Number.isNaN(+part) ? part.trim() : +part)) : text;
    const [table, name] = key.includes(".") ? key.split(".") : [null, key];
    if (table) body[table] = { ...body[table], [name]: value };
    else body[name] = value;
  }
  const lines = space.split("\n").map((line) => line.split("=").map((part) => part.trim())).filter(([name, value]) => name && value);
  if (lines.length) body.space = Object.fromEntries(lines);
  return body;
}
