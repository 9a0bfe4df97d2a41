// Try a face: images that are dropped or chosen, or a camera; nothing is kept, here or by the service.
import { html, useEffect, useRef, useState } from "./html.js";
import { get, studyPath, upload } from "./api.js";
import { number } from "./format.js";
import { Failure } from "./parts.js";
import { link } from "./route.js";
import { studies } from "./state.js";

const WIDTH = 480; // of a camera's frame as it is sent
const QUALITY = 0.8;
const SEARCHED = 256; // pixels at which faces before a camera are searched: they are near

export function Face({ study, trial }) {
  const [model, setModel] = useState(study ? { study, trial } : null);
  const [answers, setAnswers] = useState([]);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const [faces, setFaces] = useState(true);
  const path = model && studyPath(model.study, `/checkpoints/${model.trial}/predict?faces=${faces}`);
  const ask = async (files) => {
    if (!path || !files.length) return;
    setBusy(true);
    setError(null);
    try {
      const shown = [...files];
      const found = await upload(path, shown.map((file) => [file.name, file]));
      setAnswers(found.map((one, i) => ({ ...one, url: URL.createObjectURL(shown[i]) })));
    } catch (problem) {
      setError(problem);
    }
    setBusy(false);
  };
  const drop = (event) => {
    event.preventDefault();
    ask(event.dataTransfer.files);
  };
  return html`<main>
    <h1 tabindex="-1">Try a face</h1>
    <p class="quiet">Images and camera frames are processed in memory and never stored. A model classifies the expression that a face shows, not what a person feels. Do not use it to judge people at work or in school.</p>
    <${Chooser} model=${model} choose=${setModel} />
    ${model && html`<${Card} key=${`${model.study}/${model.trial}`} model=${model} />`}
    <label class="check"><input type="checkbox" checked=${faces} onChange=${(event) => setFaces(event.target.checked)} /> Detect faces first</label>
    <div class="grid">
      <section class="card drop" onDragOver=${(event) => event.preventDefault()} onDrop=${drop}>
        <h2>Images</h2>
        <label class="button">Choose images<input type="file" accept="image/*" multiple disabled=${!model} onChange=${(event) => ask(event.target.files)} /></label>
        <p class="quiet">or drop them here</p>
        <${Failure} error=${error} />
        <div aria-live="polite">${busy && html`<${FirstTime} />`}
        ${answers.map((one) => html`<${Answer} key=${one.url} answer=${one}><img src=${one.url} alt=${one.image} width=${one.width} height=${one.height} /></${Answer}>`)}</div>
      </section>
      <${Camera} path=${path} />
    </div>
  </main>`;
}

function Chooser({ model, choose }) {
  const [checkpoints, setCheckpoints] = useState([]);
  const names = (studies.value ?? []).filter((one) => one.counts.complete).map((one) => one.name);
  const study = model?.study ?? names[names.length - 1];
  useEffect(() => {
    if (!study) return;
    get(studyPath(study, "/checkpoints")).then((rows) => {
      const metric = Object.keys(rows[0]?.values ?? {}).includes("f1_macro") ? "f1_macro" : "accuracy";
      const ranked = [...rows].sort((a, b) => (b.values[metric] ?? 0) - (a.values[metric] ?? 0));
      setCheckpoints(ranked.map((row) => ({ ...row, metric })));
      if (ranked.length && !ranked.some((row) => row.trial === Number(model?.trial))) choose({ study, trial: ranked[0].trial });
    }, () => setCheckpoints([]));
  }, [study]);
  if (studies.value !== null && !names.length) return html`<p>No study has a complete trial yet. <a href=${link("new")}>Create a study</a>.</p>`;
  return html`<div class="fields">
    <label><span>Study</span><select value=${study} onChange=${(event) => choose({ study: event.target.value })}>${names.map((name) => html`<option value=${name}>${name}</option>`)}</select></label>
    <label><span>Checkpoint</span><select value=${String(model?.trial ?? "")} onChange=${(event) => choose({ study, trial: Number(event.target.value) })}>
      ${checkpoints.map((row) => html`<option value=${String(row.trial)}>trial ${row.trial} – ${row.metric} ${number(row.values[row.metric], 3)}</option>`)}</select></label>
  </div>`;
}

function Card({ model }) {
  const [study, setStudy] = useState(null);
  useEffect(() => {
    get(studyPath(model.study)).then(setStudy, () => setStudy(null));
  }, [model.study]);
  if (!study) return null;
  const seen = study.data?.seen ?? {};
  return html`<p class="quiet">Trained on ${study.dataset}${seen.counts ? ` (${seen.counts.train?.toLocaleString("en")} images)` : ""}. It assigns one of its classes to every face${seen.classes?.length ? `: ${seen.classes.join(", ")}` : ""}.</p>`;
}

