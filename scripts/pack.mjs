// Makes packages of this repository installable elsewhere: one tarball for each package that is named, and for every package of ours that
// it depends on. The sources stay TypeScript that Node runs as it is; Node does not do so below node_modules, hence plain JavaScript here.
//
//   node scripts/pack.mjs [--package NAME]… [FOLDER]        default: @cytomesh/anndata into .cytomesh/packed
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { LaunchError } from "./launch/npm.mjs";
import { PackError } from "./pack/error.mjs";
import { packInto } from "./pack/pack-into.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

try {
  const { values, positionals } = parseArgs({
    options: { package: { type: "string", multiple: true, default: ["@cytomesh/anndata"] } },
    allowPositionals: true,
  });
  if (positionals.length > 1) throw new PackError(`one folder expected, found ${positionals.join(" ")}`);
  const folder = resolve(positionals[0] ?? join(root, ".cytomesh/packed"));
  const packed = await packInto(root, values.package, folder);
  for (const { name, version, tarball } of packed)
    console.log(`${name} ${version}  ${relative(process.cwd(), tarball)}`);
} catch (error) {
  const told =
    error instanceof PackError || error instanceof LaunchError || error.code?.startsWith("ERR_PARSE_ARGS");
  console.error(told ? error.message : error);
  process.exitCode = 1;
}
