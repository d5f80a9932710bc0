import { dtypeOf } from "./columns.ts";
import type { ArraySource } from "./elements/element.ts";
import { arrayAt } from "./elements/read-element.ts";
import { memberArrays } from "./elements/upgrade.ts";
import { AnnDataError } from "./errors.ts";
import { valueArray } from "./matrix.ts";
import { plainNumbers, stringAttribute } from "./source.ts";
import type { Source } from "./storage.ts";

export interface Embedding {
  data: Float32Array | Float64Array;
  shape: [number, number];
}

/** obsm is a group of arrays, or before 0.7 one compound dataset with an array per key. */
export function obsmKeysOf(source: Source, where: string): string[] {
  const kind = source.kind(where);
  if (kind === "group") return source.children(where);
  const type = kind === "dataset" ? source.dataset(where).type : undefined;
  return type?.kind === "compound" ? type.members.map((member) => member.name) : [];
}

/** One key of the compound dataset; a member that is a small array becomes further axes. */
export function memberOfCompound(source: Source, where: string, key: string): ArraySource {
  const info = source.dataset(where);
  const members = info.type.kind === "compound" ? info.type.members : [];
  const type = members.find((member) => member.name === key)?.type;
  if (type === undefined) throw new AnnDataError("not-found", `${where} has no key ${JSON.stringify(key)}`);
  return memberArrays(source, info)(key, type);
}

/** @throws AnnDataError "not-found" | "unsupported" | "wrong-length" */
export function readObsm(source: Source, key: string, nObs: number): Embedding {
  const where = `/obsm/${key}`;
  if (!obsmKeysOf(source, "/obsm").includes(key))
    throw new AnnDataError("not-found", `obsm has no key ${JSON.stringify(key)}`);
  if (source.kind("/obsm") === "dataset") {
    return toEmbedding(memberOfCompound(source, "/obsm", key), `/obsm.${key}`, nObs);
  }
  if (source.kind(where) !== "dataset") {
    const encoding = stringAttribute(source, where, "encoding-type") ?? "a group";
    throw new AnnDataError(
      "unsupported",
      `${where} is ${encoding}, not a plain array; aligned.obsm reads it`,
    );
  }
  return toEmbedding(arrayAt(source, where), where, nObs);
}

function toEmbedding({ type, shape, read }: ArraySource, where: string, nObs: number): Embedding {
  if (type.kind !== "int" && type.kind !== "float") {
    throw new AnnDataError("unsupported", `${where} holds ${type.kind}, expected numbers`);
  }
  if (shape.length < 1 || shape.length > 2) {
    throw new AnnDataError("unsupported", `${where} has shape [${shape}], expected one or two axes`);
  }
  if (shape[0] !== nObs) {
    throw new AnnDataError("wrong-length", `${where} has shape [${shape}], but obs has ${nObs} cells`);
  }
  const numbers = plainNumbers(read(), where);
  const size: [number, number] = [shape[0], shape[1] ?? 1];
  if (numbers instanceof Float32Array || numbers instanceof Float64Array)
    return { data: numbers, shape: size };
  const data = valueArray(dtypeOf(type), numbers.length);
  data.set(numbers);
  return { data, shape: size };
}
