import { resolve } from "node:path";
import { blockRows, checkDeclaredSize, elementCount, joinValues, rowElements } from "./blocks.ts";
import { decodeElements, noValues } from "./decode.ts";
import { Hdf5Error } from "./errors.ts";
import { checkFallbackFilters } from "./filters.ts";
import { resolveLinks, splitPath } from "./links.ts";
import { checkSuperblock } from "./superblock.ts";
import type { DatasetInfo, H5Attribute, H5Kind, H5Numbers, H5Reader, H5Type, H5Values } from "./types.ts";
import {
  explainLog,
  returnSandbox,
  type Sandbox,
  takeSandbox,
  type WasmHdf5,
  type WasmMetadata,
} from "./wasm-module.ts";
import { hasPointers, memoryBytes, toType } from "./wasm-type.ts";

const maxAttributeBytes = 64 * 1024 * 1024;
/** Variable-length strings are turned into JavaScript strings in passes of this many. */
const stringsPerBlock = 65_536;
const kinds: Record<number, H5Kind> = { 0: "group", 1: "dataset", 2: "datatype" };

/**
 * Opens a local HDF5 file with h5wasm. Asynchronous only because the wasm module loads on the first call in a thread; each open file
 * has a sandbox of its own, so damage done by one file does not reach another.
 *
 * @throws Hdf5Error
 */
export async function openWasm(path: string, maxBytes: number): Promise<H5Reader> {
  const { sizeBytes } = checkSuperblock(path);
  const sandbox = await takeSandbox();
  try {
    return openIn(sandbox, path, sizeBytes, maxBytes);
  } catch (error) {
    returnSandbox(sandbox);
    throw error;
  }
}

function openIn(sandbox: Sandbox, path: string, sizeBytes: number, maxBytes: number): H5Reader {
  const absolute = resolve(path);
  sandbox.allowedPath = absolute;
  const links = new Map<string, string | undefined>();
  const infos = new Map<string, DatasetInfo>();
  let file: bigint | undefined;

  /** Runs one call into the sandbox and turns whatever goes wrong into a typed error. */
  function run<T>(where: string, call: (hdf5: WasmHdf5, file: bigint) => T): T {
    if (file === undefined) throw new Hdf5Error("closed", `${path} is closed`);
    sandbox.log = "";
    try {
      return call(sandbox.hdf5, file);
    } catch (error) {
      throw explain(error, where);
    }
  }

  function explain(error: unknown, where: string): Hdf5Error {
    if (sandbox.refusedPath !== undefined) {
      return new Hdf5Error(
        "refused-link",
        `${where} refers to another file (${JSON.stringify(sandbox.refusedPath)}); only the opened file is read`,
        { cause: error },
      );
    }
    if (error instanceof Hdf5Error) return error;
    sandbox.tainted = true;
    // WebAssembly.RuntimeError has no type without the DOM library.
    const trapped = error instanceof Error && (error.name === "RuntimeError" || error instanceof RangeError);
    const reason = trapped ? `the HDF5 reader stopped: ${error.message}` : explainLog(sandbox.log);
    return new Hdf5Error("corrupt", `${path}: ${where} cannot be read: ${reason}`, { cause: error });
  }

  function locate(where: string): string {
    const found = run(where, (hdf5, id) => resolveLinks(hdf5, id, where, links));
    if (found === undefined) throw new Hdf5Error("not-found", `${path}: there is no ${where}`);
    return found;
  }

  function dataset(where: string): DatasetInfo {
    const at = locate(where);
    const known = infos.get(at);
    if (known !== undefined) return known;
    const info = run(where, (hdf5, id) => describe(hdf5, id, at));
    checkDeclaredSize(info, sizeBytes, at);
    infos.set(at, info);
    return info;
  }

  function read(
    info: DatasetInfo,
    start = 0,
    end = info.shape?.[0] ?? 1,
    columns?: readonly [number, number],
  ): H5Values {
    const rows = readRows(info, start, end);
    return columns === undefined ? rows : cutColumns(info, rows, columns);
  }

  function readRows(info: DatasetInfo, start: number, end: number): H5Values {
    const where = info.path;
    if (info.shape === undefined) return noValues(info.type, where);
    const rows = info.shape[0] ?? 1;
    if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= rows)) {
      throw new Hdf5Error("invalid-argument", `${where}: rows ${start} to ${end} asked for, it has ${rows}`);
    }
    checkLimit(info, end - start, maxBytes);
    if (elementCount([end - start, ...info.shape.slice(1)]) === 0) return noValues(info.type, where);
    checkFallbackFilters(info.filters, where);
    return run(where, (_, id) => readBlocks(sandbox, id, info, start, end));
  }

  function close(): void {
    if (file === undefined) return;
    try {
      sandbox.hdf5.close_file(file);
    } catch {
      sandbox.tainted = true;
    }
    file = undefined;
    returnSandbox(sandbox);
  }

  const reader: H5Reader = {
    path,
    sizeBytes,
    maxBytes,
    kind: (where) => {
      const at = run(where, (hdf5, id) => resolveLinks(hdf5, id, where, links));
      return at === undefined ? undefined : run(where, (hdf5, id) => kinds[hdf5.get_type(id, at)]);
    },
    realPath: (where) => run(where, (hdf5, id) => resolveLinks(hdf5, id, where, links)),
    children: (where) => run(where, (hdf5, id) => hdf5.get_names(id, locate(where), false)),
    attributeNames: (where) => run(where, (hdf5, id) => hdf5.get_attribute_names(id, locate(where))),
    attribute: (where, name) => {
      const at = locate(where);
      return run(`${where}, attribute ${name}`, (hdf5, id) =>
        hdf5.get_attribute_names(id, at).includes(name) ? readAttribute(hdf5, id, at, name) : undefined,
      );
    },
    dataset,
    read,
    storage: () => undefined,
    close,
    [Symbol.dispose]: close,
  };

  try {
    const id = sandbox.hdf5.open(absolute, 0, false, -1, -1);
    if (id >= 0n) file = id;
  } catch (error) {
    throw explain(error, "/");
  }
  if (file === undefined) {
    sandbox.tainted = true;
    throw new Hdf5Error("corrupt", `${path} cannot be opened: ${explainLog(sandbox.log)}`);
  }
  return reader;
}

