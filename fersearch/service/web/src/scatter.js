// Trials as points: F1 against a cost, the front marked; points of the front can be reached by keyboard.
import { html, useMemo } from "./html.js";
import { number } from "./format.js";
import { scale } from "./scales.js";

const [WIDTH, HEIGHT] = [440, 300];
const BOX = { left: 56, right: WIDTH - 12, top: 12, bottom: HEIGHT - 44 };

export function Scatter({ chart, x, y, selected, onSelect, dimmed = () => false }) {
  const { xs, ys, all, front } = useMemo(() => points(chart, x, y), [chart, x, y]);
  if (!all.length) return html`<figure class="chart"><svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} class="axes"><text class="label" x="12" y="24">No trial has ended with ${x.replaceAll("_", " ")} yet.</text></svg></figure>`;
  const isFront = new Set(chart.front);
  const dots = (test) => all.filter((one) => !isFront.has(one.number) && test(one)).map((one) => `M${one.px} ${one.py}h.01`).join("");
  const step = skyline(front).map((one, i) => (i ? `H${one.px}V${one.py}` : `M${one.px} ${one.py}`)).join("");
  const pick = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const [px, py] = [((event.clientX - box.left) / box.width) * WIDTH, ((event.clientY - box.top) / box.height) * HEIGHT];
    const near = all.map((one) => ({ one, far: Math.hypot(one.px - px, one.py - py) })).reduce((a, b) => (b.far < a.far ? b : a));
    if (near.far < 24) onSelect(near.one.number);
  };
  const mark = all.find((one) => one.number === selected);
  return html`<figure class="chart">
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} onClick=${pick} role="group" aria-label=${`${chart.metrics[y].label} against ${chart.metrics[x].label}`}>
      <${Axes} xs=${xs} ys=${ys} x=${chart.metrics[x].label} y=${chart.metrics[y].label} box=${BOX} />
      <path class="dots pruned" d=${dots((one) => one.state !== "complete" && !dimmed(one.number))} />
      <path class="dots faint" d=${dots((one) => dimmed(one.number))} />
      <path class="dots" d=${dots((one) => one.state === "complete" && !dimmed(one.number))} />
      <path class="step" d=${step} />
      ${front.map((one) => html`<circle key=${one.number} class=${`front ${dimmed(one.number) ? "faint" : ""}`} cx=${one.px} cy=${one.py} r="6"
        tabindex="0" role="button" aria-label=${`trial ${one.number}${one.architecture ? `, ${one.architecture}` : ""}: ${number(one.y)}, ${number(one.x)}`} aria-pressed=${one.number === selected}
        onFocus=${() => onSelect(one.number)} onKeyDown=${(event) => event.key === "Enter" && onSelect(one.number)} />`)}
      ${mark && html`<circle class="selected" cx=${mark.px} cy=${mark.py} r="10" />`}
    </svg>
  </figure>`;
}

export function Axes({ xs, ys, x, y, box }) {
  return html`<g class="axes" aria-hidden="true">
    ${ys.ticks.map((tick) => html`<g><line x1=${box.left} x2=${box.right} y1=${ys.at(tick)} y2=${ys.at(tick)} /><text x=${box.left - 6} y=${ys.at(tick) + 4} text-anchor="end">${number(tick, 3)}</text></g>`)}
    ${xs.ticks.map((tick) => html`<text x=${xs.at(tick)} y=${box.bottom + 16} text-anchor="middle">${number(tick, 3)}</text>`)}
    <text class="label" x=${(box.left + box.right) / 2} y=${box.bottom + 36} text-anchor="middle">${x}${xs.log ? " (log)" : ""}</text>
    <text class="label" transform=${`translate(14 ${(box.top + box.bottom) / 2}) rotate(-90)`} text-anchor="middle">${y}</text>
  </g>`;
}

// Of the front those that no other beats in the two things that are drawn.
export function skyline(front) {
  let best = Infinity;
  return front.filter((one) => one.py < best && (best = one.py));
}

function points(chart, x, y) {
  if (!chart.values[x] || !chart.values[y]) return { all: [] };
  const rows = chart.number.map((trial, i) => ({ number: trial, architecture: chart.params.architecture?.[i], state: chart.state[i], x: chart.values[x][i], y: chart.values[y][i] }));
  const able = rows.filter((one) => one.x !== null && one.y !== null && (one.state === "complete" || one.state === "pruned"));
  const xs = scale(able.map((one) => one.x), [BOX.left, BOX.right], chart.metrics[x].log);
  const ys = scale(able.map((one) => one.y), [BOX.bottom, BOX.top], false);
  const all = able.map((one) => ({ ...one, px: +xs.at(one.x).toFixed(1), py: +ys.at(one.y).toFixed(1) }));
  const members = new Set(chart.front);
  const front = all.filter((one) => members.has(one.number)).sort((a, b) => a.px - b.px);
  return { xs, ys, all, front };
}
