// From values to pixels, and the ticks of an axis.
export function scale(values, [from, to], log) {
  const able = values.filter((value) => typeof value === "number" && (!log || value > 0));
  const turn = log ? Math.log10 : (value) => value;
  let low = turn(Math.min(...able));
  let high = turn(Math.max(...able));
  if (!able.length) [low, high] = [0, 1];
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const margin = (high - low) * 0.04;
  [low, high] = [low - margin, high + margin];
  const at = (value) => from + ((turn(value) - low) / (high - low)) * (to - from);
  const back = (pixel) => low + ((pixel - from) / (to - from)) * (high - low);
  return { at, value: (pixel) => (log ? 10 ** back(pixel) : back(pixel)), ticks: ticks(low, high, log), log };
}

function ticks(low, high, log) {
  if (log && high - low > 1.2) {
    const exponents = Array.from({ length: Math.floor(high) - Math.ceil(low) + 1 }, (_, i) => Math.ceil(low) + i);
    return exponents.map((exponent) => 10 ** exponent);
  }
  const [from, to] = log ? [10 ** low, 10 ** high] : [low, high];
  const rough = (to - from) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const first = Math.ceil(from / step);
  return Array.from({ length: Math.max(0, Math.floor(to / step) - first + 1) }, (_, i) => +((first + i) * step).toPrecision(12));
}
