/**
 * Bundles the page into app/http/playground.
 *
 * With --check it compares the bundle with the one that is there instead; with --tests it bundles
 * the unit tests into .tests. esbuild's output depends on its version and the sources alone, so a
 * rebuild gives the same bytes.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const output = join(here, "../app/http/playground");
const shared = { absWorkingDir: here, bundle: true, target: "es2022", logLevel: "warning" };

/** The files of the page by name. */
async function bundle() {
  const { outputFiles } = await build({
    ...shared,
    entryPoints: { playground: "src/main.tsx", style: "src/styles/index.css" },
    outdir: output,
    write: false,
    format: "esm",
    jsx: "automatic",
    jsxImportSource: "preact",
    minify: true,
    charset: "utf8",
    legalComments: "none",
  });
  const files = new Map(outputFiles.map(({ path, contents }) => [basename(path), contents]));
  for (const name of ["index.html", "icon.svg"]) {
    files.set(name, readFileSync(join(here, "src", name)));
  }
  return files;
}

async function writeBundle() {
  const files = await bundle();
  rmSync(output, { recursive: true, force: true });
  mkdirSync(output, { recursive: true });
  for (const [name, contents] of files) writeFileSync(join(output, name), contents);
}

async function checkBundle() {
  const files = await bundle();
  const surplus = readdirSync(output).filter((name) => !files.has(name));
  const stale = [...files].filter(([name, contents]) => !isSame(join(output, name), contents));
  const wrong = [...surplus, ...stale.map(([name]) => name)];
  if (wrong.length === 0) return;
  console.error(`not what playground makes: ${wrong.join(", ")}; run make playground`);
  process.exitCode = 1;
}

function isSame(path, contents) {
  try {
    return readFileSync(path).equals(contents);
  } catch {
    return false;
  }
}

async function writeTests() {
  const tests = readdirSync(join(here, "tests")).filter((name) => name.endsWith(".test.ts"));
  rmSync(join(here, ".tests"), { recursive: true, force: true });
  await build({
    ...shared,
    entryPoints: tests.map((name) => join("tests", name)),
    outdir: ".tests",
    outExtension: { ".js": ".mjs" },
    platform: "node",
    format: "esm",
  });
}

const modes = new Map([
  ["--check", checkBundle],
  ["--tests", writeTests],
]);
await (modes.get(process.argv[2]) ?? writeBundle)();
