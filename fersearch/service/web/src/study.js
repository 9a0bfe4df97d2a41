// One study, live: its front, how it grew, what decides, what runs and why others were stopped, and a pick.
import { html, useEffect, useRef, useState } from "./html.js";
import { get, post, remove, studyPath } from "./api.js";
import { Enqueue } from "./enqueue.js";
import { Extend } from "./extend.js";
import { Finish } from "./finish.js";
import { duration, moment, number, plural } from "./format.js";
import { aligned, Lines } from "./lines.js";
import { keepers, Parallel } from "./parallel.js";
import { Badge, Facts, Failure, Progress, useFetched } from "./parts.js";
import { Pick } from "./pick.js";
import { go, link } from "./route.js";
import { Scatter } from "./scatter.js";
import { listen, live, me, queue, recall, refresh, throttled } from "./state.js";

const CHANGING = new Set(["ended", "stopped_early", "front", "released", "state", "failed", "returned", "started", "changed"]);

const LEAVING = 4000; // a driver has said that it ends before it is gone

export function Study({ name }) {
  const detail = useFetched(() => get(studyPath(name)), [name]);
  const chart = useFetched(() => get(studyPath(name, "/chart")), [name]);
  const [selected, select] = useState(null);
  const [brushes, setBrushes] = useState({});
  const [failure, setFailure] = useState(null);
  useEffect(() => {
    const again = throttled(() => (detail.reload(), chart.reload()), 1000);
    return listen((event) => {
      if (event.study !== name) return;
      if (CHANGING.has(event.kind)) again();
      if (event.kind === "state") setTimeout(again, LEAVING);
      if (event.kind === "failed") setFailure({ message: `the run failed with exit code ${event.data.exit_code}`, hint: event.data.message });
    });
  }, [name]);
  const study = detail.value;
  if (!study) return html`<main><h1 tabindex="-1">${name}</h1><${Failure} error=${detail.error} />${!detail.error && html`<p class="quiet">Loading …</p>`}</main>`;
  const data = chart.value;
  const kept = data ? keepers(data, brushes) : new Set();
  const [first, ...costs] = data?.objectives ?? [];
  return html`<main>
    <${Head} study=${study} onFailure=${setFailure} reload=${detail.reload} />
    <${Failure} error=${failure ?? chart.error} />
    <${Running} study=${study} chart=${data} />
    ${data && html`
      <section class="card"><h2>Front</h2>
        <p class="quiet">Each point is a trial. The large ones form the Pareto front: no other trial is at least as good in every objective and better in one. Select a point for details.</p>
        <div class="grid">${(costs.length ? costs : ["parameters"]).map((cost) => html`<${Scatter} key=${cost} chart=${data} x=${cost} y=${first} selected=${selected} onSelect=${select} dimmed=${(one) => !kept.has(one)} />`)}</div>
        ${selected !== null && html`<${Selected} study=${name} chart=${data} trial=${selected} />`}
      </section>
      <${Pick} study=${study} chart=${data} selected=${selected} onSelect=${select} />
      <section class="card"><h2>Parameters and objectives</h2>
        <p class="quiet">Drag along an axis to select a range. Trials outside it are faded in the plots above and left out of the table below. ${Object.values(brushes).some(Boolean) && html`<button type="button" onClick=${() => setBrushes({})}>Clear ranges</button>`}</p>
        <${Parallel} chart=${data} brushes=${brushes} onBrush=${(axis, brush) => setBrushes({ ...brushes, [axis]: brush })} />
      </section>
      <div class="grid">
        <section class="card"><h2>Hypervolume</h2>${data.hypervolume.length > 0 ? html`<${Lines} label="Hypervolume of the front, relative to the current one" x="ended trials" stepped=${true} names=${["hypervolume"]} data=${aligned([data.hypervolume])} />` : html`<p class="quiet">No complete trials yet.</p>`}</section>
        <${Importance} name=${name} complete=${study.counts.complete ?? 0} />
      </div>`}
    ${me.value && me.value.role !== "read" && html`<${Enqueue} study=${study} reload=${detail.reload} />`}
    ${me.value && me.value.role !== "read" && study.state !== "running" && html`<${Extend} study=${study} reload=${detail.reload} />`}
    ${me.value && me.value.role !== "read" && canFinish(study) && html`<${Finish} study=${study} reload=${detail.reload} />`}
    <${Stopped} name=${name} chart=${data} />
    <${Table} study=${study} chart=${data} kept=${kept} />
  </main>`;
}

const canFinish = (study) => !study.finish && study.counts.complete > 0 && !["running", "queued"].includes(study.state) && !study.name.startsWith("finish/");

