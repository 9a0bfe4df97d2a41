// Several studies side by side: their fronts in one plot, and what each gave.
import { html, useEffect, useState } from "./html.js";
import { get, studyPath } from "./api.js";
import { duration, number } from "./format.js";
import { Badge, Failure } from "./parts.js";
import { link } from "./route.js";
import { scale } from "./scales.js";
import { Axes, skyline } from "./scatter.js";
import { studies } from "./state.js";

const BOX = { left: 60, right: 708, top: 12, bottom: 316 };
const COLOURS = ["blue", "orange", "green", "purple", "red", "teal", "pink", "olive"];

export function Compare({ names }) {
  const list = studies.value ?? [];
  const toggle = (name) => link("compare", (names.includes(name) ? names.filter((one) => one !== name) : [...names, name]).join(","));
  const [charts, setCharts] = useState({});
  const [error, setError] = useState(null);
  useEffect(() => {
    for (const name of names.filter((one) => !charts[one])) {
      get(studyPath(name, "/chart")).then((chart) => setCharts((before) => ({ ...before, [name]: chart })), setError);
    }
  }, [names.join()]);
  const shown = names.filter((name) => charts[name]);
  return html`<main><h1 tabindex="-1">Compare studies</h1>
    <${Failure} error=${error} />
    <ul class="chips">${list.map((one) => html`<li key=${one.name}><a class=${names.includes(one.name) ? "on" : ""} aria-current=${names.includes(one.name) ? "true" : undefined} href=${toggle(one.name)}>${one.name} <${Badge} state=${one.state} /></a></li>`)}</ul>
    ${shown.length ? html`<${Fronts} names=${shown} charts=${charts} /><${Figures} names=${shown} charts=${charts} list=${list} />` : html`<p class="quiet">Select two or more studies.</p>`}
  </main>`;
}

function Fronts({ names, charts }) {
  const first = charts[names[0]];
  const [y, x] = [first.objectives[0], first.objectives[1] ?? "parameters"];
  const fronts = names.map((name) => points(charts[name], x, y));
  const all = fronts.flat();
  if (!all.length) return html`<p class="quiet">None of the selected studies has a complete trial with ${x} and ${y}.</p>`;
  const xs = scale(all.map((one) => one.x), [BOX.left, BOX.right], first.metrics[x]?.log);
  const ys = scale(all.map((one) => one.y), [BOX.bottom, BOX.top], false);
  return html`<section class="card"><figure class="chart">
    <svg viewBox="0 0 720 360" role="group" aria-label=${`Fronts of ${names.join(", ")}`}>
      <${Axes} xs=${xs} ys=${ys} x=${first.metrics[x]?.label ?? x} y=${first.metrics[y].label} box=${BOX} />
      ${fronts.map((front) => front.map((one) => ({ ...one, px: xs.at(one.x), py: ys.at(one.y) }))).map((front, i) => html`<g style=${{ color: `var(--${COLOURS[i % COLOURS.length]})` }}>
        <path class="curve" d=${skyline(front).map((one, j) => (j ? `H${one.px}V${one.py}` : `M${one.px} ${one.py}`)).join("")} />
        ${front.map((one) => html`<a href=${link("trial", names[i], String(one.trial))} aria-label=${`${names[i]} trial ${one.trial}`}><circle cx=${one.px} cy=${one.py} r="6" /></a>`)}</g>`)}
    </svg>
    <ul class="legend">${names.map((name, i) => html`<li style=${{ color: `var(--${COLOURS[i % COLOURS.length]})` }}>● <span>${name}</span></li>`)}</ul>
  </figure></section>`;
}

function Figures({ names, charts, list }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Comparison"><table><thead><tr><th>Study</th><th>Model</th><th>Dataset</th><th>Complete</th><th>Pruned</th><th>Best</th><th>Front</th><th>Training time</th></tr></thead><tbody>
    ${names.map((name) => {
      const chart = charts[name];
      const one = list.find((study) => study.name === name) ?? { counts: {} };
      const metric = chart.objectives[0];
      const i = chart.number.indexOf(chart.front[0]);
      const seconds = (chart.values.train_seconds ?? []).reduce((sum, value) => sum + (value ?? 0), 0);
      return html`<tr><th scope="row"><a href=${link("study", name)}>${name}</a></th><td>${(one.architectures ?? []).join(", ")}</td><td>${one.dataset}</td><td>${one.counts.complete ?? 0}</td><td>${one.counts.pruned ?? 0}</td>
        <td>${i < 0 ? "–" : `${metric} ${number(chart.values[metric][i])}`}</td><td>${chart.front.length}</td><td>${duration(seconds)}</td></tr>`;
    })}</tbody></table></div>`;
}

function points(chart, x, y) {
  if (!chart.values[x] || !chart.values[y]) return [];
  const rows = chart.front.map((trial) => {
    const i = chart.number.indexOf(trial);
    return { trial, x: chart.values[x][i], y: chart.values[y][i] };
  });
  return rows.filter((one) => one.x !== null && one.y !== null).sort((a, b) => a.x - b.x);
}
