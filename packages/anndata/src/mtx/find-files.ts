import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { AnnDataError } from "../errors.ts";

/** The three files of a Matrix Market triple. */
export interface MtxFiles {
  matrix: string;
  barcodes: string;
  features: string;
}

/** Names as Cell Ranger (v2 `genes.tsv`, v3 `.gz`), STARsolo and repositories with a prefix before them write. */
const patterns = {
  matrix: /\.mtx(\.gz)?$/i,
  barcodes: /barcodes\.(tsv|txt|csv)(\.gz)?$/i,
  features: /(features|genes)\.(tsv|txt|csv)(\.gz)?$/i,
} as const;

/** Is this the name of a part of a triple? */
export function isMtxPart(name: string): boolean {
  return Object.values(patterns).some((pattern) => pattern.test(name));
}

/** Does the path look like a Matrix Market triple: its folder, or the matrix itself? */
export function looksLikeMtx(path: string): boolean {
  if (patterns.matrix.test(path)) return true;
  try {
    return statSync(path).isDirectory() && readdirSync(path).some((name) => patterns.matrix.test(name));
  } catch {
    return false;
  }
}

/**
 * The files of the triple in a folder, or beside a matrix; with several triples in a folder, those whose names begin like the matrix'.
 *
 * @throws AnnDataError "not-anndata" one of the three is missing, or which belong together cannot be told
 */
export function findMtxFiles(path: string): MtxFiles {
  const folder = statSync(path).isDirectory() ? path : dirname(path);
  const names = readdirSync(folder).sort();
  const matrices = folder === path ? names.filter((name) => patterns.matrix.test(name)) : [basename(path)];
  const [matrix] = matrices;
  if (matrix === undefined || matrices.length > 1)
    throw new AnnDataError(
      "not-anndata",
      matrix === undefined
        ? `${path}: no .mtx file in the folder`
        : `${path}: ${matrices.length} matrices (${matrices.join(", ")}); name the one to read`,
    );
  return {
    matrix: join(folder, matrix),
    barcodes: join(folder, partner(path, names, matrix, "barcodes")),
    features: join(folder, partner(path, names, matrix, "features")),
  };
}

function partner(
  path: string,
  names: readonly string[],
  matrix: string,
  part: "barcodes" | "features",
): string {
  const found = names.filter((name) => patterns[part].test(name));
  const prefix = matrix.replace(/(raw_sparse|filtered|matrix|[^._-]*)\.mtx(\.gz)?$/i, "");
  const best = found.length > 1 ? found.filter((name) => name.startsWith(prefix) && prefix !== "") : found;
  if (best.length === 1) return best[0] as string;
  const wanted = part === "features" ? "features.tsv or genes.tsv" : "barcodes.tsv";
  throw new AnnDataError(
    "not-anndata",
    found.length === 0
      ? `${path}: ${matrix} has no ${wanted} (or .gz) beside it; the folder holds ${names.slice(0, 10).join(", ")}`
      : `${path}: several files may be the ${wanted} of ${matrix}: ${found.join(", ")}; put each matrix into a folder of its own`,
  );
}
