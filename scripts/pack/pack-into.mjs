import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runNpm } from "../launch/npm.mjs";
import { closureOf } from "./closure.mjs";
import { compile } from "./compile.mjs";
import { publishedManifest } from "./manifest.mjs";

/**
 * Packs these packages, and those of the repository that they need, into tarballs in `folder`.
 * @returns {Promise<{name: string, version: string, tarball: string}[]>} dependencies first
 * @throws PackError | LaunchError
 */
export async function packInto(root, names, folder) {
  const entries = closureOf(root, names);
  const versions = new Map(entries.map(({ name, manifest }) => [name, manifest.version]));
  const rootManifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const staging = mkdtempSync(join(tmpdir(), "cytomesh-pack-"));
  try {
    compile(root, entries, staging);
    for (const entry of entries) {
      const manifest = publishedManifest(entry, versions, rootManifest);
      const target = join(staging, entry.folder);
      writeFileSync(join(target, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
      cpSync(join(root, "packages", entry.folder, "README.md"), join(target, "README.md"));
      if (existsSync(join(root, "LICENSE"))) cpSync(join(root, "LICENSE"), join(target, "LICENSE"));
    }
    mkdirSync(folder, { recursive: true });
    const folders = entries.map((entry) => `./${entry.folder}`);
    await runNpm(process.execPath, ["pack", "--pack-destination", folder, ...folders], {
      cwd: staging,
      what: "npm pack",
    });
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
  return entries.map(({ name, manifest }) => ({
    name,
    version: manifest.version,
    tarball: join(folder, `${name.replace("@", "").replace("/", "-")}-${manifest.version}.tgz`),
  }));
}
