// A configuration to try next: a field for each parameter; what is left empty is drawn.
import { html, useState } from "./html.js";
import { post, studyPath } from "./api.js";
import { number } from "./format.js";
import { Failure } from "./parts.js";

export function Enqueue({ study, reload }) {
  const [values, setValues] = useState({});
  const [state, setState] = useState({ error: null, busy: false, told: "" });
  const submit = async (event) => {
    event.preventDefault();
    setState({ error: null, busy: true, told: "" });
    try {
      const settings = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));
      const done = await post(studyPath(study.name, "/enqueue"), { settings });
      const room = done.needed > done.trials ? `; it waits until the budget of ${done.trials} trials is extended` : "";
      setState({ error: null, busy: false, told: `Enqueued: ${line(done.given)}${room}.` });
      setValues({});
      await reload();
    } catch (error) {
      setState({ error, busy: false, told: "" });
    }
  };
  const open = Object.entries(study.parameters).filter(([, one]) => (one.options ?? [one.low, one.high]).some((value, _, all) => value !== all[0]));
  return html`<section class="card"><details><summary>Try a configuration</summary>
    <form onSubmit=${submit} aria-busy=${state.busy}>
      <p class="quiet">It becomes the next trial and counts towards the budget. The sampler fills in what is left empty.</p>
      <div class="fields">${open.map(([name, one]) => html`<${Field} key=${name} name=${name} parameter=${one} value=${values[name] ?? ""} set=${(value) => setValues((before) => ({ ...before, [name]: value }))} />`)}</div>
      <${Failure} error=${state.error} />
      <div class="buttons"><button type="submit" disabled=${state.busy}>Enqueue</button></div>
      <p role="status">${state.told}</p>
    </form></details>
    ${study.enqueued.length > 0 && html`<h3>Enqueued</h3><ul class="plain">${study.enqueued.map((one, i) => html`<li key=${i}>${line(one)}</li>`)}</ul>`}
  </section>`;
}

const line = (values) => Object.entries(values).map(([name, value]) => `${name}=${number(value)}`).join(", ");

function Field({ name, parameter, value, set }) {
  const common = { name, value, onInput: (event) => set(event.target.value) };
  const when = Object.entries(parameter.when).map(([other, wanted]) => `only if ${other} is ${wanted.join(" or ")}`).join(", ");
  const input = parameter.options
    ? html`<select ...${common}><option value="">sampler's choice</option>${parameter.options.map((one) => html`<option key=${String(one)} value=${String(one)}>${String(one)}</option>`)}</select>`
    : html`<input ...${common} type="text" inputmode="decimal" placeholder=${`${number(parameter.low)} to ${number(parameter.high)}`} />`;
  return html`<label><span>${name.replaceAll("_", " ")}</span>${input}<small>${when}</small></label>`;
}