/** The fallback reads whole rows. */
function cutColumns(info: DatasetInfo, values: H5Values, [from, to]: readonly [number, number]): H5Values {
  const shape = info.shape ?? [];
  const width = shape[1];
  if (width === undefined || !(Number.isInteger(from) && 0 <= from && from <= to && to <= width)) {
    throw new Hdf5Error(
      "invalid-argument",
      `${info.path}: columns ${from} to ${to} asked for, its shape is [${shape}]`,
    );
  }
  const inner = elementCount(shape.slice(2)) * perElement(info.type);
  const cut = <T extends H5Numbers | string[]>(list: T): T => {
    const rows = Math.floor(list.length / (width * inner));
    const parts = Array.from({ length: rows }, (_, row) =>
      list.slice((row * width + from) * inner, (row * width + to) * inner),
    );
    return joinValues(parts.length === 0 ? [list.slice(0, 0)] : parts) as T;
  };
  if (Array.isArray(values)) return cut(values);
  if (ArrayBuffer.isView(values)) return cut(values);
  throw new Hdf5Error("unsupported", `${info.path}: columns of ${info.type.kind} elements`);
}

function perElement(type: H5Type): number {
  return type.kind === "array" ? elementCount(type.dims) * perElement(type.base) : 1;
}

function describe(hdf5: WasmHdf5, file: bigint, at: string): DatasetInfo {
  if (hdf5.get_type(file, at) !== 1) throw new Hdf5Error("not-found", `${at} is not a dataset`);
  const meta = hdf5.get_dataset_metadata(file, at);
  if (meta.virtual_sources !== undefined) {
    throw new Hdf5Error(
      "refused-link",
      `${at} is a virtual dataset; save the file again so that it holds its own data`,
    );
  }
  return {
    path: `/${splitPath(at).join("/")}`,
    type: toType(meta),
    shape: meta.shape ?? undefined,
    chunks: meta.chunks ?? undefined,
    bigEndian: !meta.littleEndian && meta.size > 1 && (meta.type === 0 || meta.type === 1),
    filters: hdf5
      .get_dataset_filters(file, at)
      .map(({ id, name, cd_values }) => ({ id, name, values: cd_values })),
    elementBytes: meta.size,
    fillValue: undefined,
  };
}

