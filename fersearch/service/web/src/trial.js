// One trial: its parameters, curves, confusion matrix, classes, attempts and reasons.
import { html, useEffect, useState } from "./html.js";
import { get, studyPath, text } from "./api.js";
import { duration, number } from "./format.js";
import { aligned, Lines } from "./lines.js";
import { Badge, Copy, Facts, Failure, useFetched } from "./parts.js";
import { Take } from "./pick.js";
import { link } from "./route.js";
import { listen, throttled } from "./state.js";

export function TrialView({ name, number: trial }) {
  const path = studyPath(name, `/trials/${trial}`);
  const detail = useFetched(() => get(path), [path]);
  const chart = useFetched(() => get(`${path}/chart`), [path]);
  useEffect(() => {
    const again = throttled(() => (detail.reload(), chart.reload()), 800);
    return listen((event) => event.study === name && event.trial === trial && again());
  }, [path]);
  const one = detail.value;
  return html`<main>
    <p><a href=${link("study", name)}>← ${name}</a></p>
    <h1 tabindex="-1">Trial ${trial} ${one && html`<${Badge} state=${one.state} />`}</h1>
    <${Failure} error=${detail.error ?? chart.error} />
    ${one && html`<${Body} one=${one} name=${name} chart=${chart.value} />`}
  </main>`;
}

function Body({ one, name, chart }) {
  const curve = (metric) => one.history.filter((epoch) => epoch.values[metric] != null).map((epoch, i) => [one.history.length > 0 ? epoch.epoch : i, epoch.values[metric]]);
  const known = (names) => names.filter((metric) => curve(metric).length);
  const [losses, scores] = [known(["train_loss", "valid_loss"]), known(["f1_macro", "accuracy", "train_accuracy"])];
  return html`
    <${Why} name=${name} one=${one} />
    ${one.checkpoint && html`<section class="card"><h2>Get the model</h2><${Copy} text=${`fersearch checkpoint pull ${name} --trial ${one.number}`} /><${Take} study=${name} trial=${one.number} /></section>`}
    <div class="grid">
      ${scores.length > 0 && html`<section class="card"><${Lines} label="Scores" names=${scores} data=${aligned(scores.map(curve))} /></section>`}
      ${losses.length > 0 && html`<section class="card"><${Lines} label="Loss" names=${losses} data=${aligned(losses.map(curve))} /></section>`}
    </div>
    <div class="grid">
      <section class="card"><h2>Parameters</h2><${Facts} facts=${texts(one.params)} /></section>
      <section class="card"><h2>Metrics</h2><p class="quiet">${one.kept_epoch ? `Of epoch ${one.kept_epoch}; t` : "T"}ime and memory of the whole trial${one.disturbed ? "; other work slowed its training, so that wall times are unreliable" : ""}${one.rough_latency ? "; latency was measured next to other work" : ""}</p><${Facts} facts=${texts(one.values)} /></section>
    </div>
    ${chart?.confusion && html`<section class="card"><h2>Confusion matrix on validation</h2><${Matrix} chart=${chart} /></section>`}
    <section class="card"><h2>Attempts</h2><ul class="plain">${one.attempts.map((attempt) => html`<li key=${attempt.number}>
      ${attempt.number}: <strong>${attempt.reason ?? "running"}</strong>, epochs ${attempt.first_epoch ?? "–"} to ${attempt.last_epoch ?? "–"}, ${duration(attempt.seconds)} ${attempt.message && html`<br /><span class="quiet">${attempt.message}</span>`}
      ${attempt.traceback && html`<details><summary>Traceback</summary><pre tabindex="0">${attempt.traceback}</pre></details>`}</li>`)}</ul>
      ${one.log && html`<${Log} key=${one.log} path=${studyPath(name, `/trials/${one.number}/log`)} file=${one.log} />`}</section>`;
}

function Log({ path, file }) {
  const [state, setState] = useState({ content: null, error: null });
  const load = (event) => event.target.open && text(path).then((content) => setState({ content, error: null }), (error) => setState({ content: null, error }));
  return html`<details onToggle=${load}><summary>Log of the last attempt</summary>
    <p class="quiet">The end of <code>${file}</code></p><${Failure} error=${state.error} />
    ${state.content !== null && html`<pre tabindex="0" aria-label="Log">${state.content || "empty"}</pre>`}</details>`;
}

function Why({ name, one }) {
  const path = studyPath(name, `/trials/${one.number}/explanation`);
  const { value, error } = useFetched(() => get(path), [path], [one.state, one.verdict?.rung]);
  const { told = [], ahead = [], own } = value ?? {};
  return html`<section class="card verdict"><h2>Why it ${one.verdict?.stop || one.state === "infeasible" || one.state === "failed" ? "stopped" : "went on"}</h2>
    <${Failure} error=${error} />
    <ul class="plain">${told.map((line) => html`<li>${line}</li>`)}</ul>
    ${own && ahead.length > 0 && html`<details><summary>Trials ahead of it at ${value.unit} ${value.rung}</summary><${Ahead} name=${name} found=${value} /></details>`}
  </section>`;
}

function Ahead({ name, found }) {
  const metrics = found.objectives.map((objective) => objective.split(":")[0]);
  const gain = (by) => (by == null ? "" : by === 0 ? " (equal)" : ` (${number(Math.abs(by))} ${by > 0 ? "better" : "worse"})`);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Trials ahead of it"><table>
    <thead><tr><th scope="col">trial</th><th scope="col">front</th>${metrics.map((metric) => html`<th scope="col">${metric.replaceAll("_", " ")}${found.projected.includes(metric) ? ", projected" : ""}</th>`)}<th scope="col">dominates it</th></tr></thead>
    <tbody>${[...found.ahead.slice(0, 10), found.own].map((peer) => html`<tr key=${peer.number}><th scope="row">${peer === found.own ? "this trial" : html`<a href=${link("trial", name, String(peer.number))}>${peer.number}</a>`}</th>
      <td class="number">${peer.front}</td>${metrics.map((metric) => html`<td class="number">${number(peer.values[metric])}${peer === found.own ? "" : gain(peer.better_by[metric])}</td>`)}<td>${peer.dominates ? "yes" : peer === found.own ? "" : "no"}</td></tr>`)}</tbody>
  </table></div>`;
}

function Matrix({ chart }) {
  const { classes, confusion, scores } = chart;
  const most = confusion.map((row) => Math.max(1, row.reduce((a, b) => a + b, 0)));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix"><table class="matrix">
    <thead><tr><th>true \\ predicted</th>${classes.map((name) => html`<th scope="col">${name}</th>`)}<th>recall</th><th>F1</th></tr></thead>
    <tbody>${confusion.map((row, i) => html`<tr><th scope="row">${classes[i] ?? i}</th>${row.map((count, j) => html`<td class=${i === j ? "right" : ""} style=${{ "--share": count / most[i] }}>${count}</td>`)}
      <td class="number">${number(scores[i]?.recall, 2)}</td><td class="number">${number(scores[i]?.f1, 2)}</td></tr>`)}</tbody>
  </table></div>`;
}

const texts = (values) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name.replaceAll("_", " "), number(value)]));
