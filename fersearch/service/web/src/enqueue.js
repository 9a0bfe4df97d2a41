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
      const room = done.needed > done.trials ? `; it waits, for the study's budget has ${done.trials} trials` : "";
      setState({ error: null, busy: false, told: `${line(done.given)} is tried next${room}.` });
      setValues({});
      await reload();
    } catch (error) {
      setState({ error, busy: false, told: "" });
    }
  };
  const open = Object.entries(study.parameters).filter(([, one]) => (one.options ?? [one.low, one.high]).some((value, _, all) => value !== all[0]));
  return html`<section class="card"><details><summary>Try a configuration</summary>
    <form onSubmit=${submit} aria-busy=${state.busy}>
      <p class="quiet">It is tried next, and counts as a trial; what you leave empty the sampler draws.</p>
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
  const when = Object.entries(parameter.when).map(([other, wanted]) => `only with ${other} ${wanted.join(" or ")}`).join(", ");
  const input = parameter.options
    ? html`<select ...${common}><option value="">drawn</option>${parameter.options.map((one) => html`<option key=${String(one)} value=${String(one)}>${String(one)}</option>`)}</select>`
    : html`<input ...${common} type="text" inputmode="decimal" placeholder=${`${number(parameter.low)} to ${number(parameter.high)}`} />`;
  return html`<label><span>${name.replaceAll("_", " ")}</span>${input}<small>${when}</small></label>`;
}
