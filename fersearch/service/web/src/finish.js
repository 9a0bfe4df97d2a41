// Finishing a study: its best trials are retrained with fresh seeds; then the test split is opened, once, for the pick.
import { html } from "./html.js";
import { post, studyPath } from "./api.js";
import { Failure, TextField, useForm } from "./parts.js";
import { go } from "./route.js";
import { refresh } from "./state.js";

export function Finish({ study, reload }) {
  const { values, setValues, submit, error, busy } = useForm(async (form) => {
    const answer = await post(studyPath(study.name, "/finish"), bodyOf(form));
    await Promise.all([reload(), refresh()]);
    if (!answer.finish) go("study", answer.trained);
  });
  const field = (name, title, placeholder, help) => html`<${TextField} ...${{ name, title, placeholder, help, values, setValues }} />`;
  return html`<section class="card"><details><summary>Finish the study</summary>
    <form onSubmit=${submit} aria-busy=${busy}>
      <p class="quiet">The best trials of the front are retrained with fresh seeds. The best of them on validation is then evaluated on the test split, once, and described in one line for a paper: press Finish again when they are trained.</p>
      <div class="fields">
        ${field("finalists", "finalists", "3", "Trials of the front to retrain, the best first.")}
        ${field("seeds", "seeds", "5", "How many times to retrain each.")}
        ${field("epochs", "epochs", "their own", "Epochs of each retraining.")}
        ${field("unseen", "unseen datasets", "none", "Datasets to evaluate the pick on too, NAME or NAME=PATH, separated by commas.")}
      </div>
      <${Failure} error=${error} />
      <div class="buttons"><button type="submit" disabled=${busy}>Finish</button></div>
    </form></details>
  </section>`;
}

function bodyOf({ finalists, seeds, epochs, unseen }) {
  const counts = Object.entries({ finalists, seeds, epochs }).filter(([, value]) => value);
  const names = (unseen ?? "").split(",").map((one) => one.trim()).filter(Boolean);
  return { ...Object.fromEntries(counts.map(([name, value]) => [name, Number(value)])), ...(names.length ? { unseen: names } : {}) };
}
