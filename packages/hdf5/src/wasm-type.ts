import type { H5Type } from "./types.ts";
import type { WasmMetadata } from "./wasm-module.ts";

/** H5T_class_t */
const classes = { integer: 0, float: 1, string: 3, compound: 6, enum: 8, array: 10 } as const;
const classNames = [
  "integer",
  "float",
  "time",
  "string",
  "bit field",
  "opaque",
  "compound",
  "reference",
  "enum",
  "variable-length sequence",
  "array",
];

export function toType(meta: WasmMetadata): H5Type {
  if (meta.type === classes.integer && isIntSize(meta.size)) {
    return { kind: "int", size: meta.size, signed: meta.signed };
  }
  if (meta.type === classes.float && (meta.size === 2 || meta.size === 4 || meta.size === 8)) {
    return { kind: "float", size: meta.size };
  }
  if (meta.type === classes.string) {
    return { kind: "string", size: meta.vlen ? "variable" : meta.size, utf8: meta.cset === 1 };
  }
  if (meta.type === classes.enum && meta.enum_type?.type === classes.integer && isIntSize(meta.size)) {
    const base = { kind: "int", size: meta.size, signed: meta.signed } as const;
    return { kind: "enum", base, members: { ...meta.enum_type.members } };
  }
  if (meta.type === classes.compound && meta.compound_type !== undefined) {
    const members = meta.compound_type.members.map((member) => ({
      name: member.name,
      offset: member.offset,
      type: toType(member),
    }));
    return { kind: "compound", size: meta.size, members };
  }
  if (meta.type === classes.array && meta.array_type?.shape != null) {
    return { kind: "array", size: meta.size, dims: meta.array_type.shape, base: toType(meta.array_type) };
  }
  return {
    kind: "other",
    description: `${classNames[meta.type] ?? `class ${meta.type}`} of ${meta.size} bytes`,
  };
}

/** Bytes of one element as the wasm module lays it out in its heap. */
export function memoryBytes(type: H5Type): number | undefined {
  if (type.kind === "string") return type.size === "variable" ? 4 : type.size;
  if (type.kind === "enum") return type.base.size;
  return type.kind === "other" ? undefined : type.size;
}

export function hasPointers(type: H5Type): boolean {
  if (type.kind === "compound") return type.members.some((member) => hasPointers(member.type));
  if (type.kind === "array") return hasPointers(type.base);
  return type.kind === "string" && type.size === "variable";
}

function isIntSize(size: number): size is 1 | 2 | 4 | 8 {
  return size === 1 || size === 2 || size === 4 || size === 8;
}
