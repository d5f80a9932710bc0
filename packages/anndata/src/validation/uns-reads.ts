import type { ArraySource, Element } from "../elements/element.ts";
import { AnnDataError } from "../errors.ts";
import type { AnnData } from "../types.ts";
import type { Report } from "./report.ts";

/** Elements of an array read at a time. */
const elementsAtOnce = 1_000_000;
/** Entries told of; a damaged group may have thousands. */
const maxTold = 20;

/**
 * Reads all of `uns`, which no rule may look at but whoever opens the file does: damage, links that lead out of the file or in a circle, and
 * nesting without end keep it from being opened at all. One problem for each entry that cannot be read.
 */
export function checkUnsReads(file: AnnData, report: Report): void {
  let told = 0;
  const attempt = (where: string, read: () => void): void => {
    if (told >= maxTold) return;
    const before = report.problems.length;
    report.attempt(where, read);
    told += report.problems.length - before;
  };
  const visit = (where: string, element: Element): void => {
    const entries = entriesOf(element);
    for (const array of arraysOf(element)) readThrough(array);
    for (const name of entries.keys())
      attempt(`${where}/${name}`, () => {
        // Asked for inside, as it is opened only now.
        const entry = entries.get(name);
        if (entry !== undefined) visit(`${where}/${name}`, entry);
      });
  };
  const uns = unsOf(file, report);
  if (uns !== undefined) visit("uns", uns);
}

function unsOf(file: AnnData, report: Report): Element | undefined {
  return report.attempt("uns", () => {
    try {
      return file.element("/uns");
    } catch (error) {
      if (error instanceof AnnDataError && error.tag === "not-found") return undefined;
      throw error;
    }
  });
}

function entriesOf(element: Element): ReadonlyMap<string, Element> {
  if (element.encoding === "dict" || element.encoding === "anndata" || element.encoding === "raw")
    return element.entries;
  return element.encoding === "dataframe" ? element.columns : new Map();
}

function arraysOf(element: Element): ArraySource[] {
  switch (element.encoding) {
    case "array":
    case "string-array":
    case "rec-array":
    case "numeric-scalar":
      return [element.array];
    case "csr_matrix":
    case "csc_matrix":
      return [element.indptr, element.indices, element.data];
    case "categorical":
      return [element.codes, ...arraysOf(element.categories)];
    case "nullable-integer":
    case "nullable-boolean":
    case "nullable-string-array":
      return [element.values, element.mask];
    case "dataframe":
      return arraysOf(element.index);
    case "awkward-array":
      return [...element.buffers.values()];
    default:
      return [];
  }
}

function readThrough(array: ArraySource): void {
  const [rows, ...rest] = array.shape;
  if (rows === undefined) return void array.read();
  const perRow = Math.max(
    1,
    rest.reduce((product, dim) => product * dim, 1),
  );
  const step = Math.max(1, Math.floor(elementsAtOnce / perRow));
  for (let row = 0; row < rows; row += step) array.read(row, Math.min(rows, row + step));
}
