import { columnStrings, toColumn } from "../columns.ts";
import { AnnDataError } from "../errors.ts";
import { plainNumbers } from "../source.ts";
import type { Source } from "../storage.ts";
import {
  emptyGroups,
  encodingOf,
  shapeAttr,
  textArray,
  type VirtualNode,
  virtualFrame,
  virtualSource,
} from "../virtual-source.ts";
import { checkCount, type TenxFeatures, tenxVar } from "./features.ts";

/** Columns of features under the names that scanpy gives them. */
const renamed: Record<string, string> = { feature_type: "feature_types" };

/** Arrays of a genome group of Cell Ranger 1 and 2. */
const v2Arrays = ["barcodes", "genes", "gene_names", "data", "indices", "indptr", "shape"];

/** Is this a matrix of Cell Ranger, of which layout? */
export function tenxLayout(source: Source): "v2" | "v3" | undefined {
  const has = (name: string) => source.kind(`/matrix/${name}`) !== undefined;
  if (source.kind("/matrix") === "group" && has("barcodes") && has("features") && has("indptr")) return "v3";
  return genomesOf(source).length > 0 ? "v2" : undefined;
}

function genomesOf(source: Source): string[] {
  const names = source.children("/");
  // A file with very many groups is something else, and looking into all of them takes time.
  if (names.length > 64) return [];
  return names.filter(
    (name) =>
      source.kind(`/${name}`) === "group" &&
      v2Arrays.every((array) => source.kind(`/${name}/${array}`) === "dataset"),
  );
}

/**
 * A 10x HDF5 matrix laid out as AnnData. Its columns are barcodes, compressed by column: as rows of cells that is CSR as it stands, so X is
 * read in place. Several genomes of a Cell Ranger 2 file are put side by side in memory, cells being the union of their barcodes.
 *
 * @throws AnnDataError "wrong-length" | "invalid" | "too-large"
 */
export function tenxSource(source: Source, maxBytes: number): Source {
  if (tenxLayout(source) === "v3") return oneMatrix(source, "/matrix", featuresOf(source));
  const genomes = genomesOf(source);
  const [only] = genomes;
  if (genomes.length === 1 && only !== undefined) return oneMatrix(source, `/${only}`, genesOf(source, only));
  return sideBySide(source, genomes, maxBytes);
}

function featuresOf(source: Source): TenxFeatures {
  const at = "/matrix/features";
  const ids = strings(source, `${at}/id`);
  const columns = new Map<string, string[]>();
  for (const name of source.children(at)) {
    if (name === "id" || name === "name" || name.startsWith("_")) continue;
    if (source.kind(`${at}/${name}`) !== "dataset" || source.dataset(`${at}/${name}`).shape?.length !== 1)
      continue;
    const values = strings(source, `${at}/${name}`);
    checkCount(`${source.path}, ${at}/${name}`, "values", values.length, ids.length, "features are");
    columns.set(renamed[name] ?? name, values);
  }
  // Files made by hand may have ids alone, as folders may.
  const names = source.kind(`${at}/name`) === undefined ? ids : strings(source, `${at}/name`);
  return { ids, names, columns };
}

function genesOf(source: Source, genome: string): TenxFeatures {
  const ids = strings(source, `/${genome}/genes`);
  const columns = new Map([["genome", ids.map(() => genome)]]);
  return { ids, names: strings(source, `/${genome}/gene_names`), columns };
}

/** Barcodes and features by the declared shape, features × barcodes. */
function checkedShape(source: Source, where: string, features: TenxFeatures, barcodes: number): void {
  const [rows, columns] = Array.from(
    plainNumbers(source.read(source.dataset(`${where}/shape`)), `${where}/shape`),
  );
  const path = `${source.path}, ${where}`;
  checkCount(path, "features", features.ids.length, rows ?? -1, "shape says");
  checkCount(path, "names of features", features.names.length, rows ?? -1, "shape says");
  checkCount(path, "barcodes", barcodes, columns ?? -1, "shape says");
}

function oneMatrix(source: Source, where: string, features: TenxFeatures): Source {
  const barcodes = strings(source, `${where}/barcodes`);
  checkedShape(source, where, features, barcodes.length);
  const link = (name: string): [string, VirtualNode] => [
    `/X/${name}`,
    { kind: "link", target: `${where}/${name}`, attributes: encodingOf("array", "0.2.0") },
  ];
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
      ...["data", "indices", "indptr"].map(link),
      ...virtualFrame("/obs", textArray(barcodes), new Map()),
      ...tenxVar(features),
      ...emptyGroups("/layers", "/obsm", "/obsp", "/varm", "/varp", "/uns"),
    ],
    { path: source.path, base: source },
  );
}

interface Genome {
  features: TenxFeatures;
  barcodes: string[];
  indptr: ArrayLike<number>;
  indices: ArrayLike<number>;
  data: ArrayLike<number>;
}

