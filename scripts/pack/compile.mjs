import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative } from "node:path";
import { filesBelow } from "../lib/walk.mjs";
import { readImports } from "../lint-imports/imports.mjs";
import { isTestCode } from "../lint-imports/workspaces.mjs";
import { PackError } from "./error.mjs";
import { doorsOf } from "./manifest.mjs";

/** Files that are reached by address: worker threads and WebAssembly modules. */
const addresses = /\bnew URL\("(\.[^"]+)", import\.meta\.url\)/g;

/**
 * Type-checks the packages and writes each one's JavaScript and declarations to `staging/<folder>/dist`: what its doors and its worker
 * threads reach, so neither tests nor what only they use. Types and comments apart, the code stays as it is; only `using` is spelt out.
 * There are no source maps: they would show the same lines with types.
 */
export function compile(root, entries, staging) {
  const packages = join(root, "packages");
  const emitted = join(staging, ".emitted");
  mkdirSync(emitted, { recursive: true });
  const project = join(emitted, "tsconfig.json");
  const compilerOptions = {
    noEmit: false,
    noEmitOnError: true,
    declaration: true,
    allowImportingTsExtensions: false,
    rewriteRelativeImportExtensions: true,
    target: "es2024",
    rootDir: packages,
    outDir: emitted,
    typeRoots: [join(root, "node_modules/@types")],
  };
  const files = entries.flatMap((entry) => sourcesToStartFrom(packages, entry));
  const extended = join(root, "tsconfig.json");
  writeFileSync(project, JSON.stringify({ extends: extended, compilerOptions, include: [], files }));
  runCompiler(root, project);
  for (const entry of entries) {
    const dist = join(staging, entry.folder, "dist");
    mkdirSync(dirname(dist), { recursive: true });
    renameSync(join(emitted, entry.folder, "src"), dist);
    for (const path of filesBelow(dist)) settle(path, dist, join(packages, entry.folder, "src"));
    for (const path of filesBelow(dist)) if (/\.(js|d\.ts)$/.test(path)) checkImports(path, entry);
  }
}

function sourcesToStartFrom(packages, entry) {
  const src = join(packages, entry.folder, "src");
  const doors = doorsOf(entry).map(([, target]) => join(packages, entry.folder, target));
  const byAddress = filesBelow(src)
    .filter((path) => path.endsWith(".ts") && !isTestCode(path.slice(src.length)))
    .flatMap((path) =>
      [...readFileSync(path, "utf8").matchAll(addresses)].map(([, to]) => join(dirname(path), to)),
    );
  return [...doors, ...byAddress.filter((path) => path.endsWith(".ts"))];
}

function runCompiler(root, project) {
  try {
    execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", project], {
      encoding: "utf8",
    });
  } catch (error) {
    throw new PackError(`the packages do not compile:\n${error.stdout}`, { cause: error });
  }
}

/** Sets right what the compiler leaves: addresses in code, endings in declarations; and fetches the files that addresses name. */
function settle(path, dist, src) {
  const text = readFileSync(path, "utf8");
  const settled = path.endsWith(".js")
    ? text.replace(addresses, (whole, to) => {
        if (to.endsWith(".ts")) return whole.replace(/\.ts"/, '.js"');
        const target = join(dirname(path), to);
        mkdirSync(dirname(target), { recursive: true });
        cpSync(join(src, relative(dist, target)), target);
        return whole;
      })
    : text.replace(/(\bfrom |\bimport\()"(\.[^"]+)\.ts"/g, '$1"$2.js"');
  if (settled !== text) writeFileSync(path, settled);
}

/** Whoever installs the package has Node, what it lists, and its own files; nothing else may be named. */
function checkImports(path, { name, manifest }) {
  const text = readFileSync(path, "utf8");
  const { imports } = readImports(text);
  const own = [...text.matchAll(addresses)].map(([, to]) => to);
  for (const specifier of [...imports.map((found) => found.specifier), ...own]) {
    if (isBuiltin(specifier)) continue;
    const [, dependency] = /^((?:@[^/]+\/)?[^/]+)/.exec(specifier);
    const declaration = path.endsWith(".d.ts") ? specifier.replace(/\.js$/, ".d.ts") : specifier;
    const known = specifier.startsWith(".")
      ? existsSync(join(dirname(path), declaration))
      : manifest.dependencies?.[dependency] !== undefined;
    if (!known) throw new PackError(`${path}: "${specifier}" is not in the package ${name}`);
  }
}
