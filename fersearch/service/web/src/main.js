// The page: a head, and the view that the address names.
import { html, render } from "./html.js";
import { Compare } from "./compare.js";
import { Create } from "./create.js";
import { Face } from "./face.js";
import { link, route } from "./route.js";
import { connection, me, start } from "./state.js";
import { Studies } from "./studies.js";
import { Study } from "./study.js";
import { TrialView } from "./trial.js";

const VIEWS = {
  "": () => html`<${Studies} />`,
  study: ([name]) => html`<${Study} key=${name} name=${name} />`,
  trial: ([name, number]) => html`<${TrialView} key=${`${name}/${number}`} name=${name} number=${+number} />`,
  new: () => html`<${Create} />`,
  face: ([name, number]) => html`<${Face} study=${name} trial=${number} />`,
  compare: ([names = ""]) => html`<${Compare} names=${names.split(",").filter(Boolean)} />`,
};

function Page() {
  const { view, parts } = route.value;
  const entry = (name, text) => html`<a href=${link(...name)} aria-current=${view === (name[0] ?? "") ? "page" : undefined}>${text}</a>`;
  return html`
    <header>
      <a class="brand" href=${link("")}>fersearch</a>
      <nav aria-label="Main">${entry([""], "Studies")}${entry(["compare", ""], "Compare")}${entry(["face"], "Try a face")}</nav>
      <span class=${`connection ${connection.value}`} role="status">${STATUS[connection.value]}</span>
      ${me.value && html`<span class="who">${me.value.name} (${me.value.role})</span>`}
    </header>
    ${(VIEWS[view] ?? (() => html`<main><h1>Page not found</h1><p><a href=${link("")}>← Studies</a></p></main>`))(parts)}`;
}

const STATUS = { live: "live", connecting: "connecting …", lost: "disconnected, reconnecting …" };

render(html`<${Page} />`, document.getElementById("app"));
start();
