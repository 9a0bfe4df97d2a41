// The API: records in, records out; an error carries the words of the command line.
const BASE = new URL("api/v1/", document.baseURI);

export class Problem extends Error {
  constructor(status, { detail, hint = "", mistakes = [] }) {
    super(detail);
    Object.assign(this, { status, hint, mistakes });
  }
}

export const address = (path) => new URL(path.replace(/^\//, ""), BASE).href;

export const studyPath = (name, rest = "") => `studies/${name.split("/").map(encodeURIComponent).join("/")}${rest}`;

export async function get(path, options = {}) {
  return (await send("GET", path, undefined, options)).json();
}

export async function text(path) {
  return (await send("GET", path)).text();
}

export async function post(path, body) {
  return (await send("POST", path, body)).json();
}

export async function remove(path) {
  await send("DELETE", path);
}

export async function upload(path, files, signal) {
  const form = new FormData();
  for (const [name, blob] of files) form.append("images", blob, name);
  return (await request(path, { method: "POST", body: form, signal })).json();
}

function send(method, path, body, options = {}) {
  const json = body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  return request(path, { method, ...json, ...options });
}

async function request(path, options) {
  let answer;
  try {
    answer = await fetch(address(path), { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "the service does not answer", hint: "it may be restarting; the page reconnects by itself" });
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({ detail: `${answer.status} ${answer.statusText}` }));
  throw new Problem(answer.status, problem);
}
