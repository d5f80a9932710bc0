import { randomBytes } from "node:crypto";
import { renameSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { createH5, type DatasetInput, type DatasetValues, type H5Writer } from "@cytomesh/hdf5";
import { AnnDataError } from "./errors.ts";
import { asAnnDataError, typed } from "./source.ts";
import type { ArrayLayout, Sink, SinkOptions, ValueType } from "./storage.ts";

/** Level 1 with byte shuffle and run-length matching: half the size of plain level 4 on counts, at twice the speed. */
const defaultLevel = 1;

/** More threads than this only wait for the one that reads. */
const mostThreads = 4;

/** Length, heap address and heap index of a variable-length string. */
const heapReferenceBytes = 16;

/**
 * An .h5ad file as a sink: written beside the target under a temporary name and renamed by `finish`.
 *
 * @throws AnnDataError "invalid-argument" | "permission-denied" | "write-failed"
 */
export function createH5Sink(path: string, options: SinkOptions = {}): Sink {
  const level = options.level ?? defaultLevel;
  if (!(Number.isInteger(level) && level >= 1 && level <= 9)) {
    throw new AnnDataError("invalid-argument", `deflate level ${level}, expected 1 to 9`);
  }
  const storage = options.compression === "none" ? {} : { deflate: { level } };
  const threads = options.threads ?? Math.min(mostThreads, availableParallelism());
  // Same folder, so that the rename stays on one file system.
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  const out: H5Writer = typed(() => createH5(temporary, { threads }));
  let open = true;
  const input = (layout: ArrayLayout): DatasetInput => ({
    type: diskType(layout.type),
    shape: layout.shape,
    ...storage,
    ...(layout.chunkRows === undefined ? {} : { chunkRows: layout.chunkRows }),
  });
  return {
    format: "h5ad",
    group: (where) => typed(() => out.group(where)),
    attribute: (where, name, value) => typed(() => out.attribute(where, name, value)),
    dataset: async (where, layout, values) =>
      typed(() => out.dataset(where, input(layout), values as DatasetValues)),
    appendable: (where, layout) => {
      const dataset = typed(() => out.appendable(where, input(layout)));
      return {
        append: async (values) => typed(() => dataset.append(values as DatasetValues)),
      };
    },
    finish: async () => {
      typed(() => out.finish());
      try {
        renameSync(temporary, path);
      } catch (error) {
        throw writeError(error, path);
      }
      open = false;
    },
    abort: async () => {
      if (!open) return;
      open = false;
      out.abort();
      rmSync(temporary, { force: true });
    },
  };
}

/** Records are packed anew: in memory their strings are pointers, on disk references into the heap. */
function diskType(type: ValueType): ValueType {
  if (type.kind !== "compound") return type;
  let offset = 0;
  const members = type.members.map((member) => {
    const inner = diskType(member.type);
    const packed = { name: member.name, offset, type: inner };
    offset += diskBytes(inner);
    return packed;
  });
  return { kind: "compound", size: offset, members };
}

function diskBytes(type: ValueType): number {
  if (type.kind === "string") return type.size === "variable" ? heapReferenceBytes : type.size;
  if (type.kind === "enum") return type.base.size;
  return type.kind === "other" ? 0 : type.size;
}

export function writeError(error: unknown, path: string): unknown {
  const known = asAnnDataError(error);
  if (known instanceof AnnDataError || !(error instanceof Error) || !("code" in error)) return known;
  return new AnnDataError("write-failed", `${path}: cannot be written: ${error.message}`, { cause: error });
}