const FirstTime = () => html`<p class="quiet">Predicting … The first time, the model is exported, which takes some seconds.</p>`;

function Answer({ answer, children }) {
  return html`<article class="answer">
    <div class="boxed">${children}<${Boxes} answer=${answer} /></div>
    ${answer.faces.map((face, i) => html`<${Bars} key=${i} face=${face} name=${answer.faces.length > 1 ? `Face ${i + 1}` : answer.image} />`)}
    ${answer.notes.map((note) => html`<p class="quiet">${note}</p>`)}
  </article>`;
}

function Boxes({ answer }) {
  return html`<svg viewBox=${`0 0 ${answer.width} ${answer.height}`} aria-hidden="true">${answer.faces.filter((face) => face.box).map((face) => {
    const [x, y, width, height] = face.box;
    return html`<g><rect x=${x} y=${y} width=${width} height=${height} /><text x=${x} y=${Math.max(14, y - 4)} style=${{ fontSize: `${Math.max(12, answer.width / 28)}px` }}>${face.label}</text></g>`;
  })}</svg>`;
}

function Bars({ face, name }) {
  const shares = Object.entries(face.probabilities).sort(([, a], [, b]) => b - a);
  return html`<section class="shares" aria-label=${name}><h3>${face.label} <small>${Math.round(100 * face.probabilities[face.label])} %</small></h3>
    <ul class="bars">${shares.map(([label, share]) => html`<li key=${label}><span>${label}</span><meter min="0" max="1" value=${share} aria-label=${label}></meter><span>${Math.round(100 * share)} %</span></li>`)}</ul></section>`;
}

function Camera({ path }) {
  const video = useRef(null);
  const running = useRef(null);
  const asked = useRef(path);
  const [state, setState] = useState({ on: false, error: null, answer: null, rate: 0 });
  asked.current = path;
  const stop = () => {
    running.current?.stream.getTracks().forEach((track) => track.stop());
    running.current?.abort.abort();
    running.current = null;
    setState((before) => ({ ...before, on: false, answer: null }));
  };
  useEffect(() => stop, []);
  const start = async () => {
    if (!navigator.mediaDevices) {
      setState({ on: false, error: { message: "the browser gives this page no camera", hint: "open the page over HTTPS, or on the machine where the service runs" } });
      return;
    }
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, facingMode: "user" } });
      video.current.srcObject = stream;
      await video.current.play();
      running.current = { stream, abort: new AbortController() };
      setState({ on: true, error: null, answer: null, rate: 0 });
      frames(running.current);
    } catch (error) {
      setState({ on: false, error: { message: `the camera cannot be used: ${error.message}`, hint: "allow it in the browser's settings" } });
    }
  };
  const frames = async (own) => {
    const canvas = document.createElement("canvas");
    const times = [];
    while (running.current === own) {
      const { videoWidth, videoHeight } = video.current;
      [canvas.width, canvas.height] = [WIDTH, Math.round((WIDTH * videoHeight) / videoWidth)];
      canvas.getContext("2d").drawImage(video.current, 0, 0, canvas.width, canvas.height);
      const frame = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
      try {
        const [answer] = await upload(`${asked.current}&longest=${SEARCHED}`, [["frame.jpg", frame]], own.abort.signal);
        times.push(performance.now());
        while (times.length > 20) times.shift();
        const rate = times.length > 1 ? (1000 * (times.length - 1)) / (times[times.length - 1] - times[0]) : 0;
        if (running.current === own) setState({ on: true, error: null, answer, rate });
      } catch (error) {
        if (error.name === "AbortError") return;
        setState((before) => ({ ...before, error }));
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    }
  };
  const { on, error, answer, rate } = state;
  return html`<section class="card"><h2>Camera</h2>
    <button type="button" disabled=${!path} onClick=${on ? stop : start}>${on ? "Stop camera" : "Start camera"}</button>
    ${on && html`<span class="quiet rate"> ${rate.toFixed(1)} frames per second</span>`}
    <${Failure} error=${error} />
    ${on && !answer && !error && html`<${FirstTime} />`}
    <div class="boxed" hidden=${!on}><video ref=${video} muted playsinline></video>${answer && html`<${Boxes} answer=${answer} />`}</div>
    ${answer?.faces.map((face, i) => html`<${Bars} key=${i} face=${face} name=${`Face ${i + 1}`} />`)}
  </section>`;
}
