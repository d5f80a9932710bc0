import { execFileSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { digestOf, freshFolder } from "./fresh.mjs";

/** protobuf-es code from proto/ into packages/contracts/src/gen. */
export function generateContracts(root, devDependencies) {
  const inputs = ["buf.gen.yaml", ...globSync("proto/**/*.proto", { cwd: root }).sort()];
  const made = freshFolder(
    join(root, "packages/contracts/src/gen"),
    digestOf(root, inputs, devDependencies),
    (fresh) => {
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
    },
  );
  if (made) console.error("generated packages/contracts/src/gen from proto/");
}