// Always the same two facts, so that nothing moves when the first trial is complete.
function bestOf(best) {
  if (!best) return { "Best trial": "–", "Its 95 % interval": "–" };
  return { "Best trial": `${best.trial}: ${number(best.value)}`, "Its 95 % interval": best.interval ? best.interval.map((end) => number(end, 3)).join(" to ") : "–" };
}

function Head({ study, onFailure, reload }) {
  const place = queue.value.queue.find((one) => one.study === study.name);
  const act = (verb) => async () => {
    try {
      onFailure(null);
      await post(studyPath(study.name, `/${verb}`), verb === "resume" ? {} : undefined);
      await Promise.all([reload(), refresh()]);
    } catch (error) {
      onFailure(error);
    }
  };
  const discard = async () => {
    if (!confirm(`Delete study ${study.name} with its trials and checkpoints?`)) return;
    try {
      await remove(studyPath(study.name));
      await refresh();
      go("");
    } catch (error) {
      onFailure(error);
    }
  };
  const active = ["running", "queued"].includes(study.state);
  return html`<div class="heading">
      <h1 tabindex="-1">${study.name} <${Badge} state=${study.state} /></h1>
      ${me.value && me.value.role !== "read" && html`<div class="buttons">
        ${active && html`<button type="button" onClick=${act("pause")}>Pause</button><button type="button" onClick=${act("stop")}>Stop</button>`}
        ${!active && study.state !== "complete" && html`<button type="button" class="primary" onClick=${act("resume")}>${study.state === "paused" ? "Resume" : "Run"}</button>`}
        ${!active && html`<button type="button" onClick=${discard}>Delete</button>`}
      </div>`}
    </div>
    <div class="card head">
      <${Progress} counts=${study.counts} total=${study.budget.trials} />
      <${Facts} facts=${{
        Trials: `${Object.entries(study.counts).map(([state, count]) => `${count} ${state}`).join(", ") || "none"} of ${study.budget.trials}`,
        ...bestOf(study.best),
        Model: study.architectures.join(", "),
        Dataset: study.dataset,
        ...(study.where.length ? { Bounds: study.where.join(", ") } : {}),
        Owner: study.owner || "–",
        "Running time": duration(study.seconds),
        Queue: place ? `place ${place.place}, ${place.slots.length ? `slots ${place.slots.join(", ")}` : "no slot yet"}` : "–",
        ...(study.origin ? { "Started from": `${study.origin.study} (${plural(study.origin.trials, "trial")}${study.origin.same_data === false ? " on other data" : ""})` } : {}),
        Ended: study.ending || "–",
        Search: `${study.sampler}, ${study.pruner === "none" ? "no" : study.pruner} pruner, rules ${study.rules}, seed ${study.seed}`,
        ...(study.observe.length ? { Observers: study.observe.join(", ") } : {}),
        Created: moment(study.created),
        "Looks at the test split": study.looks.length || "none",
        ...(study.finish ? { Finished: study.finish.line } : {}),
        ...(study.warnings.length ? { Warning: study.warnings.join("; ") } : {}),
      }} />
    </div>`;
}

function Running({ study, chart }) {
  const numbers = chart ? chart.number.filter((_, i) => chart.state[i] === "running") : [];
  useEffect(() => {
    recall(study.name, numbers).catch(() => {});
  }, [study.name, numbers.join()]);
  const trials = Object.entries(live.value[study.name] ?? {}).filter(([, epochs]) => epochs.length);
  const shown = useRef(false); // once there, it keeps its place, so that nothing below it moves
  shown.current ||= study.state !== "complete";
  if (!shown.current) return null;
  const metric = study.objectives[0].split(":")[0];
  const curves = trials.map(([, epochs]) => epochs.filter((one) => one.values[metric] != null).map((one) => [one.epoch, one.values[metric]]));
  return html`<section class="card live" aria-live="off"><h2>Running now</h2>
    <div class="steady">${trials.length ? html`<${Lines} label=${`${metric} of the running trials`} names=${trials.map(([trial]) => `trial ${trial}`)} data=${aligned(curves)} />` : html`<p class="quiet">${study.state === "running" ? "Waiting for the first epoch …" : "No trial is running."}</p>`}</div>
  </section>`;
}

function Selected({ study, chart, trial }) {
  const i = chart.number.indexOf(trial);
  const values = Object.fromEntries(chart.objectives.filter((name) => chart.values[name]).map((name) => [chart.metrics[name].label, number(chart.values[name][i])]));
  const params = Object.fromEntries(Object.entries(chart.params).filter(([, column]) => column[i] !== null).map(([name, column]) => [name.replaceAll("_", " "), number(column[i])]));
  return html`<div class="selection"><h3><a href=${link("trial", study, String(trial))}>Trial ${trial}</a> <${Badge} state=${chart.state[i]} /></h3><${Facts} facts=${{ ...values, ...params }} /></div>`;
}

