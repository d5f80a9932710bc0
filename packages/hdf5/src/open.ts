import { Hdf5Error } from "./errors.ts";
import { openFallback } from "./fallback.ts";
import { BeyondNative } from "./native/beyond-native.ts";
import { openNative } from "./native/reader.ts";
import type { DatasetInfo, H5Reader, ReaderOptions } from "./types.ts";
import { openWasm } from "./wasm-reader.ts";

const defaultMaxBytes = 1024 ** 3;

/**
 * Opens a local HDF5 file for reading. With engine "auto" the file is read by the engine written here; only what that does not know
 * is handed to h5wasm, call by call.
 *
 * @throws Hdf5Error
 */
export async function openH5(path: string, options: ReaderOptions = {}): Promise<H5Reader> {
  const { maxBytes = defaultMaxBytes, engine = "auto", debug } = options;
  if (engine === "wasm") return await openWasm(path, maxBytes);
  const native = openNative(path, { maxBytes });
  return engine === "native" ? native : withFallback(native, maxBytes, debug);
}

function withFallback(
  native: H5Reader,
  maxBytes: number,
  debug: ((message: string) => void) | undefined,
): H5Reader {
  let fallback: H5Reader | undefined;
  let open = true;
  const foreign = new Set<string>();

  function either<T>(ask: (reader: H5Reader) => T, foreignPath?: string): T {
    try {
      return ask(native);
    } catch (error) {
      if (!(error instanceof BeyondNative)) throw error;
      debug?.(`${error.message}; asking h5wasm`);
      try {
        fallback ??= openFallback(native.path, maxBytes);
        const answer = ask(fallback);
        if (foreignPath !== undefined) foreign.add(foreignPath);
        return answer;
      } catch (second) {
        // What the engine here said is more telling than that the fallback does not know it either.
        if (second instanceof Hdf5Error && second.tag !== "unsupported") throw second;
        throw error;
      }
    }
  }

  function close(): void {
    open = false;
    native.close();
    fallback?.close();
    fallback = undefined;
  }

  const has = (info: DatasetInfo): boolean => foreign.has(info.path);
  return {
    path: native.path,
    sizeBytes: native.sizeBytes,
    maxBytes,
    kind: (where) => either((reader) => reader.kind(where)),
    realPath: (where) => either((reader) => reader.realPath(where)),
    children: (where) => either((reader) => reader.children(where)),
    attributeNames: (where) => either((reader) => reader.attributeNames(where)),
    attribute: (where, name) => either((reader) => reader.attribute(where, name)),
    dataset: (where) => either((reader) => reader.dataset(where)),
    read: (info, start, end, columns, into) =>
      open && has(info) && fallback !== undefined
        ? fallback.read(info, start, end, columns)
        : either((reader) => reader.read(info, start, end, columns, into), info.path),
    storage(info) {
      if (has(info)) return undefined;
      try {
        return native.storage(info);
      } catch (error) {
        if (error instanceof BeyondNative) return undefined;
        throw error;
      }
    },
    close,
    [Symbol.dispose]: close,
  };
}
