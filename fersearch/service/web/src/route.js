// Where the page is: #/study/NAME, #/trial/NAME/N, #/new, #/face, #/compare/A,B.
import { signal } from "./html.js";

const read = () => {
  const [, view = "", ...rest] = (location.hash || "#/").split("/");
  return { view, parts: rest.map(decodeURIComponent) };
};

export const route = signal(read());
addEventListener("hashchange", () => {
  route.value = read();
  document.querySelector("main h1")?.focus?.();
  scrollTo(0, 0);
});

export const link = (...parts) => `#/${parts.map(encodeURIComponent).join("/")}`;
export const go = (...parts) => (location.hash = link(...parts));
