// Curves drawn by uPlot, in the colours of the page, as wide as there is room.
import uPlot from "uplot";
import { html, useEffect, useRef } from "./html.js";

const COLOURS = ["--blue", "--orange", "--green", "--purple", "--red", "--teal", "--pink", "--olive"];
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]; // epochs and trials are counted
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function Lines({ data, names, label, height = 190, x = "epoch", stepped = false }) {
  const place = useRef(null);
  const plot = useRef(null);
  const shape = names.join("|");
  useEffect(() => {
    const text = colour("--quiet");
    const axis = { stroke: text, grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") }, font: "12px system-ui" };
    const series = names.map((name, i) => ({
      label: name,
      stroke: colour(COLOURS[i % COLOURS.length]),
      width: 2,
      spanGaps: true,
      points: { show: data[0].length < 30, size: 5 },
      paths: stepped ? uPlot.paths.stepped({ align: 1 }) : undefined,
    }));
    const options = {
      width: place.current.clientWidth,
      height,
      scales: { x: { time: false }, y: { range: (_, low, high) => bounds(low, high) } },
      axes: [{ ...axis, label: x, labelSize: 18, incrs: WHOLE }, { ...axis, size: 52, values: (_, ticks, index, space, step) => ticks.map((tick) => tickLabel(tick, step)) }],
      series: [{ label: x }, ...series],
      legend: { show: names.length > 1, live: false },
      cursor: { y: false },
    };
    plot.current = new uPlot(options, data, place.current);
    const resize = new ResizeObserver(() => plot.current.setSize({ width: place.current.clientWidth, height }));
    resize.observe(place.current);
    return () => {
      resize.disconnect();
      plot.current.destroy();
    };
  }, [shape, height, stepped]);
  useEffect(() => plot.current?.setData(data), [data]);
  return html`<figure class="chart" style=${{ minHeight: `${height + (names.length > 1 ? 28 : 0)}px` }}>
    <figcaption>${label}</figcaption><div ref=${place} role="img" aria-label=${label}></div>
  </figure>`;
}

// What an axis shows. Values that differ by rounding alone count as one: uPlot would look for ticks between them for ever.
export function bounds(low, high) {
  if (low === null || high === null) return [null, null];
  const size = Math.max(Math.abs(low), Math.abs(high)) || 1;
  if (high - low > 1e-6 * size) return uPlot.rangeNum(low, high, 0.1, true);
  const middle = (low + high) / 2;
  return [middle - 0.05 * size, middle + 0.05 * size];
}

// A tick with the decimals that its distance to the next one needs: steps are 1, 2, 2.5 or 5 times a power of ten.
export function tickLabel(tick, step) {
  const decimals = Math.min(Math.max(1 - Math.floor(Math.log10(step)), 0), 20);
  return tick.toLocaleString("en", { maximumFractionDigits: decimals });
}

// Several curves of [x, y] pairs as uPlot wants them: one column of x, one of y for each.
export function aligned(curves) {
  const xs = [...new Set(curves.flatMap((curve) => curve.map(([x]) => x)))].sort((a, b) => a - b);
  const columns = curves.map((curve) => {
    const known = new Map(curve);
    return xs.map((x) => known.get(x) ?? null);
  });
  return [xs, ...columns];
}
