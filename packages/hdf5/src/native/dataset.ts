import { checkDeclaredSize } from "../blocks.ts";
import { Hdf5Error } from "../errors.ts";
import type { DatasetInfo } from "../types.ts";
import { readChunkTable } from "./chunk-index.ts";
import { type ChunkTable, type Grid, gridOf } from "./chunk-table.ts";
import type { FileBytes } from "./file-bytes.ts";
import {
  bodyCursor,
  type Dataspace,
  type Fill,
  type Layout,
  readDataspace,
  readFill,
  readFilters,
  readLayout,
  readOldFill,
} from "./messages.ts";
import { type Message, messageTypes } from "./object-header.ts";
import { findBody, type Resolve } from "./shared.ts";
import { isBigEndian, publicType, readType, type StoredType } from "./stored-type.ts";

/** Everything the header of a dataset says. */
export interface StoredDataset {
  info: DatasetInfo;
  type: StoredType;
  space: Dataspace;
  layout: Layout;
  fill: Fill;
  /** For chunked layouts. */
  grid: Grid | undefined;
  /** Loaded with the first read. */
  table?: ChunkTable;
}

export function isDataset(messages: readonly Message[]): boolean {
  return [messageTypes.dataspace, messageTypes.datatype].every((type) =>
    messages.some((m) => m.type === type),
  );
}

/**
 * Reads the description of a dataset.
 *
 * @throws Hdf5Error "refused-link" for virtual datasets and external storage; "too-large" when the declared size cannot be true;
 *   "corrupt"; "unsupported"
 */
export function readDataset(
  file: FileBytes,
  resolve: Resolve,
  messages: readonly Message[],
  path: string,
): StoredDataset {
  const body = (type: number): Uint8Array | undefined => findBody(resolve, messages, type);
  const cursor = (type: number, name: string) => {
    const found = body(type);
    if (found === undefined) throw new Hdf5Error("corrupt", `${file.path}: ${path} has no ${name}`);
    return bodyCursor(file, found, `${name} of ${path}`);
  };
  if (body(messageTypes.external) !== undefined) {
    throw new Hdf5Error(
      "refused-link",
      `${path} keeps its data in other files; only the opened file is read`,
    );
  }
  const type = readType(cursor(messageTypes.datatype, "datatype"));
  const space = readDataspace(cursor(messageTypes.dataspace, "dataspace"));
  const layout = readLayout(cursor(messageTypes.layout, "layout"));
  if (layout.kind === "virtual") {
    throw new Hdf5Error(
      "refused-link",
      `${path} is a virtual dataset; save the file again so that it holds its own data`,
    );
  }
  const filterBody = body(messageTypes.filters);
  const filters =
    filterBody === undefined ? [] : readFilters(bodyCursor(file, filterBody, `filters of ${path}`));
  const fill = readFillOf(file, body, type, path);
  const info: DatasetInfo = {
    path,
    type: publicType(type),
    shape: space.shape,
    chunks: layout.kind === "chunked" ? layout.chunks : undefined,
    bigEndian: isBigEndian(type),
    filters,
    elementBytes: type.size,
    fillValue: fill.never ? undefined : fill.value,
  };
  const stored: StoredDataset = { info, type, space, layout, fill, grid: undefined };
  if (layout.kind === "chunked") {
    if (space.shape?.length !== layout.chunks.length || layout.elementBytes !== type.size) {
      throw new Hdf5Error(
        "corrupt",
        `${file.path}: ${path} has shape [${space.shape ?? "none"}] of ${type.size} bytes ` +
          `in chunks of shape [${layout.chunks}] of ${layout.elementBytes} bytes`,
      );
    }
    stored.grid = gridOf(space.shape, layout.chunks, path);
  }
  checkDeclaredSize(info, file.sizeBytes, path);
  return stored;
}

function readFillOf(
  file: FileBytes,
  body: (type: number) => Uint8Array | undefined,
  type: StoredType,
  path: string,
): Fill {
  const current = body(messageTypes.fill);
  const old = body(messageTypes.oldFill);
  const what = `fill value of ${path}`;
  const fill =
    current !== undefined
      ? readFill(bodyCursor(file, current, what))
      : old !== undefined
        ? readOldFill(bodyCursor(file, old, what))
        : { value: undefined, never: false };
  if (fill.value !== undefined && fill.value.length !== type.size) {
    throw new Hdf5Error(
      "corrupt",
      `${file.path}: ${what} has ${fill.value.length} bytes, elements have ${type.size}`,
    );
  }
  return fill;
}

/** The chunk index, read once. */
export function chunkTable(file: FileBytes, stored: StoredDataset): ChunkTable {
  if (stored.table !== undefined) return stored.table;
  const { layout, grid, info, space } = stored;
  if (layout.kind !== "chunked" || grid === undefined) throw new TypeError("not chunked");
  stored.table = readChunkTable({
    file,
    layout,
    grid,
    maxShape: space.maxShape,
    filtered: info.filters.length > 0,
    what: info.path,
  });
  return stored.table;
}
