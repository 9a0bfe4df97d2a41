// Bundles the page: one script, one style sheet, names that change with their content, and the page that names them.
import { build } from "esbuild";
import { readFile, rm, writeFile, readdir } from "node:fs/promises";

const out = process.argv[2] ?? "dist";
await rm(out, { recursive: true, force: true });
const result = await build({
  entryPoints: ["src/main.js", "src/style.css"],
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  outdir: out,
  entryNames: "[name]-[hash]",
  legalComments: "linked",
  metafile: true,
});
const files = Object.keys(result.metafile.outputs).map((path) => path.split("/").pop());
const named = (prefix, suffix) => files.find((file) => file.startsWith(prefix) && file.endsWith(suffix));
const page = (await readFile("src/index.html", "utf8"))
  .replace("main.js", named("main-", ".js"))
  .replace("style.css", named("style-", ".css"));
await writeFile(`${out}/index.html`, page);
console.log((await readdir(out)).join("\n"));
