import { Hdf5Error } from "./errors.ts";
import type { WasmHdf5 } from "./wasm-module.ts";

const maxHops = 16;
const maxPathChars = 4_096;

/** Absolute path split into names; "." is dropped and ".." has no meaning in HDF5. */
export function splitPath(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

/**
 * Walks a path link by link, so that HDF5 itself never follows one: soft links are resolved here, external ones refused.
 *
 * @returns the path without soft links, or undefined when a link on the way is missing
 * @throws Hdf5Error "refused-link"
 */
export function resolveLinks(
  hdf5: WasmHdf5,
  file: bigint,
  path: string,
  cache: Map<string, string | undefined>,
): string | undefined {
  if (cache.has(path)) return cache.get(path);
  if (path.length > maxPathChars) {
    throw new Hdf5Error("invalid-argument", `a path of ${path.length} characters is too long`);
  }
  let pending = splitPath(path);
  let resolved = "";
  let hops = 0;
  while (pending.length > 0) {
    const here = `${resolved}/${pending[0]}`;
    pending = pending.slice(1);
    const external = hdf5.get_external_link(file, here);
    if (external.filename !== undefined) {
      throw new Hdf5Error(
        "refused-link",
        `${here} is an external link to ${JSON.stringify(external.filename)}; links out of the file are not followed`,
      );
    }
    const target = hdf5.get_symbolic_link(file, here);
    if (target === null) {
      if (!cache.has(here)) cache.set(here, hdf5.get_type(file, here) < 0 ? undefined : here);
      if (cache.get(here) === undefined) return remember(cache, path, undefined);
      resolved = here;
      continue;
    }
    if (++hops > maxHops) {
      throw new Hdf5Error(
        "refused-link",
        `${path}: more than ${maxHops} soft links on the way; do they form a circle?`,
      );
    }
    pending = [...splitPath(target), ...pending];
    if (target.startsWith("/")) resolved = "";
  }
  return remember(cache, path, resolved === "" ? "/" : resolved);
}

function remember(
  cache: Map<string, string | undefined>,
  path: string,
  value: string | undefined,
): string | undefined {
  cache.set(path, value);
  return value;
}
