import { AnnDataError } from "../errors.ts";
import type { Source } from "../storage.ts";
import { checkCount, type TenxFeatures, tenxVar } from "../tenx/features.ts";
import {
  emptyGroups,
  encodingOf,
  shapeAttr,
  textArray,
  virtualFrame,
  virtualSource,
} from "../virtual-source.ts";
import { findMtxFiles } from "./find-files.ts";
import { textChunks, textLines } from "./open-text.ts";
import { type MtxHeader, parseMtx } from "./parse.ts";
import { createSpool, type Spool } from "./spool.ts";

/**
 * A Matrix Market triple (matrix.mtx, barcodes.tsv, features.tsv or genes.tsv, each maybe gzipped) laid out as AnnData, cells as rows. The text
 * is parsed once, into a temporary folder that `close` removes; memory does not grow with it. Features × barcodes, as 10x writes, and barcodes
 * × features are told apart by the lists.
 *
 * @param path the folder, or the matrix itself
 * @throws AnnDataError "not-anndata" | "invalid" | "truncated" | "wrong-length" | "corrupt" | "too-large"
 */
export async function openMtxSource(path: string, maxBytes: number, tempDir?: string): Promise<Source> {
  const files = findMtxFiles(path);
  const barcodes = (await table(files.barcodes, maxBytes, barcodeTitle)).rows.map((row) => row[0] as string);
  const features = featuresOf(files.features, await table(files.features, maxBytes, featureTitle));
  let spool: Spool | undefined;
  let turned = false;
  try {
    const header = await parseMtx(
      textChunks(files.matrix),
      files.matrix,
      (found) => {
        turned = orientation(found, features.ids.length, barcodes.length, files.matrix);
        spool = createSpool(barcodes.length, found.field !== "real", tempDir);
      },
      ({ rows, columns, values, count }) => {
        checkWhole(values, count, files.matrix);
        const [cells, genes] = turned ? [rows, columns] : [columns, rows];
        (spool as Spool).append(cells, genes, values, count);
      },
    );
    return layOut(path, header, barcodes, features, spool as unknown as Spool);
  } catch (error) {
    spool?.close();
    throw error;
  }
}

const barcodeTitle = /^(barcodes?|cell_?(id|barcode)s?)$/i;
const featureTitle = /^((gene|feature|ensembl)[_. ]?(id|name|symbol)s?|genes?|features?)$/i;

interface Table {
  rows: string[][];
  /** Lines before them. */
  skipped: number;
}

/** The fields of a list. 10x writes neither titles nor quotes; other tools write a first line of titles, R's write.table quotes. */
async function table(path: string, maxBytes: number, title: RegExp): Promise<Table> {
  const rows = (await textLines(path, maxBytes)).map((line) => line.split("\t").map(unquoted));
  const skipped = title.test(rows[0]?.[0] ?? "") ? 1 : 0;
  return { rows: rows.slice(skipped), skipped };
}

function unquoted(field: string): string {
  return field.length > 1 && field.startsWith('"') && field.endsWith('"')
    ? field.slice(1, -1).replaceAll('""', '"')
    : field;
}

function checkWhole(values: Float64Array, count: number, path: string): void {
  for (let i = 0; i < count; i++) {
    const value = values[i] as number;
    if (Math.abs(value) >= 2 ** 31 && Number.isInteger(value))
      throw new AnnDataError(
        "unsupported",
        `${path} has the value ${value}, beyond the 32 bits that counts are kept in`,
      );
  }
}

/** Whether rows are cells. */
function orientation(header: MtxHeader, features: number, barcodes: number, path: string): boolean {
  if (header.rows === features && header.columns === barcodes) return false;
  if (header.rows === barcodes && header.columns === features) return true;
  throw new AnnDataError(
    "wrong-length",
    `${path} is ${header.rows} × ${header.columns}, but there are ${features} features and ${barcodes} barcodes beside it`,
  );
}

function featuresOf(path: string, { rows, skipped }: Table): TenxFeatures {
  // STARsolo writes a third column since 2.7.9; Cell Ranger 2 has two; hand-made files may have one.
  const width = rows[0]?.length ?? 0;
  for (const [i, row] of rows.entries())
    if (row.length !== width)
      throw new AnnDataError(
        "invalid",
        `${path}, line ${skipped + i + 1}: ${row.length} columns, but line ${skipped + 1} has ${width}`,
      );
  const column = (k: number) => rows.map((row) => row[k] as string);
  const columns = new Map<string, string[]>();
  if (width > 2) columns.set("feature_types", column(2));
  if (width > 3) columns.set("chromosome", column(3));
  if (width > 5) {
    columns.set("start", column(4));
    columns.set("end", column(5));
  }
  return { ids: column(0), names: width > 1 ? column(1) : column(0), columns };
}

function layOut(
  path: string,
  header: MtxHeader,
  barcodes: string[],
  features: TenxFeatures,
  spool: Spool,
): Source {
  const { indptr, columns, values } = spool.grouped();
  const entries = indptr[barcodes.length] as number;
  checkCount(path, "entries", entries, header.entries, "the size line says");
  const attributes = encodingOf("array", "0.2.0");
  return virtualSource(
    [
      [
        "/X",
        {
          kind: "group",
          attributes: {
            ...encodingOf("csr_matrix", "0.1.0"),
            shape: shapeAttr(barcodes.length, features.ids.length),
          },
        },
      ],
      [
        "/X/data",
        {
          kind: "array",
          type: header.field === "real" ? { kind: "float", size: 8 } : { kind: "int", size: 4, signed: true },
          shape: [entries],
          attributes,
          read: values,
        },
      ],
      [
        "/X/indices",
        {
          kind: "array",
          type: { kind: "int", size: 4, signed: true },
          shape: [entries],
          attributes,
          read: columns,
        },
      ],
      [
        "/X/indptr",
        {
          kind: "array",
          type: { kind: "int", size: 8, signed: true },
          shape: [indptr.length],
          attributes,
          read: (start, end) => BigInt64Array.from(indptr.subarray(start, end), BigInt),
        },
      ],
      ...virtualFrame("/obs", textArray(barcodes), new Map()),
      ...tenxVar(features),
      ...emptyGroups("/layers", "/obsm", "/obsp", "/varm", "/varp", "/uns"),
    ],
    { path, close: spool.close },
  );
}
