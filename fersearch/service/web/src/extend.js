// Changing a study that does not run: its budget, its objectives, its space. What it has stays.
import { html } from "./html.js";
import { post, studyPath } from "./api.js";
import { moment, plural } from "./format.js";
import { Failure, TextField, useForm } from "./parts.js";

export function Extend({ study, reload }) {
  const { values, setValues, submit, error, busy } = useForm(async (form) => {
    await post(studyPath(study.name, "/extend"), bodyOf(form));
    await reload();
  });
  const field = (name, title, placeholder, help) => html`<${TextField} ...${{ name, title, placeholder, help, values, setValues }} />`;
  return html`<section class="card"><details><summary>Extend the study</summary>
    <form onSubmit=${submit} aria-busy=${busy}>
      <p class="quiet">Existing trials are kept, and the search continues from those within the new space.</p>
      <div class="fields">
        ${field("trials", "total trials", String(study.budget.trials), "")}
        ${field("timeout", "total running time in seconds", String(study.budget.timeout ?? "no limit"), "")}
        ${field("still", "stop when flat", String(study.stop_when_flat || "never"), "End once the front has not grown for this many complete trials; 0: never.")}
        ${field("objectives", "objectives", study.objectives.join(", "), "Metrics, the most important first; existing trials must have values of them.")}
      </div>
      <label class="whole"><span>Search space, one parameter per line</span>
        <textarea rows="3" name="space" placeholder="learning_rate = 0.0001..0.1" value=${values.space ?? ""} onInput=${(event) => setValues({ ...values, space: event.target.value })}></textarea></label>
      <${Failure} error=${error} />
      <div class="buttons"><button type="submit" disabled=${busy}>Extend</button></div>
    </form></details>
    ${study.changes.length > 0 && html`<h3>Changes</h3><ul class="plain">${study.changes.map((one, i) => html`<li key=${i}>${moment(one.at)}, after ${plural(one.trials, "trial")}: ${one.name} changed from ${one.before || "none"} to ${one.after || "none"}</li>`)}</ul>`}
  </section>`;
}

function bodyOf({ trials, timeout, still, objectives, space }) {
  const lines = (space ?? "").split("\n").map((line) => line.split("=").map((part) => part.trim())).filter(([name, value]) => name && value);
  return {
    ...(trials ? { trials: Number(trials) } : {}),
    ...(timeout ? { timeout: Number(timeout) } : {}),
    ...(still ? { stop_when_flat: Number(still) } : {}),
    ...(objectives ? { objectives: objectives.split(",").map((one) => one.trim()) } : {}),
    ...(lines.length ? { space: Object.fromEntries(lines) } : {}),
  };
}
