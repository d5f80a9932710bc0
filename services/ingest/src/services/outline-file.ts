import {
  type Column,
  chooseFeatureIds,
  type DataFrame,
  type FeatureIds,
  type TurnPlan,
  type TurnStore,
} from "@cytomesh/anndata";
import { defaultPageCells } from "@cytomesh/omics-store/codec";
import type { TaskContext } from "@cytomesh/service-kit/task";
import type { ConvertOptions } from "../schemas/plan.ts";
import { chooseMatrix } from "./choose-matrix.ts";
import { type ObsSource, planObs } from "./obs-columns.ts";
import { closeFile, openFile } from "./open-file.ts";
import { readSlice, type Slice, turnOf } from "./slice.ts";

/** Which file a task reads. */
export interface FileRef {
  readonly path: string;
  /** Names the conversion, see `openFile`. */
  readonly key: string;
  readonly options: ConvertOptions;
}

/** What a conversion must know of a file before it reads cells. Plain data. */
export interface Outline {
  /** `X`, `raw/X` or `layers/<name>`. */
  readonly matrixPath: string;
  /** Where the matrix lies by column: how it is turned round. */
  readonly turn: TurnPlan | undefined;
  readonly shape: [number, number];
  readonly nnz: number | undefined;
  readonly features: { ids: string[]; columns: Record<string, Column> };
  readonly sources: ObsSource[];
}

/** Look at a file: matrix, features, obs columns. Runs in a worker thread. */
export async function outlineFile({ path, key, options }: FileRef): Promise<Outline> {
  const file = await openFile(path, key);
  const { matrix, var: frame, path: matrixPath } = chooseMatrix(file, options);
  const features = chooseFeatureIds(frame, options.featureIdColumn);
  return {
    matrixPath,
    turn: turnOf(matrix, defaultPageCells),
    shape: matrix.shape,
    nnz: matrix.nnz,
    features: { ids: features.ids, columns: featureColumns(frame, features) },
    sources: planObs(file.obs, options.obsMapping),
  };
}

/** The columns of var; with the names of the index where the ids come from elsewhere, as they are the symbols people know. */
function featureColumns(frame: DataFrame, features: FeatureIds): Record<string, Column> {
  const columns = frame.columnNames.map((name) => [name, frame.column(name)] as const);
  const names: [string, Column] = [frame.indexName, { kind: "string", values: frame.index() }];
  return Object.fromEntries(
    features.column === "" || frame.has(frame.indexName) ? columns : [names, ...columns],
  );
}

/** One step of turning a matrix round. Runs in a worker thread. */
export async function turnStep(
  { path, key, options, turned, step }: FileRef & { turned: TurnStore; step: number },
  context: TaskContext,
): Promise<void> {
  const file = await openFile(path, key);
  try {
    chooseMatrix(file, options).matrix.turning?.step(turned, step);
  } catch (error) {
    closeFile();
    throw error;
  }
  await context.breathe();
}

/** Whether a slice holds a value that int32 cannot. Asked only where other values than counts are allowed. */
export async function exceedsInt32(
  { path, key, options, slice, turned }: FileRef & { slice: Slice; turned: TurnStore | undefined },
  context: TaskContext,
): Promise<boolean> {
  const file = await openFile(path, key);
  const { data } = readSlice(chooseMatrix(file, options).matrix, slice, turned);
  await context.breathe();
  return data.some((value) => value !== (value | 0));
}
