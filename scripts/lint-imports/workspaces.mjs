import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { filesBelow } from "../lib/walk.mjs";
import { isTypesOnly, readImports } from "./imports.mjs";

const SOURCE = /\.(ts|tsx|mts|mjs|js)$/;
// Generated and compiled code follows its generator's rules.
const GENERATED = /\/src\/gen\/|\.d\.ts$/;

/** Test files and what only they use: `*.test.ts`, `test-*.ts`, `test.ts`, and anything below a `testing/` or `test/` folder. */
export const isTestCode = (path) => /\.test\.\w+$|\/test-[^/]+$|\/(testing|test)\//.test(path);

const namesOf = (record) => Object.keys(record ?? {});

function readWorkspace(root, kind, folder) {
  const dir = `${kind}/${folder}`;
  const manifest = JSON.parse(readFileSync(join(root, dir, "package.json"), "utf8"));
  const files = filesBelow(join(root, dir))
    .map((path) => path.slice(root.length + 1).replaceAll("\\", "/"))
    .filter((path) => SOURCE.test(path) && !GENERATED.test(path))
    .map((path) => {
      const text = readFileSync(join(root, path), "utf8");
      return { path, ...readImports(text), typesOnly: isTypesOnly(text) };
    });
  return {
    kind: kind === "services" ? "service" : "package",
    dir,
    name: manifest.name,
    dependencies: new Set([
      ...namesOf(manifest.dependencies),
      ...namesOf(manifest.peerDependencies),
      ...namesOf(manifest.optionalDependencies),
    ]),
    devDependencies: new Set(namesOf(manifest.devDependencies)),
    doors: new Set(namesOf(manifest.exports)),
    files,
  };
}

/** Every package and service of the repository with its parsed sources, and what the root package.json offers to tests. */
export function readRepository(root) {
  const workspaces = ["packages", "services"].flatMap((kind) =>
    (existsSync(join(root, kind)) ? readdirSync(join(root, kind)) : [])
      .filter((folder) => existsSync(join(root, kind, folder, "package.json")))
      .map((folder) => readWorkspace(root, kind, folder)),
  );
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const shared = new Set([...namesOf(manifest.dependencies), ...namesOf(manifest.devDependencies)]);
  return { workspaces, shared };
}
