// The studies, who uses which slot, and the queue.
import { html } from "./html.js";
import { get } from "./api.js";
import { moment, number, plural } from "./format.js";
import { Badge, Failure, Progress, useFetched } from "./parts.js";
import { link } from "./route.js";
import { me, problem, queue, studies } from "./state.js";

export function Studies() {
  const list = studies.value;
  return html`<main>
    <div class="heading">
      <h1>Studies</h1>
      ${me.value && me.value.role !== "read" && html`<a class="button primary" href=${link("new")}>New study</a>`}
    </div>
    <${Failure} error=${problem.value} />
    <${Slots} />
    ${list === null ? html`<p class="quiet">Loading …</p>` : list.length ? html`<${Table} list=${list} />` : html`<${Welcome} />`}
    <${Disk} />
  </main>`;
}

function Welcome() {
  return html`<section class="card"><h2>No studies yet</h2>
    <p>A study trains many configurations of a network on a dataset and finds the best trade-offs between quality and cost.
    <a href=${link("new")}>Create one</a>: <code>cnn</code> on <code>faces</code> (built-in drawings) takes a few minutes.</p>
  </section>`;
}

function Table({ list }) {
  const places = Object.fromEntries(queue.value.queue.map((one) => [one.study, one.place]));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Studies"><table>
    <thead><tr><th>Study</th><th>State</th><th>Trials</th><th>Model</th><th>Dataset</th><th>Owner</th><th>Created</th></tr></thead>
    <tbody>${[...list].reverse().map((one) => html`<tr key=${one.name}>
      <th scope="row"><a href=${link("study", one.name)}>${one.name}</a></th>
      <td class="state"><${Badge} state=${one.state} />${one.state === "queued" && html` <small>place ${places[one.name]}</small>`}</td>
      <td class="wide"><${Progress} counts=${one.counts} total=${sum(one.counts)} /><small>${plural(sum(one.counts), "trial")}</small></td>
      <td>${one.architectures.join(", ")}</td><td>${one.dataset}</td><td>${one.owner || "–"}</td><td>${moment(one.created)}</td>
    </tr>`)}</tbody>
  </table></div>`;
}

function Slots() {
  const { slots, queue: entries, reruns } = queue.value;
  const users = Object.fromEntries(entries.flatMap((one) => one.slots.map((slot) => [slot, html`<a href=${link("study", one.study)}>${one.study}</a>`])));
  for (const one of reruns) {
    if (one.slot !== null) users[one.slot] = html`<a href=${link("trial", one.study, String(one.trial))}>rerun of ${one.study} ${one.trial}</a>`;
  }
  const waiting = entries.filter((one) => one.state === "queued");
  return html`<section class="slots" aria-label="Slots">
    <ul>${Array.from({ length: slots }, (_, slot) => html`<li key=${slot} class=${users[slot] ? "used" : ""}>
      <span>slot ${slot}</span> ${users[slot] ?? html`<em>free</em>`}
    </li>`)}</ul>
    <p>Queued: ${waiting.length ? waiting.map((one, place) => html`${place > 0 && ", "}<a href=${link("study", one.study)}>${one.study}</a>`) : "none"}</p>
  </section>`;
}

function Disk() {
  const { value } = useFetched(() => get("disk"), [studies.value?.length]);
  if (!value?.length) return null;
  return html`<section class="card"><h2>Disk use</h2><ul class="plain">${value.map((one) => html`<li key=${one.owner}>
    ${one.owner || "no owner"}: ${number(one.megabytes)} MB in ${plural(one.checkpoints, "checkpoint")}${one.exported > 0 && html`,
      ${number(one.exported_megabytes)} MB in ${plural(one.exported, "exported model")}`}</li>`)}</ul></section>`;
}

const sum = (counts) => Object.values(counts).reduce((total, count) => total + count, 0);
