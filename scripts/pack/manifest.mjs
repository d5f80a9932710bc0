import { isTestCode } from "../lint-imports/workspaces.mjs";
import { PackError } from "./error.mjs";

/** Doors to the sources, without those for tests: [["." , "src/index.ts"], …]. */
export function doorsOf({ name, manifest }) {
  const doors = Object.entries(manifest.exports ?? {})
    .map(([door, target]) => [door, target.replace(/^\.\//, "")])
    .filter(([, target]) => !isTestCode(`/${target}`));
  for (const [door, target] of doors)
    if (!/^src\/[^*]+\.ts$/.test(target))
      throw new PackError(`${name} exports ${door} as ${target}: only a file below src/ can be packed`);
  return doors;
}

/**
 * The package.json that is published. What is fixed there is taken from the package's own; what is of the whole repository (license,
 * repository, author) from the root's.
 *
 * @param versions of all packages of the repository that are packed, by name
 */
export function publishedManifest(entry, versions, rootManifest) {
  const { name, manifest } = entry;
  if (manifest.engines?.node === undefined)
    throw new PackError(`${name} does not say which Node it runs on: add "engines" to its package.json`);
  const shared = ["license", "repository", "homepage", "bugs", "author"].flatMap((key) => {
    const value = manifest[key] ?? rootManifest[key];
    return value === undefined ? [] : [[key, value]];
  });
  const exported = doorsOf(entry).map(([door, target]) => {
    const file = `./dist/${target.slice("src/".length, -".ts".length)}`;
    return [door, { types: `${file}.d.ts`, default: `${file}.js` }];
  });
  const dependencies = Object.entries(manifest.dependencies ?? {}).map(([dependency, range]) => [
    dependency,
    versions.get(dependency) ?? range,
  ]);
  return {
    name,
    version: manifest.version,
    description: manifest.description,
    ...(manifest.keywords && { keywords: manifest.keywords }),
    ...Object.fromEntries(shared),
    type: "module",
    engines: manifest.engines,
    exports: Object.fromEntries(exported),
    files: ["dist"],
    ...(dependencies.length > 0 && { dependencies: Object.fromEntries(dependencies) }),
  };
}
