import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type DatasetInfo, type H5Reader, type H5Type, type H5Values, Hdf5Error, openH5 } from "../index.ts";

const data = process.env.CYTOMESH_TEST_DATA ?? join(import.meta.dirname, "../../../../../shared/data");

/** Kinds that h5wasm describes as "other" or lays out differently in its memory. */
function comparable(type: H5Type): unknown {
  if (type.kind === "compound") {
    return type.members.map((member) => [member.name, comparable(member.type)]);
  }
  if (type.kind === "array") return [type.dims, comparable(type.base)];
  return ["vlen", "opaque", "reference", "other"].includes(type.kind) ? "other" : type;
}

function attempt<T>(ask: () => T): { value: T } | { tag: string } {
  try {
    return { value: ask() };
  } catch (error) {
    assert.ok(error instanceof Hdf5Error, (error as Error).stack);
    return { tag: error.tag };
  }
}

/** Both answers are equal, or the one here is an answer where h5wasm has none. */
function same<T>(
  label: string,
  native: H5Reader,
  wasm: H5Reader,
  ask: (reader: H5Reader) => T,
): T | undefined {
  const [ours, theirs] = [attempt(() => ask(native)), attempt(() => ask(wasm))];
  if ("tag" in theirs && theirs.tag === "unsupported" && "value" in ours) return ours.value;
  assert.deepEqual(ours, theirs, label);
  return "value" in ours ? ours.value : undefined;
}

function described(info: DatasetInfo): unknown {
  const { path, type, shape, chunks, bigEndian, filters } = info;
  return { path, type: comparable(type), shape, chunks, bigEndian, filters };
}

/** Numbers by their hash: comparing millions one by one takes long. */
function valuesOf(type: H5Type, values: H5Values): unknown {
  if (comparable(type) === "other") return "other";
  if (!ArrayBuffer.isView(values)) return values;
  return [values.constructor.name, values.length, createHash("sha256").update(values).digest("hex")];
}

function compare(label: string, native: H5Reader, wasm: H5Reader, path: string): void {
  const at = `${label}:${path}`;
  const kind = same(at, native, wasm, (reader) => reader.kind(path));
  same(at, native, wasm, (reader) => reader.realPath(path));
  for (const name of same(at, native, wasm, (reader) => reader.attributeNames(path)) ?? []) {
    same(`${at}@${name}`, native, wasm, (reader) => {
      const { type, shape, values } = reader.attribute(path, name)!;
      return { type: comparable(type), shape, values: valuesOf(type, values) };
    });
  }
  if (kind === "dataset") {
    same(at, native, wasm, (reader) => described(reader.dataset(path)));
    const info = native.dataset(path);
    same(at, native, wasm, (reader) => valuesOf(info.type, reader.read(reader.dataset(path))));
    const rows = info.shape?.[0] ?? 0;
    const [start, end] = [Math.floor(rows / 3), Math.ceil(rows / 2)];
    if (end > start)
      same(`${at} rows`, native, wasm, (reader) =>
        valuesOf(info.type, reader.read(reader.dataset(path), start, end)),
      );
    const columns = info.shape?.[1] ?? 0;
    if (columns > 2 && info.type.kind !== "compound") {
      const range = [1, columns - 1] as const;
      same(`${at} columns`, native, wasm, (reader) =>
        valuesOf(info.type, reader.read(reader.dataset(path), start, end, range)),
      );
    }
  }
  if (kind !== "group") return;
  for (const name of same(at, native, wasm, (reader) => reader.children(path)) ?? []) {
    compare(label, native, wasm, path === "/" ? `/${name}` : `${path}/${name}`);
  }
}

for (const folder of ["omics", "tenx"]) {
  test(`every object, attribute and value below ${folder} is what h5wasm reads`, async (t) => {
    const below = join(data, folder);
    if (!existsSync(below)) return t.skip("shared data not present");
    const names = readdirSync(below).filter((name) => /\.(h5|h5ad|h5mu|loom)$/.test(name));
    assert.ok(names.length > 0);
    for (const name of names) {
      const native = await openH5(join(below, name), { engine: "native" });
      const wasm = await openH5(join(below, name), { engine: "wasm" });
      compare(name, native, wasm, "/");
      native.close();
      wasm.close();
    }
  });
}
