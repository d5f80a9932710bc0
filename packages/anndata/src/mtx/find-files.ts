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

/** Is this the name of a part of a triple? What macOS puts beside the files of an archive ("._matrix.mtx") is none. */
export function isMtxPart(name: string): boolean {
  return !name.startsWith("._") && Object.values(patterns).some((pattern) => pattern.test(name));
}

const isMatrix = (name: string) => isMtxPart(name) && patterns.matrix.test(name);

/** Does the path look like a Matrix Market triple: its folder, or the matrix itself? */
export function looksLikeMtx(path: string): boolean {
  if (patterns.matrix.test(path)) return true;
  try {
    return statSync(path).isDirectory() && readdirSync(path).some(isMatrix);
  } catch {
    return false;
  }
}

/**
 * The files of the triple in a folder, or beside a matrix; with several triples in a folder, those whose names begin like the matrix'.
 * Of several matrices in a folder, `matrix.mtx` is the one: STARsolo writes others beside it (`UniqueAndMult-EM.mtx`), which may be named.
 *
 * @throws AnnDataError "not-anndata" one of the three is missing, or which belong together cannot be told
 */
export function findMtxFiles(path: string): MtxFiles {
  const folder = statSync(path).isDirectory() ? path : dirname(path);
  const names = readdirSync(folder).filter(isMtxPart).sort();
  const all = folder === path ? names.filter(isMatrix) : [basename(path)];
  const usual = all.filter((name) => /^matrix\.mtx(\.gz)?$/i.test(name));
  const matrices = usual.length === 1 ? usual : all;
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
    barcodes: join(folder, partner(path, folder, names, matrix, "barcodes")),
    features: join(folder, partner(path, folder, names, matrix, "features")),
  };
}

function partner(
  path: string,
  folder: string,
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
      ? `${path}: ${matrix} has no ${wanted} (or .gz) beside it; the folder holds ${readdirSync(folder).sort().slice(0, 10).join(", ")}`
      : `${path}: several files may be the ${wanted} of ${matrix}: ${found.join(", ")}; put each matrix into a folder of its own`,
  );
}
