// Small parts that every view uses.
import { html, useEffect, useRef, useState } from "./html.js";

export function Badge({ state }) {
  return html`<span class=${`badge ${state}`}>${state}</span>`;
}

export function Failure({ error }) {
  if (!error) return null;
  const lines = error.mistakes?.length ? error.mistakes : (error.hint ?? "").split("\n").filter(Boolean);
  return html`<div class="failure" role="alert">
    <strong>${error.message}</strong>
    ${lines.length > 0 && html`<ul>${lines.map((line) => html`<li>${line}</li>`)}</ul>`}
  </div>`;
}

export function Progress({ counts, total }) {
  const parts = ["complete", "pruned", "infeasible", "failed", "running"].filter((state) => counts[state]);
  const text = parts.map((state) => `${counts[state]} ${state}`).join(", ") || "none yet";
  const share = (state) => `${(100 * counts[state]) / Math.max(total, 1)}%`;
  return html`<div class="progress" role="img" aria-label=${`${text} of ${total} trials`} title=${text}>
    ${parts.map((state) => html`<span class=${state} style=${{ width: share(state) }}></span>`)}
  </div>`;
}

export function Facts({ facts }) {
  return html`<dl class="facts">
    ${Object.entries(facts).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
  </dl>`;
}

// The values of a form, and its submission by `send(values)`: busy meanwhile, emptied afterwards, or with its error.
export function useForm(send) {
  const [values, setValues] = useState({});
  const [state, setState] = useState({ error: null, busy: false });
  const submit = async (event) => {
    event.preventDefault();
    setState({ error: null, busy: true });
    try {
      await send(values);
      setValues({});
      setState({ error: null, busy: false });
    } catch (error) {
      setState({ error, busy: false });
    }
  };
  return { values, setValues, submit, ...state };
}

export function TextField({ name, title, placeholder, help, values, setValues }) {
  const change = (event) => setValues({ ...values, [name]: event.target.value });
  return html`<label><span>${title}</span><input type="text" name=${name} value=${values[name] ?? ""} placeholder=${placeholder} onInput=${change} /><small>${help}</small></label>`;
}

export function Copy({ text }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(text);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return html`<div class="command">
    <code>${text}</code>
    <button type="button" onClick=${copy}>${done ? "Copied" : "Copy"}</button>
  </div>`;
}

// What is loaded, anew and from nothing for other keys; after a change the old value stays until the new one is there.
export function useFetched(load, keys, changes = []) {
  const [state, setState] = useState({ value: null, error: null });
  const first = useRef(true);
  const reload = () =>
    load().then(
      (value) => setState({ value, error: null }),
      (error) => setState((before) => ({ value: before.value, error })),
    );
  useEffect(() => {
    setState({ value: null, error: null });
    reload();
  }, keys);
  useEffect(() => {
    if (!first.current) reload();
    first.current = false;
  }, changes);
  return { ...state, reload };
}