function sideBySide(source: Source, names: readonly string[], maxBytes: number): Source {
  const entries = names.reduce((sum, name) => sum + (source.dataset(`/${name}/data`).shape?.[0] ?? 0), 0);
  if (entries * 24 > maxBytes)
    throw new AnnDataError(
      "too-large",
      `${source.path}: putting ${names.length} genomes side by side takes ${entries * 24} bytes, the limit is ${maxBytes}; write each genome to a file of its own`,
    );
  const genomes = names.map((name) => readGenome(source, name));
  const rows = [...new Set(genomes.flatMap((genome) => genome.barcodes))];
  const columns = genomes.reduce((sum, genome) => sum + genome.features.ids.length, 0);
  const { indptr, indices, data } = joined(genomes, rows, entries, source.path);
  const features: TenxFeatures = {
    ids: genomes.flatMap(({ features }) => features.ids),
    names: genomes.flatMap(({ features }) => features.names),
    columns: new Map([["genome", genomes.flatMap(({ features }) => features.columns.get("genome") ?? [])]]),
  };
  const array = (name: string, values: Int32Array | Float64Array): [string, VirtualNode] => [
    `/X/${name}`,
    {
      kind: "array",
      type:
        values instanceof Int32Array ? { kind: "int", size: 4, signed: true } : { kind: "float", size: 8 },
      shape: [values.length],
      attributes: encodingOf("array", "0.2.0"),
      read: (start, end) => values.slice(start, end),
    },
  ];
  return virtualSource(
    [
      [
        "/X",
        {
          kind: "group",
          attributes: { ...encodingOf("csr_matrix", "0.1.0"), shape: shapeAttr(rows.length, columns) },
        },
      ],
      array("data", data),
      array("indices", indices),
      array("indptr", indptr),
      ...virtualFrame("/obs", textArray(rows), new Map()),
      ...tenxVar(features),
      ...emptyGroups("/layers", "/obsm", "/obsp", "/varm", "/varp", "/uns"),
    ],
    { path: source.path, base: source },
  );
}

function readGenome(source: Source, name: string): Genome {
  const numbers = (array: string) =>
    plainNumbers(source.read(source.dataset(`/${name}/${array}`)), `/${name}/${array}`);
  const genome: Genome = {
    features: genesOf(source, name),
    barcodes: strings(source, `/${name}/barcodes`),
    indptr: numbers("indptr"),
    indices: numbers("indices"),
    data: numbers("data"),
  };
  checkedShape(source, `/${name}`, genome.features, genome.barcodes.length);
  checkCount(
    `${source.path}, /${name}`,
    "offsets",
    genome.indptr.length,
    genome.barcodes.length + 1,
    "barcodes and one are",
  );
  checkCount(`${source.path}, /${name}`, "indices", genome.indices.length, genome.data.length, "values are");
  for (let i = 1; i < genome.indptr.length; i++)
    if (
      !((genome.indptr[i] as number) >= (genome.indptr[i - 1] as number)) ||
      (genome.indptr[i] as number) > genome.data.length
    )
      throw new AnnDataError(
        "invalid",
        `${source.path}: /${name}/indptr[${i}] = ${genome.indptr[i]} does not fit ${genome.data.length} values`,
      );
  return genome;
}

function joined(genomes: readonly Genome[], rows: readonly string[], entries: number, path: string) {
  const indptr = new Int32Array(rows.length + 1);
  const indices = new Int32Array(entries);
  const data = new Float64Array(entries);
  const places = genomes.map((genome) => new Map(genome.barcodes.map((barcode, i) => [barcode, i])));
  let at = 0;
  for (const [row, barcode] of rows.entries()) {
    let offset = 0;
    for (const [g, genome] of genomes.entries()) {
      const place = places[g]?.get(barcode);
      if (place !== undefined) {
        for (let i = genome.indptr[place] as number; i < (genome.indptr[place + 1] as number); i++) {
          const index = genome.indices[i] as number;
          if (!(index >= 0 && index < genome.features.ids.length))
            throw new AnnDataError(
              "invalid",
              `${path}: index ${index} of barcode ${barcode}, but there are ${genome.features.ids.length} genes`,
            );
          if (at >= entries) throw new AnnDataError("invalid", `${path}: a barcode occurs twice in a genome`);
          indices[at] = offset + index;
          data[at++] = genome.data[i] as number;
        }
      }
      offset += genome.features.ids.length;
    }
    indptr[row + 1] = at;
  }
  return { indptr, indices: indices.subarray(0, at), data: data.subarray(0, at) };
}

function strings(source: Source, where: string): string[] {
  const info = source.dataset(where);
  if (info.shape?.length !== 1)
    throw new AnnDataError(
      "invalid",
      `${source.path}: ${where} has shape [${info.shape ?? "none"}], expected one axis`,
    );
  return columnStrings(toColumn(source.read(info), info.type, where));
}
