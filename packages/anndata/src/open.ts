import { openFrame } from "./frame.ts";
import { LazyMap } from "./lazy-map.ts";
import { openMatrix } from "./matrix.ts";
import { obsmKeysOf, readObsm } from "./obsm.ts";
import { openSource } from "./open-source.ts";
import { refuseOthers } from "./refuse-others.ts";
import { asAnnDataError } from "./source.ts";
import type { Source } from "./storage.ts";
import type { AnnData, DataFrame, Matrix, OpenOptions } from "./types.ts";
import { readTree } from "./uns.ts";

const defaultMaxBytes = 1024 ** 3;

/**
 * Opens an .h5ad file of any AnnData version, or what is laid out like one on opening: 10x HDF5 (Cell Ranger 1 to 9), a Matrix Market triple
 * (folder, matrix or tarball), loom. Asynchronous only because the wasm module loads once per thread; all reading is
 * synchronous and belongs into a worker. `x`, `raw` and `layers` check their shapes when they are first touched.
 *
 * @throws AnnDataError
 */
export async function openAnnData(path: string, options: OpenOptions = {}): Promise<AnnData> {
  let source: Source | undefined;
  try {
    const maxBytes = options.maxBytes ?? defaultMaxBytes;
    source = await openSource(path, { maxBytes, tempDir: options.tempDir });
    return build(source, maxBytes);
  } catch (error) {
    source?.close();
    throw asAnnDataError(error);
  }
}

function build(source: Source, maxBytes: number): AnnData {
  refuseOthers(source);
  const obs = openFrame(source, "/obs");
  const vars = openFrame(source, "/var");
  const matrix = (where: string, features: DataFrame, name: string): Matrix =>
    openMatrix(
      source,
      where,
      { rows: obs.length, columns: features.length, columnsSay: `${name} has ${features.length} genes` },
      maxBytes,
    );
  const x = once(() => (source.kind("/X") === undefined ? undefined : matrix("/X", vars, "var")));
  const raw = once(() => openRaw(source, matrix));
  const layerKeys = source.kind("/layers") === "group" ? source.children("/layers") : [];
  return {
    path: source.path,
    nObs: obs.length,
    nVar: vars.length,
    obs,
    var: vars,
    get x() {
      return x();
    },
    get raw() {
      return raw();
    },
    layers: new LazyMap(layerKeys, (key) => matrix(`/layers/${key}`, vars, "var")),
    obsmKeys: obsmKeysOf(source),
    obsm: (key) => readObsm(source, key, obs.length),
    uns: () => readTree(source, "/uns"),
    close: () => source.close(),
    [Symbol.dispose]: () => source.close(),
  };
}

/** raw is a group since 0.7 and the pair "raw.X", "raw.var" before. */
function openRaw(
  source: Source,
  matrix: (where: string, features: DataFrame, name: string) => Matrix,
): { var: DataFrame; x: Matrix } | undefined {
  for (const prefix of ["/raw/", "/raw."]) {
    if (source.kind(`${prefix}X`) === undefined) continue;
    const vars = openFrame(source, `${prefix}var`);
    return { var: vars, x: matrix(`${prefix}X`, vars, "raw.var") };
  }
  return undefined;
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
