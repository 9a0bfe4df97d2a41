// What the page knows: lists that events keep fresh, and the curves of the trials that run.
import { batch, signal } from "./html.js";
import { address, get, studyPath } from "./api.js";

const KINDS = ["started", "changed", "epoch", "judged", "stopped_early", "ended", "returned", "released", "front", "slots", "state", "failed"];
const LISTED = new Set(["started", "changed", "stopped_early", "ended", "returned", "slots", "state", "failed"]);

export const studies = signal(null);
export const queue = signal({ slots: 0, queue: [], reruns: [] });
export const me = signal(null);
export const connection = signal("connecting");
export const problem = signal(null);
export const live = signal({}); // study -> trial -> [{epoch, values}]
export const latest = signal(null); // the last event

const listeners = new Set();

export function listen(callback) {
  listeners.add(callback);
  return () => listeners.delete(callback);
}

export function throttled(callback, wait) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      callback();
    }, wait);
  };
}

export async function refresh() {
  try {
    const [list, slots] = await Promise.all([get("studies?limit=10000"), get("queue")]);
    batch(() => {
      studies.value = list;
      queue.value = slots;
      problem.value = null;
    });
  } catch (error) {
    problem.value = error;
  }
}

const refreshSoon = throttled(refresh, 700);

export async function start() {
  me.value = await get("me").catch(() => null);
  await refresh();
  connect();
}

function connect() {
  const source = new EventSource(address("events"));
  source.onopen = () => {
    if (connection.value === "lost") refresh();
    connection.value = "live";
  };
  source.onerror = () => {
    connection.value = "lost";
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
  };
  for (const kind of KINDS) source.addEventListener(kind, (message) => heard(JSON.parse(message.data)));
}

function heard(event) {
  if (event.kind === "epoch") addEpoch(event);
  if (["ended", "stopped_early", "returned"].includes(event.kind)) dropTrial(event);
  if (LISTED.has(event.kind)) refreshSoon();
  if (event.kind === "state") setTimeout(refreshSoon, 4000); // a driver has said that it ends before it is gone
  latest.value = event;
  for (const callback of listeners) callback(event);
}

function addEpoch({ study, trial, data }) {
  const trials = { ...live.value[study] };
  const known = (trials[trial] ?? []).filter((one) => one.epoch < data.epoch);
  trials[trial] = [...known, data];
  live.value = { ...live.value, [study]: trials };
}

function dropTrial({ study, trial }) {
  const { [trial]: _, ...rest } = live.value[study] ?? {};
  live.value = { ...live.value, [study]: rest };
}

export async function recall(study, numbers) {
  for (const number of numbers) {
    if (live.value[study]?.[number]) continue;
    const { history } = await get(studyPath(study, `/trials/${number}`));
    const epochs = history.map(({ epoch, round, values, seconds }) => ({ epoch, round, values, seconds }));
    live.value = { ...live.value, [study]: { [number]: epochs, ...live.value[study] } };
  }
}
