import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  ConversionRecipe,
  type FormatMetadataSpec,
  type JoinReportSchema,
} from "@cytomesh/contracts/jobs/v1/imaging";
import { defineHandler } from "@cytomesh/jobs";
import { type ObjectStore, putJson, sha256Of } from "@cytomesh/object-store";
import type { ImagingDeps } from "../deps.ts";
import { csvLine, parseRecords } from "../tables/csv.ts";
import { allencellNeeds, allencellRow, type ManifestCell, manifestNeeds } from "./allencell.ts";
import { createJoin, type Join } from "./join.ts";
import {
  type Annotation,
  annotationNeeds,
  type OpencellNotes,
  opencellNeeds,
  opencellRow,
} from "./opencell.ts";
import { subcellColumns } from "./rows.ts";

/** Rows between two looks at the signal and two words about progress. */
const rowsPerStep = 10_000;

/** A table being made: its header, its rows, and what is said about it afterwards. */
interface Formatting {
  readonly columns: readonly string[];
  readonly rows: AsyncIterable<Readonly<Record<string, string>>>;
  readonly joins: readonly Join<unknown>[];
  readonly notes: object;
}

/**
 * Make the table that SubCell's evaluation reads. Every row of the conversion's table becomes one row; joins that find nothing, or several
 * things that differ, leave their columns empty and are counted and named in the result and in `<output_uri>.report.json`.
 *
 * @throws ImagingError `bad-table`.
 */
export function formatMetadataHandler(deps: ImagingDeps) {
  return defineHandler("formatMetadata", async ({ spec, signal, progress }) => {
    const { store } = deps;
    const opencell = spec.recipe === ConversionRecipe.OPENCELL;
    const { columns, rows, joins, notes } = await (opencell ? formatOpencell : formatAllencell)(
      store,
      spec,
      signal,
    );
    let count = 0;
    const body = async function* () {
      let text = csvLine(columns);
      for await (const row of rows) {
        text += csvLine(columns.map((column) => row[column] ?? ""));
        if (++count % rowsPerStep !== 0) continue;
        signal.throwIfAborted();
        progress({ done: count, unit: "rows", message: `${count} row(s)` });
        yield Buffer.from(text);
        text = "";
      }
      yield Buffer.from(text);
    };
    await store.put(spec.outputUri, body(), { contentType: "text/csv", signal });
    const reportUri = `${spec.outputUri}.report.json`;
    const inputs = Object.fromEntries(
      await Promise.all(
        [spec.metadataUri, spec.annotationsUri, spec.manifestUri, spec.locationsUri, spec.genesUri]
          .filter((uri) => uri !== "")
          .map(async (uri) => [uri, await sha256Of(store, uri, { signal })] as const),
      ),
    );
    const reports: MessageInitShape<typeof JoinReportSchema>[] = joins.map((join) => join.report());
    await putJson(
      store,
      reportUri,
      {
        format: "cytomesh-joins/1",
        rows: count,
        inputsSha256: inputs,
        joins: joins.map((join, i) => ({
          name: join.name,
          matched: Number(reports[i]?.matched),
          unmatchedRows: Number(reports[i]?.unmatched),
          ambiguousRows: Number(reports[i]?.ambiguous),
          ...join.details(),
        })),
        notes,
      },
      { signal },
    );
    return { tableUri: spec.outputUri, reportUri, rows: BigInt(count), joins: reports as never };
  });
}

async function formatOpencell(
  store: ObjectStore,
  spec: FormatMetadataSpec,
  signal: AbortSignal,
): Promise<Formatting> {
  const annotated: [string, Annotation][] = [];
  for await (const row of records(store, spec.annotationsUri, annotationNeeds, signal))
    annotated.push([
      row.target_name as string,
      {
        ensemblId: row.ensg_id as string,
        grades: [
          row.annotations_grade_3 as string,
          row.annotations_grade_2 as string,
          row.annotations_grade_1 as string,
        ],
      },
    ]);
  // A name that fits the pattern asks for "", which is there.
  const names = createJoin<true>("file_names", [["", true]]);
  const annotations = createJoin("annotations", annotated);
  const notes: OpencellNotes = { withoutLocation: 0, ensemblIdsDisagree: 0 };
  const rows = async function* () {
    for await (const record of records(store, spec.metadataUri, opencellNeeds, signal))
      yield opencellRow(record, names, annotations, notes);
  };
  return { columns: subcellColumns, rows: rows(), joins: [names, annotations], notes };
}

async function formatAllencell(
  store: ObjectStore,
  spec: FormatMetadataSpec,
  signal: AbortSignal,
): Promise<Formatting> {
  const cells: [string, ManifestCell][] = [];
  for await (const row of records(store, spec.manifestUri, manifestNeeds, signal))
    cells.push([
      (row.crop_raw as string).replace("crop_raw/", ""),
      {
        cellId: row.CellId as string,
        structure: row.structure_name as string,
        fovId: row.FOVId as string,
        stage: row.cell_stage as string,
      },
    ]);
  const pairs = async (uri: string, key: string, value: string) => {
    const found: [string, string][] = [];
    for await (const row of records(store, uri, [key, value], signal, "\t"))
      found.push([row[key] as string, row[value] as string]);
    return found;
  };
  const manifest = createJoin("manifest", cells);
  const locations = createJoin("locations", await pairs(spec.locationsUri, "structure_name", "location"));
  const genes = createJoin("genes", await pairs(spec.genesUri, "Gene name", "Gene stable ID"));
  const rows = async function* () {
    for await (const record of records(store, spec.metadataUri, allencellNeeds, signal))
      yield allencellRow(record, manifest, locations, genes);
  };
  return {
    columns: [...subcellColumns, "cell_stage"],
    rows: rows(),
    joins: [manifest, locations, genes],
    notes: {},
  };
}

async function* records(
  store: ObjectStore,
  uri: string,
  needed: readonly string[],
  signal: AbortSignal,
  delimiter: "," | "\t" = ",",
): AsyncGenerator<Record<string, string>> {
  yield* parseRecords(await store.stream(uri, { signal }), uri, needed, delimiter);
}
