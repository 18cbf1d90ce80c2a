/**
 * Bundles the page into app/http/playground, or with --tests the unit tests into .tests.
 *
 * esbuild's output depends on its version and the sources alone, so a rebuild gives the same bytes.
 */
import { copyFileSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const output = join(here, "../app/http/playground");
const shared = { absWorkingDir: here, bundle: true, target: "es2022", logLevel: "warning" };

async function buildPage() {
  rmSync(output, { recursive: true, force: true });
  mkdirSync(output, { recursive: true });
  await build({
    ...shared,
    entryPoints: { playground: "src/main.tsx", style: "src/styles/index.css" },
    outdir: output,
    format: "esm",
    jsx: "automatic",
    jsxImportSource: "preact",
    minify: true,
    charset: "utf8",
    legalComments: "none",
  });
  for (const file of ["index.html", "icon.svg"]) {
    copyFileSync(join(here, "src", file), join(output, file));
  }
}

async function buildTests() {
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

await (process.argv.includes("--tests") ? buildTests() : buildPage());
