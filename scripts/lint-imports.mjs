// The import rule of the house, which no general linter knows:
//
//   services-apart            services never import each other; they meet in proto/
//   packages-below-services   packages never import services. packages/cli may, by their door: `cytomesh up` runs them in one process
//   rooms                     inside a service: rpc (rest, edge) → services, schemas; services → data-manager, clients, schemas;
//                             data-manager → schemas; clients → schemas; schemas → nothing. main.ts and dependencies.ts → everything,
//                             and nothing imports them. errors.ts and types-only files at the root of src are open to every room
//   door                      a package is imported by its name, or a second door its package.json exports; @cytomesh/contracts has one per .proto.
//                             Kernels (packages/*/assembly) may share each other's sources whose names begin with "_"
//   declared                  what is imported is a dependency in the package.json of the workspace; tests and `import type` may use
//                             devDependencies, and those of the root
//   cycle                     packages do not depend on each other in a circle
//   named-exports             no `export default`, except in *.config.* files
//
//   node scripts/lint-imports.mjs [ROOT]
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { lintImports } from "./lint-imports/rules.mjs";
import { readRepository } from "./lint-imports/workspaces.mjs";

const root = resolve(process.argv[2] ?? dirname(dirname(fileURLToPath(import.meta.url))));
const repository = readRepository(root);
const problems = lintImports(repository);
for (const { file, line, rule, message } of problems) console.log(`${file}:${line}  [${rule}] ${message}`);
const count = repository.workspaces.reduce((sum, { files }) => sum + files.length, 0);
console.log(
  `import rule: ${problems.length === 0 ? "nothing" : `${problems.length} problems`} found in ${count} files`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
