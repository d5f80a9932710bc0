import type { SyncStore } from "../types.ts";
import type { Zip } from "../zip/zip.ts";

const metadataNames = ["zarr.json", ".zgroup", ".zarray", ".zmetadata"];
/** Folders that macOS adds to archives. */
const foreign = "__MACOSX/";

/** A hierarchy in an archive; when everything lies in one folder ("x.zarr/…"), that folder is the root. */
export function zipStore(zip: Zip): SyncStore {
  const names = zip.names().filter((name) => !name.startsWith(foreign));
  const root = rootOf(names);
  const folders = new Map<string, Set<string>>();
  for (const name of names) {
    if (!name.startsWith(root)) continue;
    const segments = name.slice(root.length).split("/");
    let prefix = "";
    for (const segment of segments) {
      const listed = folders.get(prefix) ?? new Set();
      folders.set(prefix, listed.add(segment));
      prefix += `${segment}/`;
    }
  }
  return {
    get(key, range) {
      const name = root + key;
      if (range === undefined) return zip.read(name);
      if ("start" in range) return zip.read(name, range);
      const size = zip.size(name);
      return size === undefined
        ? undefined
        : zip.read(name, { start: Math.max(0, size - range.suffix), end: size });
    },
    list: (prefix) => [...(folders.get(prefix) ?? [])],
    close: () => zip.close(),
  };
}

function rootOf(names: readonly string[]): string {
  const all = new Set(names);
  if (metadataNames.some((name) => all.has(name))) return "";
  const tops = new Set(names.map((name) => name.slice(0, name.indexOf("/") + 1)));
  const found = [...tops].filter((top) => top !== "" && metadataNames.some((name) => all.has(top + name)));
  return found.length === 1 ? found[0]! : "";
}
