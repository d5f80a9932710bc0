import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { DataFrame } from "@cytomesh/anndata";
import { selectHighlyVariable, variance } from "@cytomesh/kernels";
import { refuse } from "../errors.ts";
import type { ListGenesParameters } from "../schemas/tasks.ts";
import { type AnalysisContext, finite, refuseTooMany } from "./answer.ts";
import { cellOf } from "./column-values.ts";
import type { Expression } from "./expression.ts";
import { likeMatcher } from "./like.ts";
import type { OpenFile } from "./open-files.ts";

/** Fields that every file has: the file's own column where there is one, computed otherwise. */
const computed = ["gene_names", "highly_variable", "dispersions"];

type Field = (gene: number) => JsonValue;

/**
 * The genes of the expression matrix as a page of rows: `{total, rows: [{<field>: value}]}`. `total` counts the genes that pass the filter,
 * on any page. Dispersions are log(variance / mean) of the normalised counts, as in scanpy's "seurat" flavour; null for a constant gene.
 * Nulls sort last in either direction; ties keep the order of the file.
 *
 * @throws AnalysisError `unknown-name`, `unfit-file`, `result-too-large`
 */
export async function listGenes(
  opened: OpenFile,
  parameters: ListGenesParameters,
  context: AnalysisContext,
): Promise<JsonObject> {
  const expression = opened.expression(parameters.matrix);
  const { selectFields, orderBy, orderDirection, offset, limit, geneNamesFilter } = parameters;
  const fields = await fieldsOf(opened, expression, parameters, context);
  let genes = Array.from(expression.genes.keys());
  if (geneNamesFilter !== undefined) {
    const matches = likeMatcher(geneNamesFilter);
    const name = fields.get("gene_names") as Field;
    genes = genes.filter((gene) => matches(String(name(gene) ?? "")));
  }
  const by = orderBy === undefined ? undefined : fields.get(orderBy);
  if (by !== undefined) {
    const keys = new Map(genes.map((gene) => [gene, by(gene)]));
    const sign = orderDirection === "DESC" ? -1 : 1;
    genes.sort((a, b) => compare(keys.get(a) ?? null, keys.get(b) ?? null, sign));
  }
  const page = genes.slice(offset, offset + limit);
  refuseTooMany(page.length, "ask for a smaller page", context);
  const chosen = selectFields.map((name) => [name, fields.get(name) as Field] as const);
  const rows = page.map((gene) => Object.fromEntries(chosen.map(([name, value]) => [name, value(gene)])));
  return { total: genes.length, rows, matrix: expression.path };
}

function compare(a: JsonValue, b: JsonValue, sign: number): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  if (a === b) return 0;
  return (a as number) < (b as number) ? -sign : sign;
}

/** Readers of the fields that are shown or sorted by. */
async function fieldsOf(
  { file }: OpenFile,
  expression: Expression,
  parameters: ListGenesParameters,
  context: AnalysisContext,
): Promise<Map<string, Field>> {
  const { selectFields, orderBy } = parameters;
  const wanted = new Set(["gene_names", ...selectFields, ...(orderBy === undefined ? [] : [orderBy])]);
  // With raw.X the file's notes on its genes are in var, which may list only some of them.
  const frames = expression.var === file.var ? [file.var] : [expression.var, file.var];
  const known = new Set([...computed, ...frames.flatMap((frame) => [frame.indexName, ...frame.columnNames])]);
  const unknown = [...wanted].filter((name) => !known.has(name));
  if (unknown.length > 0)
    throw refuse(
      "unknown-name",
      unknown.map((name) => ({
        field:
          name === orderBy && !selectFields.includes(name)
            ? "spec.parameters.orderBy"
            : "spec.parameters.selectFields",
        description: `no column ${JSON.stringify(name)}; there are ${[...known].slice(0, 50).join(", ")}`,
      })),
    );
  const fields = new Map<string, Field>();
  for (const name of wanted) {
    const own = columnOf(frames, expression.genes, name);
    fields.set(name, own ?? (await computeField(name, expression, parameters, context)));
  }
  return fields;
}

function columnOf(frames: readonly DataFrame[], genes: readonly string[], name: string): Field | undefined {
  const [first, second] = frames;
  if (first?.has(name)) return cellOf(first.column(name));
  if (first?.indexName === name) return (gene) => genes[gene] ?? null;
  if (!second?.has(name)) return undefined;
  const value = cellOf(second.column(name));
  const rows = new Map(second.index().map((gene, row) => [gene, row]));
  return (gene) => {
    const row = rows.get(genes[gene] ?? "");
    return row === undefined ? null : value(row);
  };
}

async function computeField(
  name: string,
  expression: Expression,
  parameters: ListGenesParameters,
  context: AnalysisContext,
): Promise<Field> {
  if (name !== "highly_variable" && name !== "dispersions") return (gene) => expression.genes[gene] ?? null;
  const moments = await expression.moments(context);
  if (name === "dispersions") {
    const variances = variance(moments, 1);
    return (gene) => finite(Math.log((variances[gene] ?? 0) / (moments.mean[gene] ?? 0)));
  }
  const { nTopGenes } = parameters;
  const selected = new Set(selectHighlyVariable({ normalized: moments, nTop: nTopGenes, method: "seurat" }));
  return (gene) => selected.has(gene);
}
