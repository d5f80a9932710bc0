import { elementCount } from "../blocks.ts";
import { Hdf5Error } from "../errors.ts";
import { filterRoute } from "../filters.ts";
import type { H5Storage } from "../types.ts";
import { BeyondNative } from "./beyond-native.ts";
import { chunkOffset, firstFrom } from "./chunk-table.ts";
import { chunkTable, type StoredDataset } from "./dataset.ts";
import type { FileBytes } from "./file-bytes.ts";
import { checkPadding } from "./read-rows.ts";

/**
 * Where the stored bytes of a dataset are.
 *
 * @param begin called before the chunk index is looked at: the file must still be open
 * @throws Hdf5Error; BeyondNative for filters that are not decoded here
 */
export function storageOf(file: FileBytes, stored: StoredDataset, begin: () => void): H5Storage {
  const { layout, grid, info } = stored;
  if (layout.kind === "compact") return { kind: "compact", data: layout.data };
  if (layout.kind === "contiguous") {
    if (layout.address === undefined) return { kind: "none" };
    const bytes = elementCount(stored.info.shape) * stored.type.size;
    if (layout.bytes !== undefined && layout.bytes < bytes) {
      throw new Hdf5Error(
        "corrupt",
        `${info.path}: ${layout.bytes} bytes are stored, its shape needs ${bytes}`,
      );
    }
    file.check(layout.address, bytes, info.path);
    return { kind: "contiguous", address: file.base + layout.address, bytes };
  }
  if (layout.kind !== "chunked" || grid === undefined) throw new TypeError(layout.kind);
  checkFilters(stored);
  checkPadding(stored);
  if (layout.address === undefined) return { kind: "none" };
  return {
    kind: "chunked",
    chunks(start, end) {
      begin();
      const rows = stored.info.shape![0]!;
      if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= rows)) {
        throw outOfRange(info.path, start, end, rows);
      }
      const table = chunkTable(file, stored);
      const from = firstFrom(table, Math.floor(start / grid.chunks[0]!) * grid.strides[0]!);
      const to = firstFrom(table, Math.ceil(end / grid.chunks[0]!) * grid.strides[0]!);
      return Array.from({ length: Math.max(0, to - from) }, (_, i) => ({
        offset: chunkOffset(grid, table.numbers[from + i]!),
        address: file.base + table.addresses[from + i]!,
        bytes: table.bytes[from + i]!,
        filterMask: table.masks[from + i]!,
      }));
    },
  };
}

/** @throws BeyondNative for filters that are not decoded here */
export function checkFilters({ info: { filters, path } }: StoredDataset): void {
  if (filterRoute(filters, path) === "here") return;
  const foreign = filters.find(({ id }) => id === 5 || id === 6);
  throw new BeyondNative(
    `${path}: filter ${foreign?.id} (${foreign?.name || "unnamed"}) is not decoded here`,
  );
}

export function outOfRange(where: string, start: number, end: number, rows: number): Hdf5Error {
  return new Hdf5Error("invalid-argument", `${where}: rows ${start} to ${end} asked for, it has ${rows}`);
}
