import { execFileSync } from "node:child_process";
import { globSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { digestOf, freshFolder } from "./fresh.mjs";

/** No garbage collector, no bounds checks of our own (WebAssembly has them), SIMD; every module has its own, unshared memory. */
const flags = ["-O3", "--noAssert", "--runtime", "stub", "--enable", "simd", "--enable", "bulk-memory"];

/**
 * AssemblyScript of packages/<name>/assembly into packages/<name>/src/gen: one .wasm file for each source file whose name does not begin
 * with "_"; those are for sharing.
 */
export function generateWasm(root, devDependencies) {
  for (const folder of globSync("packages/*/assembly", { cwd: root }).sort()) {
    const sources = globSync(`${folder}/*.ts`, { cwd: root }).sort();
    const out = join(root, dirname(folder), "src/gen");
    // A kernel may share sources of another package: inflate serves HDF5 and TIFF.
    const shared = globSync("packages/*/assembly/_*.ts", { cwd: root }).sort();
    const digest = digestOf(root, [...sources, ...shared], flags, devDependencies.assemblyscript);
    const made = freshFolder(out, digest, (fresh) => {
      for (const source of sources) {
        const name = basename(source, ".ts");
        if (name.startsWith("_")) continue;
        const compiler = join(root, "node_modules/assemblyscript/bin/asc.js");
        execFileSync(
          process.execPath,
          [compiler, source, ...flags, "--outFile", join(fresh, `${name}.wasm`)],
          {
            cwd: root,
            stdio: ["ignore", 2, 2],
          },
        );
      }
    });
    if (made) console.error(`compiled ${folder} to WebAssembly`);
  }
}