function checkLimit(info: DatasetInfo, rows: number, maxBytes: number): void {
  const bytes = rows * rowElements(info.shape ?? []) * (memoryBytes(info.type) ?? 1);
  if (bytes > maxBytes) {
    throw new Hdf5Error(
      "too-large",
      `${info.path}: reading ${rows} rows takes ${bytes} bytes, the limit is ${maxBytes}`,
    );
  }
}

function readBlocks(sandbox: Sandbox, file: bigint, info: DatasetInfo, start: number, end: number): H5Values {
  const step = hasPointers(info.type) ? Math.min(stringsPerBlock, blockRows(info)) : blockRows(info);
  const parts: H5Values[] = [];
  for (let from = start; from < end; ) {
    const to = Math.min(end, (Math.floor(from / step) + 1) * step);
    parts.push(readBlock(sandbox, file, info, from, to));
    from = to;
  }
  return joinValues(parts);
}

function readBlock(sandbox: Sandbox, file: bigint, info: DatasetInfo, from: number, to: number): H5Values {
  const { hdf5 } = sandbox;
  const shape = info.shape!;
  const size = memoryBytes(info.type);
  if (size === undefined) return noValues(info.type, info.path);
  const scalar = shape.length === 0;
  const count = scalar ? null : [to - from, ...shape.slice(1)].map(BigInt);
  const offset = scalar ? null : [from, ...shape.slice(1).map(() => 0)].map(BigInt);
  const ones = scalar ? null : shape.map(() => 1n);
  const bytes = (to - from) * rowElements(shape) * size;
  return withHeap(hdf5, bytes, info.path, (at) => {
    if (hdf5.get_dataset_data(file, info.path, count, offset, ones, BigInt(at)) < 0) {
      throw new Error("H5Dread failed");
    }
    try {
      return decodeElements(
        hdf5.HEAPU8.slice(at, at + bytes) as Uint8Array<ArrayBuffer>,
        info.type,
        hdf5.HEAPU8,
        info.path,
      );
    } finally {
      if (hasPointers(info.type)) {
        if (count === null) hdf5.reclaim_vlen_memory(file, info.path, "", BigInt(at));
        else hdf5.reclaim_vlen_memory_count(file, info.path, "", BigInt(at), count);
      }
    }
  });
}

function readAttribute(hdf5: WasmHdf5, file: bigint, path: string, name: string): H5Attribute {
  const meta: WasmMetadata = hdf5.get_attribute_metadata(file, path, name);
  const type: H5Type = toType(meta);
  const where = `${path}, attribute ${name}`;
  const shape = meta.shape ?? undefined;
  const size = memoryBytes(type);
  const bytes = elementCount(shape) * (size ?? 0);
  if (bytes > maxAttributeBytes) {
    throw new Hdf5Error("too-large", `${where} has ${bytes} bytes, at most ${maxAttributeBytes} are read`);
  }
  if (bytes === 0 || size === undefined)
    return { type, shape, values: size === undefined ? [] : noValues(type, where) };
  const values = withHeap(hdf5, bytes, where, (at) => {
    if (hdf5.get_attribute_data(file, path, name, BigInt(at)) < 0) throw new Error("H5Aread failed");
    try {
      return decodeElements(
        hdf5.HEAPU8.slice(at, at + bytes) as Uint8Array<ArrayBuffer>,
        type,
        hdf5.HEAPU8,
        where,
      );
    } finally {
      if (hasPointers(type)) hdf5.reclaim_vlen_memory(file, path, name, BigInt(at));
    }
  });
  return { type, shape, values };
}

/** HEAPU8 is looked up after every call: memory may have grown and the old view be detached. */
function withHeap<T>(hdf5: WasmHdf5, bytes: number, where: string, use: (at: number) => T): T {
  const at = hdf5._malloc(bytes);
  if (at === 0)
    throw new Hdf5Error("too-large", `${where}: the reader's heap has no room for ${bytes} bytes`);
  // Zeroed, so that pointers in elements HDF5 left untouched are null, not leftovers.
  hdf5.HEAPU8.fill(0, at, at + bytes);
  try {
    return use(at);
  } finally {
    hdf5._free(at);
  }
}
