import type { AnalysisSpec } from "@cytomesh/contracts/jobs/v1/specs";
import { z } from "zod";
import { AnalysisError, refuse } from "../errors.ts";

/** Names at most in one list of a request. */
const maxNames = 1_000;

const name = z.string().min(1).max(500);
const count = (max: number) => z.number().int().min(0).max(max);

const direction = z
  .string()
  .transform((text) => text.toUpperCase())
  .pipe(z.enum(["ASC", "DESC"]));

/** Which matrix the expression comes from. Unset: the first of raw.X, layer "counts" and X that holds expression. */
const matrix = z.union([z.enum(["x", "raw"]), z.templateLiteral(["layer:", z.string().min(1)])]).optional();

const listGenes = z.strictObject({
  /** Columns of the rows. */
  selectFields: z.array(name).min(1).max(100).default(["gene_names", "dispersions"]),
  /** SQL LIKE without `_`: `%` stands for any text; letter case does not matter. */
  geneNamesFilter: z.string().max(500).optional(),
  /** Column to sort by; unset: the order of the file. */
  orderBy: name.optional(),
  orderDirection: direction.default("ASC"),
  offset: count(Number.MAX_SAFE_INTEGER).default(0),
  limit: count(1_000_000).default(50),
  /** Genes flagged as highly variable when the file has no such column. */
  nTopGenes: count(1_000_000).min(1).default(2_000),
  matrix,
});

const geneExpression = z.strictObject({
  genes: z.array(name).min(1).max(maxNames),
  /** `all`, or `<obs column>-<value>` keys; the answer has the cells of any of them. */
  cellSets: z.union([z.literal("all"), z.array(name).min(1).max(maxNames)]).default("all"),
  /** The same by name: cells whose value in the column is one of these. */
  cells: z
    .strictObject({ column: name, values: z.array(z.string().max(500)).min(1).max(maxNames) })
    .optional(),
  matrix,
});

const getEmbedding = z.strictObject({
  /** `pca`, computed from the counts; anything else: a key of obsm, with or without its `X_`. */
  type: name,
  /** Columns of the answer; unset: 2. */
  nComponents: count(100).min(1).default(2),
  /** Take `X_pca` of the file, when it has one, in place of computing. */
  useSaved: z.boolean().default(false),
  /** Highly variable genes of the PCA. */
  nTopGenes: count(5_000).min(1).default(2_000),
  /** Scale genes to unit variance before the PCA. */
  scale: z.boolean().default(false),
  matrix,
});

const parameterSchemas = {
  ListGenes: listGenes,
  GeneExpression: geneExpression,
  GetEmbedding: getEmbedding,
} as const;

/** Name of a task. */
export type TaskName = keyof typeof parameterSchemas;

/** Parameters of ListGenes. */
export type ListGenesParameters = z.output<typeof listGenes>;
/** Parameters of GeneExpression. */
export type GeneExpressionParameters = z.output<typeof geneExpression>;
/** Parameters of GetEmbedding. */
export type GetEmbeddingParameters = z.output<typeof getEmbedding>;
/** Which matrix to read. */
export type MatrixChoice = z.output<typeof matrix>;

/** A task with its parameters, checked. */
export type Task =
  | { readonly name: "ListGenes"; readonly parameters: ListGenesParameters }
  | { readonly name: "GeneExpression"; readonly parameters: GeneExpressionParameters }
  | { readonly name: "GetEmbedding"; readonly parameters: GetEmbeddingParameters };

/**
 * The task of a spec.
 *
 * @throws AnalysisError `unknown-task`, `invalid-parameters` with every wrong field
 */
export function taskOf(spec: Pick<AnalysisSpec, "uri" | "task" | "parameters" | "outputUri">): Task {
  if (!Object.hasOwn(parameterSchemas, spec.task)) {
    const description = `expected one of ${Object.keys(parameterSchemas).join(", ")}, found ${JSON.stringify(spec.task.slice(0, 80))}`;
    throw new AnalysisError("unknown-task", `spec.task: ${description}`, {
      violations: [{ field: "spec.task", description }],
    });
  }
  const violations = [];
  if (spec.uri === "")
    violations.push({ field: "spec.uri", description: "expected the URI of an .h5ad file" });
  if (spec.outputUri !== "" && spec.outputUri === spec.uri)
    violations.push({ field: "spec.output_uri", description: "would overwrite the file that is analysed" });
  const parsed = parameterSchemas[spec.task as TaskName].safeParse(spec.parameters ?? {});
  for (const issue of parsed.error?.issues ?? [])
    violations.push({ field: ["spec.parameters", ...issue.path].join("."), description: issue.message });
  if (violations.length > 0) throw refuse("invalid-parameters", violations);
  return { name: spec.task, parameters: parsed.data } as Task;
}
