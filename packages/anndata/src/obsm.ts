import { dtypeOf } from "./columns.ts";
import { AnnDataError } from "./errors.ts";
import { valueArray } from "./matrix.ts";
import { plainNumbers, stringAttribute } from "./source.ts";
import type { Source, Values, ValueType } from "./storage.ts";

export interface Embedding {
  data: Float32Array | Float64Array;
  shape: [number, number];
}

/** obsm is a group of arrays, or before 0.7 one compound dataset with an array per key. */
export function obsmKeysOf(source: Source): string[] {
  const kind = source.kind("/obsm");
  if (kind === "group") return source.children("/obsm");
  const type = kind === "dataset" ? source.dataset("/obsm").type : undefined;
  return type?.kind === "compound" ? type.members.map((member) => member.name) : [];
}

/** @throws AnnDataError "not-found" | "unsupported" | "wrong-length" */
export function readObsm(source: Source, key: string, nObs: number): Embedding {
  const where = `/obsm/${key}`;
  if (!obsmKeysOf(source).includes(key))
    throw new AnnDataError("not-found", `obsm has no key ${JSON.stringify(key)}`);
  if (source.kind("/obsm") === "dataset") return readMember(source, key, nObs);
  if (source.kind(where) !== "dataset") {
    const encoding = stringAttribute(source, where, "encoding-type") ?? "a group";
    throw new AnnDataError("unsupported", `${where} is ${encoding}; only plain arrays of obsm are read`);
  }
  const info = source.dataset(where);
  const shape = info.shape ?? [];
  if (shape.length < 1 || shape.length > 2) {
    throw new AnnDataError("unsupported", `${where} has shape [${shape}], expected one or two axes`);
  }
  return toEmbedding(source.read(info), info.type, [shape[0]!, shape[1] ?? 1], where, nObs);
}

function readMember(source: Source, key: string, nObs: number): Embedding {
  const info = source.dataset("/obsm");
  if (info.type.kind !== "compound") throw new AnnDataError("invalid", "/obsm is no compound dataset");
  const type = info.type.members.find((member) => member.name === key)!.type;
  const width = type.kind === "array" ? type.dims.reduce((product, dim) => product * dim, 1) : 1;
  const values = (source.read(info) as Map<string, Values>).get(key)!;
  const base = type.kind === "array" ? type.base : type;
  return toEmbedding(values, base, [info.shape?.[0] ?? 0, width], `/obsm.${key}`, nObs);
}

function toEmbedding(
  values: Values,
  type: ValueType,
  shape: [number, number],
  where: string,
  nObs: number,
): Embedding {
  if (type.kind !== "int" && type.kind !== "float") {
    throw new AnnDataError("unsupported", `${where} holds ${type.kind}, expected numbers`);
  }
  if (shape[0] !== nObs) {
    throw new AnnDataError("wrong-length", `${where} has shape [${shape}], but obs has ${nObs} cells`);
  }
  const numbers = plainNumbers(values, where);
  if (numbers instanceof Float32Array || numbers instanceof Float64Array) return { data: numbers, shape };
  const data = valueArray(dtypeOf(type), numbers.length);
  data.set(numbers);
  return { data, shape };
}
