// Pick a model on the front: bounds on costs by sliders, and how to take it away.
import { html, useState } from "./html.js";
import { address, studyPath } from "./api.js";
import { number, plural } from "./format.js";
import { Copy } from "./parts.js";
import { link } from "./route.js";

const COSTS = ["train_seconds", "cpu_seconds", "peak_memory_mb", "latency_ms", "model_mb", "parameters"];

const RULES = {
  best: "The best by the first objective",
  cheapest: "The best by the second objective, of those within one standard error of the best by the first",
  knee: "The closest to the best values of all objectives, of those not far below the best by the first",
};

export function Pick({ study, chart, selected, onSelect }) {
  const [bounds, setBounds] = useState({});
  const [first] = chart.objectives;
  const several = study.architectures.length > 1 ? chart.params.architecture : null;
  const sign = chart.metrics[first]?.direction === "min" ? -1 : 1;
  const row = Object.fromEntries(chart.number.map((trial, i) => [trial, i]));
  const front = chart.front.filter((trial) => trial in row);
  const costs = COSTS.filter((name) => chart.values[name] && front.some((trial) => chart.values[name][row[trial]] !== null));
  if (!front.length) return html`<section class="card pick"><h2>Pick a model</h2><p class="quiet">No trial is on the front yet.</p></section>`;
  const fits = front.filter((trial) => costs.every((name) => bounds[name] === undefined || chart.values[name][row[trial]] <= bounds[name] * (1 + 1e-9)));
  const best = fits.reduce((a, b) => (a === null || sign * chart.values[first][row[b]] > sign * chart.values[first][row[a]] ? b : a), null);
  const bound = (name) => (event) => {
    const steps = levels(name);
    setBounds({ ...bounds, [name]: steps[+event.target.value] });
  };
  const levels = (name) => [...new Set(front.map((trial) => chart.values[name][row[trial]]))].filter((value) => value !== null).sort((a, b) => a - b);
  const chosen = selected !== null && front.includes(selected) ? selected : best;
  return html`<section class="card pick"><h2>Pick a model</h2>
    <p class="quiet">The best by ${chart.metrics[first].label} of the ${plural(front.length, "trial")} on the front, within the bounds set below. Or select a point above.</p>
    <div class="buttons">${Object.entries(chart.picks).map(([rule, trial]) => html`<button key=${rule} type="button" aria-pressed=${chosen === trial} title=${RULES[rule]} onClick=${() => onSelect(trial)}>${rule}: trial ${trial}</button>`)}</div>
    <div class="sliders">${costs.map((name) => {
      const steps = levels(name);
      const value = bounds[name] ?? steps[steps.length - 1];
      return html`<label key=${name}><span>${chart.metrics[name].label} at most <strong>${number(value)}</strong></span>
        <input type="range" min="0" max=${steps.length - 1} step="1" value=${steps.indexOf(value)} disabled=${steps.length < 2} aria-valuetext=${number(value)} onInput=${(event) => (onSelect(null), bound(name)(event))} /></label>`;
    })}</div>
    ${chosen === null ? html`<p role="status">No trial of the front is within all bounds.</p>` : html`
      <p role="status"><a href=${link("trial", study.name, String(chosen))}>Trial ${chosen}</a>${several ? ` (${several[row[chosen]]})` : ""}: ${[first, ...costs.slice(0, 4)].map((name) => `${chart.metrics[name].label} ${number(chart.values[name][row[chosen]])}`).join(", ")}</p>
      <${Copy} text=${`fersearch checkpoint pull ${study.name} --trial ${chosen}`} />
      <${Take} study=${study.name} trial=${chosen} />`}
  </section>`;
}

export function Take({ study, trial }) {
  const path = (file) => address(studyPath(study, `/checkpoints/${trial}/${file}`));
  return html`<div class="buttons">
    <a class="button primary" href=${link("face", study, String(trial))}>Try it on a face</a>
    <a class="button" href=${path("onnx")} download>Download ONNX</a>
    <a class="button" href=${path("weights")} download>Download weights</a>
  </div>`;
}
