import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { refuse, type Violation } from "../errors.ts";
import type { GeneExpressionParameters } from "../schemas/tasks.ts";
import { type AnalysisContext, finite, refuseTooMany } from "./answer.ts";
import { chooseCells } from "./choose-cells.ts";
import { suggestion } from "./close-names.ts";
import { textOf } from "./column-values.ts";
import type { Expression } from "./expression.ts";
import type { OpenFile } from "./open-files.ts";

/** Columns of var that hold names people use, where the index holds ids. */
const nameColumns = [
  "gene_names",
  "gene_name",
  "gene_symbols",
  "gene_symbol",
  "feature_name",
  "symbol",
  "gene_ids",
  "ensembl_id",
];

/** Unknown genes that get suggestions; each costs a look at every name. */
const maxSuggested = 20;

/** Expression is given to six decimals: beyond that the text only grows. */
const decimals = 1e6;

/**
 * Log-normalised expression of genes per cell: `{genes: {<name>: {min, max, mean, stdev, expression}}, cells, cellIndices?}`. `expression` is in
 * the order of the file; with a choice of cells only theirs, whose positions are `cellIndices`. `stdev` is that of the population (ddof 0).
 *
 * @throws AnalysisError `unknown-name` with close names for every gene that is not there; `too-many-values`, `result-too-large`, `unfit-file`
 */
export async function geneExpression(
  opened: OpenFile,
  parameters: GeneExpressionParameters,
  context: AnalysisContext,
): Promise<JsonObject> {
  const expression = opened.expression(parameters.matrix);
  const names = [...new Set(parameters.genes)];
  const found = findGenes(expression, parameters.genes);
  const cells = chooseCells(opened.file, parameters);
  const nCells = cells?.length ?? expression.nCells;
  refuseTooMany(names.length * nCells, "ask for fewer genes or cells", context);
  const columns = Int32Array.from(new Set(found.values()));
  const positions = new Map(Array.from(columns, (column, position) => [column, position]));
  const values = await readColumns(expression, columns, cells, context);
  const genes = names.map((name): [string, JsonValue] => {
    const position = positions.get(found.get(name) as number) as number;
    return [name, summarise(values.subarray(position * nCells, (position + 1) * nCells))];
  });
  return {
    genes: Object.fromEntries(genes),
    cells: nCells,
    ...(cells === undefined ? {} : { cellIndices: Array.from(cells) }),
    matrix: expression.path,
  };
}

/** Column of every gene: by exact name in the index, then in the usual name columns, then whatever the case if only one gene fits. */
function findGenes(expression: Expression, wanted: readonly string[]): Map<string, number> {
  const { genes, var: frame } = expression;
  const sources = [
    genes,
    ...nameColumns
      .filter((name) => frame.has(name))
      .map((name) => {
        const text = textOf(frame.column(name));
        return genes.map((_, gene) => text(gene) ?? "");
      }),
  ];
  const found = new Map<string, number>();
  const violations: Violation[] = [];
  const exact = sources.map((names) => indexOf(names, (name) => name));
  const anyCase = lazily(() => sources.map((names) => indexOf(names, (name) => name.toLowerCase())));
  const all = lazily(() => sources.flat());
  const firstOf = (indexes: readonly Map<string, number[]>[], key: string) =>
    indexes.map((index) => index.get(key)).find((hit) => hit !== undefined);
  for (const [i, name] of wanted.entries()) {
    const hits = firstOf(exact, name) ?? firstOf(anyCase(), name.toLowerCase());
    const field = `spec.parameters.genes.${i}`;
    if (hits?.length === 1) found.set(name, hits[0] as number);
    else if (hits === undefined) {
      const close = violations.length < maxSuggested ? suggestion(name, all()) : "";
      violations.push({
        field,
        description: `no gene ${JSON.stringify(name)} in ${expression.path}${close}`,
      });
    } else {
      const ids = hits.slice(0, 5).map((gene) => genes[gene]);
      const description = `${hits.length} genes of ${expression.path} are called ${JSON.stringify(name)}; ask by id: ${ids.join(", ")}`;
      violations.push({ field, description });
    }
  }
  if (violations.length > 0) throw refuse("unknown-name", violations);
  return found;
}

function lazily<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function indexOf(names: readonly string[], keyOf: (name: string) => string): Map<string, number[]> {
  const index = new Map<string, number[]>();
  names.forEach((name, gene) => {
    const key = keyOf(name);
    const genes = index.get(key);
    if (genes === undefined) index.set(key, [gene]);
    else genes.push(gene);
  });
  return index;
}

/** Expression, genes × cells, row-major. */
async function readColumns(
  expression: Expression,
  columns: Int32Array,
  cells: Int32Array | undefined,
  context: AnalysisContext,
): Promise<Float64Array> {
  const nCells = cells?.length ?? expression.nCells;
  const place = new Int32Array(expression.nCells).fill(-1);
  if (cells === undefined)
    place.forEach((_, cell) => {
      place[cell] = cell;
    });
  else
    cells.forEach((cell, position) => {
      place[cell] = position;
    });
  const values = new Float64Array(columns.length * nCells);
  for await (const { start, rows } of expression.batches(context, columns))
    for (let row = 0; row < rows.nRows; row++) {
      const cell = place[start + row] as number;
      if (cell < 0) continue;
      for (let at = rows.indptr[row] as number; at < (rows.indptr[row + 1] as number); at++)
        values[(rows.indices[at] as number) * nCells + cell] = rows.data[at] as number;
    }
  return values;
}

function summarise(values: Float64Array): JsonObject {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  for (const value of values) {
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
  }
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return {
    min: finite(min),
    max: finite(max),
    mean: finite(mean),
    stdev: finite(Math.sqrt(squares / values.length)),
    expression: Array.from(values, (value) => finite(Math.round(value * decimals) / decimals)),
  };
}
