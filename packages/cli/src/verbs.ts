import type { Command } from "./command.ts";

/** A verb as the overview tells it. Its code is loaded when it is called: most of a short command's time is loading code. */
export interface Verb {
  /** One word or two: `imaging convert`. */
  readonly name: string;
  readonly summary: string;
  load(): Promise<Command>;
}

const steps = () => import("./commands/steps.ts");
const jobs = () => import("./commands/jobs.ts");
const look = () => import("./commands/look.ts");
const files = () => import("./commands/files.ts");

function verb(name: string, summary: string, load: () => Promise<Command>): Verb {
  return { name, summary, load };
}

/** Every verb, in the order of the overview. */
export const verbs: readonly Verb[] = [
  verb(
    "up",
    "Run the whole mesh in this process, with embedded Postgres, bus and store where nothing else is configured.",
    async () => (await import("./commands/up.ts")).up,
  ),
  verb(
    "demo",
    "Run the main job end to end: files → warehouse → curriculum → bins → PCA → embeddings → index → annotated cells.",
    async () => (await import("./commands/demo.ts")).demo,
  ),
  verb(
    "doctor",
    "Check what this machine has, what the mesh would use, and what is in the way.",
    async () => (await import("./commands/doctor.ts")).doctor,
  ),
  verb("status", "Say which services of the mesh answer.", async () => (await look()).status),
  verb(
    "ingest",
    "Ingest AnnData (.h5ad, zarr), 10x (HDF5, Matrix Market) and loom files into a dataset. A file whose content is already there is left alone.",
    async () => (await steps()).ingest,
  ),
  verb(
    "prepare",
    "Prepare a curriculum: choose cells, rank them, cut bins.",
    async () => (await steps()).prepare,
  ),
  verb(
    "extract",
    "Write the bins of a prepared curriculum as .h5ad files.",
    async () => (await steps()).extract,
  ),
  verb(
    "train",
    "Fit a PCA over the bins of a curriculum and register it as an ONNX model.",
    async () => (await steps()).train,
  ),
  verb("embed", "Run a model over every bin of a curriculum.", async () => (await steps()).embed),
  verb(
    "index",
    "Build a vector index over an embedding, with the cell metadata it votes and filters on.",
    async () => (await steps()).index,
  ),
  verb(
    "annotate",
    "Annotate the cells of an .h5ad file against an index, over gRPC, and write a CSV of calls.",
    async () => (await import("./commands/annotate.ts")).annotate,
  ),
  verb(
    "ontology add",
    "Build a cell-ontology resource from an .obo, OBO-graphs .json or resource .json file (also .zst) and register it.",
    async () => (await import("./commands/ontology.ts")).ontologyAdd,
  ),
  verb(
    "imaging inspect",
    "Say what an image holds: series, axes, channels, pixel size, levels.",
    async () => (await import("./commands/imaging-inspect.ts")).inspect,
  ),
  verb(
    "imaging convert",
    "Turn microscopy fields into single-cell crops, tables and a contact sheet.",
    async () => (await import("./commands/imaging-convert.ts")).convert,
  ),
  verb(
    "imaging stage",
    "Copy files between stores into shard folders, in parallel, each with its SHA-256.",
    async () => (await import("./commands/imaging-stage.ts")).stage,
  ),
  verb(
    "imaging format-metadata",
    "Make the 19-column table of SubCell's evaluation of a conversion's metadata.csv; joins are reported.",
    async () => (await import("./commands/imaging-format-metadata.ts")).formatMetadata,
  ),
  verb(
    "imaging import-model",
    "Make an ONNX model of StarDist 2D weights (Keras .h5, SavedModel, TensorFlow.js, frozen graph, raw with manifest, ONNX; a file, folder or .zip). Needs no mesh.",
    async () => (await import("./commands/import-model.ts")).importModelVerb,
  ),
  verb("job list", "List jobs, newest first.", async () => (await jobs()).list),
  verb("job get", "Print everything about a job, as JSON.", async () => (await jobs()).get),
  verb("job items", "List the files, bins or shards of a job.", async () => (await jobs()).items),
  verb("job watch", "Follow a job to its end.", async () => (await jobs()).watch),
  verb(
    "job cancel",
    "Ask a job to stop; jobs that wait for it are cancelled too.",
    async () => (await jobs()).cancel,
  ),
  verb(
    "inspect",
    "Look at a file: shape, matrices, columns, and everything that keeps it out of the warehouse or breaks a profile.",
    async () => (await look()).inspect,
  ),
  verb("list", "List what the catalog holds.", async () => (await look()).list),
  verb(
    "lineage",
    "Show all that a resource rests on, down to the source files.",
    async () => (await look()).lineage,
  ),
  verb(
    "convert",
    "Convert a local file between .h5ad, zarr (.zarr, .zarr.zip) and, as a source, 10x, Matrix Market, loom and a modality of MuData. Needs no mesh.",
    async () => (await files()).convert,
  ),
  verb(
    "validate",
    "Hold local files against a profile and list everything wrong with them. Needs no mesh.",
    async () => (await files()).validate,
  ),
];

/** The verb that the first one or two words name, and what follows it. */
export function findVerb(argv: readonly string[]): { verb: Verb; args: string[] } | undefined {
  for (const words of [2, 1]) {
    const name = argv.slice(0, words).join(" ");
    const found = verbs.find((one) => one.name === name);
    if (found !== undefined) return { verb: found, args: argv.slice(words) };
  }
  return undefined;
}

/** The verbs of two words that begin with this one. */
export function verbsOf(group: string): Verb[] {
  return verbs.filter(({ name }) => name.startsWith(`${group} `));
}

/** Verbs that somebody who wrote this may have meant, the closest first. */
export function similarVerbs(text: string): string[] {
  return verbs
    .map(({ name }) => ({
      name,
      off: Math.min(
        distance(text, name),
        ...(name.includes(" ") ? [distance(text, name.split(" ")[1]!)] : []),
      ),
    }))
    .filter(({ off }) => off <= Math.max(1, Math.floor(text.length / 3)))
    .sort((a, b) => a.off - b.off)
    .slice(0, 3)
    .map(({ name }) => name);
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(
        Math.min(
          (next[j - 1] as number) + 1,
          (row[j] as number) + 1,
          (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1),
        ),
      );
    row = next;
  }
  return row[b.length] as number;
}
