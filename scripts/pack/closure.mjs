import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PackError } from "./error.mjs";

/**
 * The packages of these names and all packages of the repository that they depend on, dependencies first.
 * @returns {{name: string, folder: string, manifest: object}[]} `folder` is that below `packages/`
 */
export function closureOf(root, names) {
  const known = new Map(
    readdirSync(join(root, "packages")).map((folder) => {
      const manifest = JSON.parse(readFileSync(join(root, "packages", folder, "package.json"), "utf8"));
      return [manifest.name, { name: manifest.name, folder, manifest }];
    }),
  );
  const ordered = new Set();
  const visit = (name) => {
    const found = known.get(name);
    if (found === undefined) throw new PackError(`there is no package ${name} below packages/`);
    for (const dependency of Object.keys(found.manifest.dependencies ?? {}))
      if (known.has(dependency)) visit(dependency);
    ordered.add(found);
  };
  for (const name of names) visit(name);
  return [...ordered];
}
