import { readdirSync } from "node:fs";
import { join } from "node:path";

const SKIPPED = new Set(["node_modules", ".git", ".cytomesh", "dist"]);

/** Every file below `dir`, sorted, without dependencies and build output. Nothing when `dir` does not exist. */
export function filesBelow(dir) {
  let entries;
  try {
    entries = readdirSync(dir, { withFileTypes: true });
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw error;
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : filesBelow(join(dir, entry.name));
    return entry.isFile() ? [join(dir, entry.name)] : [];
  });
}
