// AnnData as a whole against Python's anndata: X stored by column, read by rows in bounded memory and whole; X stored by row, read whole by all
// threads; a compressed copy of the file.
//
//   node bench/data-plane/anndata.ts [--small] [--csc]
//
// `--csc`: by column alone.
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { copyAnnData, openAnnData } from "@cytomesh/anndata";
import { measure, measurePython, printCosts } from "./measure.ts";
import { byColumnFile, syntheticStudy } from "./study.ts";

const study = syntheticStudy();
const folder = dirname(study.files.gzip);
const byColumn = byColumnFile(study);
const maxBytes = 64 * 1024 * 1024;
/** Rows per batch: what an ingest takes at a time. */
const batchRows = 2_000;

const total = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum;
};

async function rowsOfColumns(): Promise<number> {
  using file = await openAnnData(byColumn, { maxBytes });
  let sum = 0;
  for (const { rows } of file.x!.batches(batchRows)) sum += total(rows.data);
  return sum;
}

async function wholeMatrix(path: string): Promise<number> {
  using file = await openAnnData(path, { maxBytes: 2 ** 33 });
  return total((await file.x!.toCsr()).data);
}

function same(what: string, ours: number, theirs: number): void {
  if (ours !== theirs) throw new Error(`${what}: we found ${ours}, Python ${theirs}`);
}

const preamble = `
import anndata, h5py, warnings
warnings.filterwarnings("ignore")
path = sys.argv[1]
`;

const turned = await measure(rowsOfColumns, 1);
const turnedPython = measurePython<number>(
  `${preamble}
def work():
    x = anndata.read_h5ad(path).X.tocsr()
    return float(sum(x[i : i + ${batchRows}].data.sum(dtype="f8") for i in range(0, x.shape[0], ${batchRows})))
measure(work, 1)`,
  [byColumn],
);
same("by column", turned.result, turnedPython.result);
printCosts(
  `X by column, gzip, read by rows (ours: at most ${maxBytes / 2 ** 20} MiB per array)`,
  { cytomesh: turned, "anndata, whole in memory": turnedPython },
  "anndata, whole in memory",
);

const whole = await measure(() => wholeMatrix(byColumn), 1);
const wholePython = measurePython<number>(
  `${preamble}
def work(): return float(anndata.read_h5ad(path).X.tocsr().data.sum(dtype="f8"))
measure(work, 1)`,
  [byColumn],
);
same("by column, whole", whole.result, wholePython.result);
printCosts("X by column, gzip, whole by row", { cytomesh: whole, anndata: wholePython }, "anndata");

if (process.argv.includes("--csc")) process.exit();
for (const [name, path] of Object.entries(study.files)) {
  const ours = await measure(() => wholeMatrix(path));
  const theirs = measurePython<number>(
    `${preamble}
def work():
    with h5py.File(path) as file: return float(anndata.io.read_elem(file["X"]).data.sum(dtype="f8"))
measure(work)`,
    [path],
  );
  same(name, ours.result, theirs.result);
  printCosts(`X by row, ${name}, whole`, { cytomesh: ours, anndata: theirs }, "anndata");
}

const copy = join(folder, "copy.h5ad");
const copied = await measure(() => copyAnnData(study.files.gzip, copy), 1);
const copiedPython = measurePython<null>(
  `${preamble}
def work(): anndata.read_h5ad(path).write_h5ad(path + ".copy", compression="gzip")
measure(work, 1)`,
  [study.files.gzip],
);
printCosts("a compressed copy of the file", { cytomesh: copied, anndata: copiedPython }, "anndata");
for (const made of [copy, `${study.files.gzip}.copy`]) rmSync(made, { force: true });
