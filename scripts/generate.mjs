// Generate protobuf-es code from proto/ into packages/contracts/src/gen, when the contracts or the generator changed.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, "packages/contracts/src/gen");
const stamp = join(out, ".stamp");

const inputs = ["buf.gen.yaml", "package.json", ...globSync("proto/**/*.proto", { cwd: root }).sort()];
const hash = createHash("sha256");
for (const path of inputs) hash.update(path).update(readFileSync(join(root, path)));
const digest = hash.digest("hex");

if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== digest || process.argv.includes("--force")) {
  rmSync(out, { recursive: true, force: true });
  const bin = join(root, "node_modules/.bin");
  execFileSync(join(bin, "buf"), ["generate"], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  });
  writeFileSync(stamp, digest);
  console.error("generated packages/contracts/src/gen from proto/");
}
