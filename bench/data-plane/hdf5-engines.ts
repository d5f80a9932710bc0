// One thread, three engines: ours, h5wasm and h5py. Opens a study and asks for every object, attribute and shape; reads the three arrays
// of its matrix whole; reads random rows of it.
//
//   node bench/data-plane/hdf5-engines.ts [--small]
import { type H5Numbers, type H5Reader, openH5 } from "@cytomesh/hdf5";
import { type Cost, measure, measurePython, printCosts } from "./measure.ts";
import { syntheticStudy } from "./study.ts";

const arrays = ["data", "indices", "indptr"];
const randomRows = 200;

/** Everything of a file but the values of its datasets; counted, so that both sides can be seen to do the same. */
function describe(file: H5Reader, path = "/"): number {
  let seen = 1;
  for (const name of file.attributeNames(path)) {
    file.attribute(path, name);
    seen++;
  }
  if (file.kind(path) === "dataset") return seen + (file.dataset(path).shape?.length ?? 0);
  for (const name of file.children(path))
    seen += describe(file, path === "/" ? `/${name}` : `${path}/${name}`);
  return seen;
}

const sum = (values: ArrayLike<number | bigint>): number => {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += Number(values[i]!);
  return total;
};

function readRows(file: H5Reader): number {
  const [indptr, indices] = ["indptr", "indices"].map((name) => file.dataset(`/X/${name}`));
  const rows = indptr!.shape![0]! - 1;
  let total = 0;
  for (let i = 0; i < randomRows; i++) {
    const row = (i * 7_919) % rows;
    const [from, to] = Array.from(file.read(indptr!, row, row + 2) as Int32Array, Number) as [number, number];
    total += sum(file.read(indices!, from, to) as H5Numbers);
  }
  return total;
}

const common = `
import h5py
path = sys.argv[1]
`;
const describePython = `${common}
def describe(node):
    seen = 1
    for name in node.attrs:
        node.attrs[name]
        seen += 1
    if isinstance(node, h5py.Dataset): return seen + len(node.shape or ())
    return seen + sum(describe(node[name]) for name in node)
def work():
    with h5py.File(path) as file: return describe(file)
measure(work)`;
const readPython = `${common}
def work():
    with h5py.File(path) as file: return [int(file["X"][name][:].shape[0]) for name in ("data", "indices", "indptr")]
measure(work)`;
const rowsPython = `${common}
def work():
    total = 0
    with h5py.File(path) as file:
        indptr, indices = file["X/indptr"], file["X/indices"]
        for i in range(${randomRows}):
            row = i * 7919 % (indptr.shape[0] - 1)
            start, end = indptr[row:row + 2]
            total += int(indices[start:end].sum())
    return total
measure(work)`;

async function withFile<T>(path: string, engine: "native" | "wasm", work: (file: H5Reader) => T): Promise<T> {
  const file = await openH5(path, { engine });
  try {
    return work(file);
  } finally {
    file.close();
  }
}

function compare<T>(title: string, sides: Record<string, Cost & { result: T }>): void {
  printCosts(title, sides, "h5py");
  const results = new Set(Object.values(sides).map(({ result }) => JSON.stringify(result)));
  if (results.size !== 1) throw new Error(`${title}: the sides differ: ${[...results].join(" / ")}`);
}

const { files } = syntheticStudy();
for (const [name, path] of Object.entries(files)) {
  const both = async <T>(work: (file: H5Reader) => T) => ({
    "this reader": await measure(() => withFile(path, "native", work)),
    // It has no LZF.
    ...(name === "lzf" ? {} : { h5wasm: await measure(() => withFile(path, "wasm", work)) }),
  });
  const whole = (file: H5Reader) =>
    arrays.map((array) => (file.read(file.dataset(`/X/${array}`)) as H5Numbers).length);
  if (name === "gzip") {
    compare(`${name}: open, every object and attribute`, {
      ...(await both((file) => describe(file))),
      h5py: measurePython<number>(describePython, [path]),
    });
  }
  compare(`${name}: X whole`, { ...(await both(whole)), h5py: measurePython<number[]>(readPython, [path]) });
  compare(`${name}: ${randomRows} random rows of X`, {
    ...(await both(readRows)),
    h5py: measurePython<number>(rowsPython, [path]),
  });
}
