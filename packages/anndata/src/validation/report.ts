import { AnnDataError } from "../errors.ts";
import type { ValidationCode, ValidationProblem, ValidationSeverity } from "./types.ts";

/** Names or values shown with a problem. */
const maxExamples = 5;

/** Gathers problems. */
export interface Report {
  readonly problems: ValidationProblem[];
  add(
    code: ValidationCode,
    where: string,
    message: string,
    more?: { severity?: ValidationSeverity; count?: number; examples?: string[] },
  ): void;
  /** What `read` gives; damage becomes a problem and undefined. */
  attempt<T>(where: string, read: () => T): T | undefined;
  /** Was an error reported about this place? */
  failed(where: string): boolean;
  /** Could this place not be read? */
  unreadable(where: string): boolean;
}

export function createReport(): Report {
  const problems: ValidationProblem[] = [];
  return {
    problems,
    add(code, where, message, more = {}) {
      const { severity = "error", count, examples } = more;
      problems.push({
        code,
        severity,
        where,
        message,
        ...(count === undefined ? {} : { count }),
        ...(examples === undefined ? {} : { examples }),
      });
    },
    attempt(where, read) {
      try {
        return read();
      } catch (error) {
        problems.push(toProblem(where, error));
        return undefined;
      }
    },
    unreadable: (where) =>
      problems.some(
        ({ code, where: at }) => at === where && (code === "unreadable" || code === "wrong_length"),
      ),
    failed: (where) => problems.some((problem) => problem.where === where && problem.severity === "error"),
  };
}

function toProblem(where: string, error: unknown): ValidationProblem {
  if (!(error instanceof AnnDataError) || error.tag === "closed") throw error;
  return {
    code: error.tag === "wrong-length" ? "wrong_length" : "unreadable",
    severity: "error",
    where,
    message: error.message,
  };
}

/** Counts what is wrong and keeps the first few, so that a column of a million bad values makes one line. */
export class Tally {
  count = 0;
  readonly examples: string[] = [];
  readonly #seen = new Set<string>();
  #more = false;

  /** `times` bad ones that look like `example`; an empty example is only counted. */
  hit(example: string, times = 1): void {
    this.count += times;
    if (this.#seen.has(example)) return;
    if (example === "" || this.examples.length >= maxExamples) this.#more = true;
    else {
      this.#seen.add(example);
      this.examples.push(example);
    }
  }

  /** The examples in a line, with "…" when there were others. */
  get shown(): string {
    return `${this.examples.join(", ")}${this.#more ? ", …" : ""}`;
  }
}

/** A value in a message: quoted, cut off where it is long. */
export function quoted(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}