function Importance({ name, complete }) {
  const [state, setState] = useState({ value: null, error: null, asked: false });
  const ask = () => {
    setState({ asked: true });
    get(studyPath(name, "/importance")).then((value) => setState({ value, asked: true }), (error) => setState({ error, asked: true }));
  };
  const { value, error, asked } = state;
  const [metric, shares] = Object.entries(value?.objectives ?? {})[0] ?? [];
  return html`<section class="card"><h2>Parameter importance</h2>
    <${Failure} error=${error} />
    ${!asked && html`<p class="quiet">How much of the variance of the first objective each parameter explains. Takes a few seconds.</p><button type="button" disabled=${complete < 10} onClick=${ask}>${complete < 10 ? `Needs 10 complete trials (${complete} so far)` : "Compute"}</button>`}
    ${asked && !value && !error && html`<p class="quiet">Computing …</p>`}
    ${value && !metric && html`<p class="quiet">Needs ${value.needed} complete trials.</p>`}
    ${metric && html`<p class="quiet">Share of the variance of ${metric}, by ${value.method}</p><ul class="bars">${Object.entries(shares).slice(0, 10).map(([param, share]) => html`<li><span>${param.replaceAll("_", " ")}</span><meter min="0" max="1" value=${share} aria-label=${param}></meter><span>${Math.round(100 * share)} %</span></li>`)}</ul>`}
  </section>`;
}

function Stopped({ name, chart }) {
  const rows = Object.entries(chart?.stopped ?? {}).reverse().slice(0, 8);
  if (!rows.length) return null;
  return html`<section class="card"><h2>Stopped early</h2><ul class="plain">${rows.map(([trial, verdict]) => html`<li key=${trial}>
    <a href=${link("trial", name, trial)}>trial ${trial}</a> ${verdict.reason || `stopped at epoch ${verdict.rung}: rank ${verdict.rank} of ${verdict.peers}; the best ${verdict.kept} go on`}</li>`)}</ul></section>`;
}

function Table({ study, chart, kept }) {
  const { name } = study;
  const [shown, setShown] = useState(25);
  const [sort, setSort] = useState({ by: null, down: true });
  if (!chart?.number.length) return null;
  const metrics = chart.objectives.filter((metric) => chart.values[metric]);
  const order = chart.number.map((_, i) => i).filter((i) => kept.has(chart.number[i]));
  const key = (i) => (sort.by === null ? chart.number[i] : chart.values[sort.by][i] ?? (sort.down ? -Infinity : Infinity));
  order.sort((a, b) => (sort.down ? key(b) - key(a) : key(a) - key(b)));
  const front = new Set(chart.front);
  const marked = { train_seconds: [new Set(chart.disturbed), "*"], latency_ms: [new Set(chart.rough_latency), "~"] };
  const mark = (metric, i) => (marked[metric]?.[0].has(chart.number[i]) ? marked[metric][1] : "");
  const marks = (metric) => metrics.includes(metric) && order.some((i) => mark(metric, i));
  const several = study.architectures.length > 1 ? chart.params.architecture : null;
  const head = (by, text) => html`<th aria-sort=${sort.by === by ? (sort.down ? "descending" : "ascending") : "none"}><button type="button" onClick=${() => setSort({ by, down: sort.by === by ? !sort.down : true })}>${text}</button></th>`;
  return html`<section class="card"><h2>Trials</h2><div class="scroll" tabindex="0" role="region" aria-label="Trials"><table>
    <thead><tr>${head(null, "Trial")}<th>State</th>${several && html`<th>Architecture</th>`}<th>Epochs</th>${metrics.map((metric) => head(metric, chart.metrics[metric].label))}<th>Front</th></tr></thead>
    <tbody>${order.slice(0, shown).map((i) => html`<tr key=${chart.number[i]}>
      <th scope="row"><a href=${link("trial", name, String(chart.number[i]))}>${chart.number[i]}</a></th><td><${Badge} state=${chart.state[i]} /></td>${several && html`<td>${several[i]}</td>`}<td>${chart.epochs[i]}</td>
      ${metrics.map((metric) => html`<td class="number">${number(chart.values[metric][i])}${mark(metric, i)}</td>`)}<td>${front.has(chart.number[i]) ? "yes" : ""}</td></tr>`)}</tbody>
  </table></div>
  ${marks("train_seconds") && html`<p class="quiet">* slowed by other work: over a quarter more wall time than CPU time per thread</p>`}
  ${marks("latency_ms") && html`<p class="quiet">~ measured next to other work</p>`}
  ${order.length > shown && html`<button type="button" onClick=${() => setShown(shown + 100)}>Show more (${shown} of ${plural(order.length, "trial")})</button>`}</section>`;
}
