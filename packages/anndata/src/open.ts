import { alignedEntries } from "./aligned.ts";
import { readElementFrom } from "./elements/read-element.ts";
import { readAnnDataElement } from "./elements/upgrade.ts";
import { openFrame } from "./frame.ts";
import { LazyMap } from "./lazy-map.ts";
import { type MatrixLimits, openMatrix } from "./matrix.ts";
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
 * (folder, matrix or tarball), loom. Asynchronous only because formats of text are unpacked first; all reading is
 * synchronous and belongs into a worker. `x`, `raw` and `layers` check their shapes when they are first touched.
 *
 * @throws AnnDataError
 */
export async function openAnnData(path: string, options: OpenOptions = {}): Promise<AnnData> {
  let source: Source | undefined;
  try {
    const maxBytes = options.maxBytes ?? defaultMaxBytes;
    source = await openSource(path, { ...options, maxBytes });
    return build(source, { ...options, maxBytes });
  } catch (error) {
    source?.close();
    throw asAnnDataError(error);
  }
}

function build(source: Source, options: OpenOptions & { maxBytes: number }): AnnData {
  const atClose: (() => void)[] = [() => source.close()];
  const close = () => {
    for (const callback of atClose.splice(0)) callback();
  };
  const limits: MatrixLimits = { ...options, onClose: (callback) => void atClose.push(callback) };
  refuseOthers(source);
  const obs = openFrame(source, "/obs");
  const vars = openFrame(source, "/var");
  const matrix = (where: string, features: DataFrame, name: string): Matrix =>
    openMatrix(
      source,
      where,
      {
        rows: obs.length,
        columns: features.length,
        rowsSay: `obs has ${obs.length} cells`,
        columnsSay: `${name} has ${features.length} genes`,
      },
      limits,
    );
  const x = once(() => (source.kind("/X") === undefined ? undefined : matrix("/X", vars, "var")));
  const raw = once(() => openRaw(source, matrix));
  const layerKeys = source.kind("/layers") === "group" ? source.children("/layers") : [];
  return {
    path: source.path,
    format: source.format,
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
    obsmKeys: obsmKeysOf(source, "/obsm"),
    aligned: {
      obsm: alignedEntries(source, "/obsm", { lengths: [obs.length], what: "cells" }, limits),
      varm: alignedEntries(source, "/varm", { lengths: [vars.length], what: "genes" }, limits),
      obsp: alignedEntries(source, "/obsp", { lengths: [obs.length, obs.length], what: "cells" }, limits),
      varp: alignedEntries(source, "/varp", { lengths: [vars.length, vars.length], what: "genes" }, limits),
    },
    element: (where) => (where === "/" ? readAnnDataElement(source) : readElementFrom(source, where)),
    obsm: (key) => readObsm(source, key, obs.length),
    uns: () => readTree(source, "/uns"),
    close,
    [Symbol.dispose]: close,
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
