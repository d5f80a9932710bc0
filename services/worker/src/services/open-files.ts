import { stat } from "node:fs/promises";
import { type AnnData, openAnnData } from "@cytomesh/anndata";
import type { MatrixChoice } from "../schemas/tasks.ts";
import { type Expression, openExpression } from "./expression.ts";

/** A file with what tasks have found out about it. */
export interface OpenFile {
  readonly file: AnnData;
  /** Its expression matrix; looked for once per choice. */
  expression(choice: MatrixChoice): Expression;
}

/** Open files that a thread keeps. */
export interface OpenFiles {
  /** Have a file open while `fn` runs. Calls must not overlap: a thread runs one task at a time. */
  use<T>(path: string, version: string, fn: (file: OpenFile) => Promise<T>): Promise<T>;
  /** Number of files kept open. */
  readonly size: number;
  close(): void;
}

/**
 * Keep the `maxFiles` files used last open, with their derived tables, as far as they are at most `maxFileBytes` large: the next look at
 * a small file costs no opening, the memory of a large one is not held for somebody who may not come back.
 */
export function createOpenFiles(options: { maxFiles: number; maxFileBytes: number }): OpenFiles {
  const kept = new Map<string, OpenFile>();
  const forget = (key: string) => {
    kept.get(key)?.file.close();
    kept.delete(key);
  };
  return {
    get size() {
      return kept.size;
    },
    async use(path, version, fn) {
      const key = `${path}\n${version}`;
      const opened = kept.get(key) ?? remember(await openAnnData(path));
      kept.delete(key);
      kept.set(key, opened);
      let failed = true;
      try {
        const value = await fn(opened);
        failed = false;
        return value;
      } finally {
        // A reader that threw may be in any state; a file that failed is opened anew.
        const small = !failed && (await sizeOf(path)) <= options.maxFileBytes;
        if (!small) forget(key);
        for (const oldest of kept.keys()) {
          if (kept.size <= options.maxFiles) break;
          forget(oldest);
        }
      }
    },
    close() {
      for (const key of [...kept.keys()]) forget(key);
    },
  };
}

function remember(file: AnnData): OpenFile {
  const found = new Map<MatrixChoice, Expression>();
  return {
    file,
    expression(choice) {
      const expression = found.get(choice) ?? openExpression(file, choice);
      found.set(choice, expression);
      return expression;
    },
  };
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => Number.POSITIVE_INFINITY,
  );
}
