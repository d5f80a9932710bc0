import type { H5Numbers } from "@cytomesh/hdf5";
import { columnStrings, toColumn } from "./columns.ts";
import { AnnDataError } from "./errors.ts";
import type { ArrayInfo, Source } from "./storage.ts";
import {
  emptyGroups,
  encodingOf,
  textArray,
  type VirtualNode,
  virtualFrame,
  virtualSource,
} from "./virtual-source.ts";

/** Cells turned round at a time are kept: whoever reads on finds them. */
const windowBytes = 128 * 1024 * 1024;
const blockBytes = 16 * 1024 * 1024;

export function isLoom(source: Source): boolean {
  return (
    source.kind("/matrix") === "dataset" &&
    source.kind("/row_attrs") === "group" &&
    source.kind("/col_attrs") === "group"
  );
}

/**
 * A loom file (loompy 2 and 3) laid out as AnnData: its matrix is genes × cells and is turned round a window of cells at a time. obs is indexed by
 * `CellID`, var by `Accession` where it is there and unique, else by `Gene`; attributes of two axes become obsm and varm.
 *
 * @throws AnnDataError "invalid" | "wrong-length"
 */
export function loomSource(source: Source): Source {
  const matrix = source.dataset("/matrix");
  if (matrix.shape?.length !== 2)
    throw new AnnDataError(
      "invalid",
      `${source.path}: /matrix has shape [${matrix.shape ?? "none"}], expected genes × cells`,
    );
  const [genes, cells] = matrix.shape as [number, number];
  const nodes: [string, VirtualNode][] = [
    ["/X", turned(source, matrix)],
    ...frameOf(source, "/col_attrs", "/obs", ["CellID", "cell_id", "obs_names"], cells),
    ...frameOf(source, "/row_attrs", "/var", ["Accession", "Gene", "var_names"], genes),
    ...emptyGroups("/layers", "/obsm", "/obsp", "/varm", "/varp", "/uns"),
    ...arraysOf(source, "/col_attrs", "/obsm", cells),
    ...arraysOf(source, "/row_attrs", "/varm", genes),
  ];
  if (source.kind("/layers") === "group") {
    for (const name of source.children("/layers")) {
      const layer = source.dataset(`/layers/${name}`);
      if (layer.shape?.length !== 2 || layer.shape[0] !== genes || layer.shape[1] !== cells)
        throw new AnnDataError(
          "wrong-length",
          `${source.path}: /layers/${name} has shape [${layer.shape}], expected [${genes}, ${cells}]`,
        );
      nodes.push([`/layers/${name}`, turned(source, layer)]);
    }
  }
  return virtualSource(nodes, { path: source.path, base: source });
}

/** Attributes of one value per gene or cell. */
function frameOf(
  source: Source,
  group: string,
  where: string,
  indexNames: readonly string[],
  length: number,
): [string, VirtualNode][] {
  const names = source.children(group).filter((name) => {
    const { shape } = source.dataset(`${group}/${name}`);
    return shape?.length === 1 && shape[0] === length;
  });
  let index: { name: string; values: string[] } | undefined;
  for (const name of indexNames) {
    if (!names.includes(name)) continue;
    const info = source.dataset(`${group}/${name}`);
    const values = columnStrings(toColumn(source.read(info), info.type, info.path));
    const unique = new Set(values).size === values.length;
    if (index === undefined || unique) index = { name, values };
    if (unique) break;
  }
  const columns = new Map<string, VirtualNode>();
  for (const name of names)
    if (name !== index?.name) columns.set(name, { kind: "link", target: `${group}/${name}`, attributes: {} });
  const rows = index?.values ?? Array.from({ length }, (_, i) => String(i));
  return virtualFrame(where, textArray(rows), columns);
}

function arraysOf(source: Source, group: string, where: string, length: number): [string, VirtualNode][] {
  return source.children(group).flatMap((name): [string, VirtualNode][] => {
    const { shape, type } = source.dataset(`${group}/${name}`);
    const numeric = type.kind === "int" || type.kind === "float";
    if (!numeric || shape?.length !== 2 || shape[0] !== length) return [];
    return [
      [
        `${where}/${name}`,
        { kind: "link", target: `${group}/${name}`, attributes: encodingOf("array", "0.2.0") },
      ],
    ];
  });
}

function turned(source: Source, info: ArrayInfo): VirtualNode {
  const [genes, cells] = info.shape as [number, number];
  let held: { start: number; end: number; values: H5Numbers } | undefined;
  return {
    kind: "array",
    type: info.type,
    shape: [cells, genes],
    attributes: encodingOf("array", "0.2.0"),
    read: (start, end) => {
      if (held === undefined || start < held.start || end > held.end) {
        const window = Math.max(1, Math.floor(windowBytes / (8 * Math.max(1, genes))));
        held = { start, end: Math.min(cells, Math.max(end, start + window)), values: new Float64Array(0) };
        held.values = turn(source, info, held.start, held.end);
      }
      return held.values.slice((start - held.start) * genes, (end - held.start) * genes);
    },
  };
}

function turn(source: Source, info: ArrayInfo, start: number, end: number): H5Numbers {
  const [genes, cells] = info.shape as [number, number];
  const rows = Math.max(1, Math.floor(blockBytes / (8 * Math.max(1, cells))));
  let out: H5Numbers | undefined;
  for (let gene = 0; gene < genes; gene += rows) {
    const count = Math.min(rows, genes - gene);
    const block = source.read(info, gene, gene + count);
    if (!ArrayBuffer.isView(block)) throw new AnnDataError("unsupported", `${info.path} holds no numbers`);
    const values = block as H5Numbers;
    out ??= new (values.constructor as new (length: number) => H5Numbers)((end - start) * genes);
    for (let g = 0; g < count; g++) {
      for (let cell = start; cell < end; cell++)
        out[(cell - start) * genes + gene + g] = values[g * cells + cell] as never;
    }
  }
  return out ?? new Float64Array(0);
}
