// Generate protobuf-es code from proto/ into packages/contracts/src/gen, when the contracts or the generator changed.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, "packages/contracts/src/gen");
const stamp = join(out, ".stamp");

const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const inputs = ["buf.gen.yaml", ...globSync("proto/**/*.proto", { cwd: root }).sort()];
const hash = createHash("sha256").update(JSON.stringify(devDependencies));
for (const path of inputs) hash.update(path).update(readFileSync(join(root, path)));
const digest = hash.digest("hex");

if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== digest || process.argv.includes("--force")) {
  // Beside the target and then renamed: whoever imports the code meanwhile finds the old or the new, never half of it.
  const fresh = `${out}.new-${process.pid}`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  const bin = join(root, "node_modules/.bin");
  const template = readFileSync(join(root, "buf.gen.yaml"), "utf8").replace(
    /^(\s+out:).*$/m,
    `$1 ${relative(root, fresh)}`,
  );
  execFileSync(join(bin, "buf"), ["generate", "--template", template], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  });
  writeFileSync(join(fresh, ".stamp"), digest);
  const old = `${out}.old-${process.pid}`;
  if (existsSync(out)) renameSync(out, old);
  renameSync(fresh, out);
  rmSync(old, { recursive: true, force: true });
  console.error("generated packages/contracts/src/gen from proto/");
}
