// Parallel coordinates: one axis for each parameter and objective; a range dragged on an axis keeps the trials within.
import { html, useMemo, useState } from "./html.js";
import { number } from "./format.js";
import { scale } from "./scales.js";

const [HEIGHT, TOP, BOTTOM, GAP] = [280, 40, 250, 120];
const MOST = 9;
const DRAWN = 250; // lines of each kind: more make a block

export function Parallel({ chart, brushes, onBrush }) {
  const axes = useMemo(() => axesOf(chart), [chart]);
  const [drag, setDrag] = useState(null);
  if (axes.length < 2) return null;
  const width = GAP * axes.length;
  const kept = keepers(chart, brushes);
  const members = new Set(chart.front);
  const complete = chart.number.map((_, i) => i).filter((i) => chart.state[i] === "complete");
  const [within, outside] = [complete.filter((i) => kept.has(chart.number[i])), complete.filter((i) => !kept.has(chart.number[i]))];
  const lines = (rows) => thinned(rows).map((i) => path(axes, i)).join("");
  const at = (event) => {
    const box = event.currentTarget.ownerSVGElement.getBoundingClientRect();
    return Math.min(BOTTOM, Math.max(TOP, ((event.clientY - box.top) / box.height) * HEIGHT));
  };
  const down = (axis) => (event) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    setDrag({ axis, from: at(event), to: at(event) });
  };
  const move = (event) => drag && setDrag({ ...drag, to: at(event) });
  const up = () => {
    if (!drag) return;
    const [low, high] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    onBrush(drag.axis.name, high - low < 4 ? null : { low, high, axis: drag.axis });
    setDrag(null);
  };
  const key = (axis) => (event) => {
    const before = brushes[axis.name] ?? { low: TOP, high: BOTTOM, axis };
    const step = { ArrowUp: -10, ArrowDown: 10 }[event.key];
    if (event.key === "Escape") onBrush(axis.name, null);
    if (!step) return;
    event.preventDefault();
    const edge = event.shiftKey ? "high" : "low";
    onBrush(axis.name, { ...before, [edge]: Math.min(BOTTOM, Math.max(TOP, before[edge] + step)) });
  };
  const range = (axis) => (drag?.axis === axis ? { low: Math.min(drag.from, drag.to), high: Math.max(drag.from, drag.to) } : brushes[axis.name]);
  return html`<figure class="chart parallel"><div class="scroll" tabindex="0" role="region" aria-label="Parallel coordinates">
    <svg viewBox=${`0 0 ${width} ${HEIGHT}`} style=${{ minWidth: `${width * 0.8}px` }} role="group" aria-label="Parallel coordinates of the complete trials">
      <path class="lines faint" d=${lines(outside)} />
      <path class="lines" d=${lines(within)} />
      <path class="lines best" d=${lines(within.filter((i) => members.has(chart.number[i])))} />
      ${axes.map((axis) => html`<g key=${axis.name} class="axis">
        <line x1=${axis.x} x2=${axis.x} y1=${TOP} y2=${BOTTOM} />
        <text class="label" x=${axis.x} y="16" text-anchor="middle">${axis.label}</text>
        ${axis.ticks.map(([text, y]) => html`<text x=${axis.x + 6} y=${y + 4}>${text}</text>`)}
        ${range(axis) && html`<rect class="brush" x=${axis.x - 7} width="14" y=${range(axis).low} height=${Math.max(1, range(axis).high - range(axis).low)} />`}
        <rect class="handle" x=${axis.x - 14} width="28" y=${TOP} height=${BOTTOM - TOP} tabindex="0" role="slider"
          aria-label=${`${axis.label}: arrow keys move the upper bound, with Shift the lower bound; Escape clears both`} aria-valuetext=${range(axis) ? "bounded" : "all"}
          aria-valuenow=${Math.round(range(axis)?.low ?? TOP)}
          onPointerDown=${down(axis)} onPointerMove=${move} onPointerUp=${up} onKeyDown=${key(axis)} />
      </g>`)}
    </svg></div>
    <figcaption>${within.length} of ${complete.length} complete trials selected${within.length > DRAWN ? `, ${DRAWN} of them drawn` : ""}; the front is highlighted.</figcaption>
  </figure>`;
}

function thinned(rows) {
  const step = Math.max(1, rows.length / DRAWN);
  return Array.from({ length: Math.min(rows.length, DRAWN) }, (_, i) => rows[Math.floor(i * step)]);
}

export function keepers(chart, brushes) {
  const bounds = Object.values(brushes).filter(Boolean);
  const within = (i) => bounds.every(({ axis, low, high }) => {
    const y = axis.at(i);
    return y !== null && y >= low && y <= high;
  });
  return new Set(chart.number.filter((_, i) => within(i)));
}

function axesOf(chart) {
  const params = Object.entries(chart.params).slice(0, MOST).map(([name, values]) => ({ name, label: name.replaceAll("_", " "), values }));
  const metrics = chart.objectives.filter((name) => chart.values[name]).map((name) => ({ name, label: chart.metrics[name].label, values: chart.values[name], log: chart.metrics[name].log }));
  return [...params, ...metrics].map((axis, i) => ({ ...axis, x: GAP * (i + 0.5), ...placed(axis) }));
}

function placed({ name, values, log }) {
  const able = values.filter((value) => value !== null);
  if (able.every((value) => typeof value === "number")) {
    const logged = log || /rate|decay/.test(name);
    const axis = scale(able, [BOTTOM, TOP], logged && able.every((value) => value > 0));
    return { at: (i) => (values[i] === null ? null : axis.at(values[i])), ticks: axis.ticks.map((tick) => [number(tick, 2), axis.at(tick)]) };
  }
  const kinds = [...new Set(able.map(String))].sort();
  const y = (text) => (kinds.length === 1 ? (TOP + BOTTOM) / 2 : BOTTOM - (kinds.indexOf(text) / (kinds.length - 1)) * (BOTTOM - TOP));
  return { at: (i) => (values[i] === null ? null : y(String(values[i]))), ticks: kinds.map((text) => [text, y(text)]) };
}

function path(axes, i) {
  let pen = "M";
  return axes.map((axis) => {
    const y = axis.at(i);
    if (y === null) {
      pen = "M";
      return "";
    }
    const step = `${pen}${axis.x} ${y.toFixed(1)}`;
    pen = "L";
    return step;
  }).join("");
}
