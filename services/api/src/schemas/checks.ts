import type { FieldViolation } from "../errors.ts";

const NAME = /^[a-z0-9][a-z0-9._-]{0,126}$/;
const DATASET = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const URI = /^(?:file|gs|s3):\/\/[^\s\p{Cc}]+$/u;
const SHA256 = /^[0-9a-f]{64}$/;
const SHOWN_CHARACTERS = 80;

const shown = (value: string): string =>
  JSON.stringify(value.length > SHOWN_CHARACTERS ? `${value.slice(0, SHOWN_CHARACTERS)}…` : value);

/** Collects what is wrong with a request; every method looks at one field. */
export interface Checks {
  readonly violations: FieldViolation[];
  add(field: string, description: string): void;
  /** Name of a resource of the catalog. */
  name(field: string, value: string): void;
  optionalName(field: string, value: string): void;
  /** Datasets have a narrower rule, because their names become names of tables. */
  dataset(field: string, value: string): void;
  uri(field: string, value: string): void;
  /** SHA-256 in lower-case hex. */
  sha256(field: string, value: string): void;
  /** Neither empty nor unstorable. */
  text(field: string, value: string, maxLength: number): void;
  /** May be empty. */
  optionalText(field: string, value: string, maxLength: number): void;
  /** A finite number between the limits, both included. */
  range(field: string, value: number | bigint, min: number | bigint, max: number | bigint): void;
  /** `known` are the numbers of a proto enum. */
  known(field: string, value: number, known: Readonly<Record<string, number>>): void;
  /** Non-empty, distinct, at most `maxCount` texts. */
  distinct(field: string, values: readonly string[], maxCount: number, maxLength: number): void;
}

export function createChecks(): Checks {
  const violations: FieldViolation[] = [];
  const add = (field: string, description: string) => void violations.push({ field, description });
  const matches = (pattern: RegExp, expected: string) => (field: string, value: string) => {
    if (!pattern.test(value))
      add(field, `expected ${expected}, found ${value === "" ? "nothing" : shown(value)}`);
  };
  const name = matches(NAME, "a name of the form [a-z0-9][a-z0-9._-]{0,126}");
  const optionalText = (field: string, value: string, maxLength: number) => {
    if (value.length > maxLength)
      add(field, `expected at most ${maxLength} characters, found ${value.length}`);
    if (value.includes("\0") || !value.isWellFormed())
      add(field, "expected Unicode text without NUL characters");
  };
  const text = (field: string, value: string, maxLength: number) => {
    if (value === "") add(field, "expected a value, found nothing");
    optionalText(field, value, maxLength);
  };
  return {
    violations,
    add,
    name,
    optionalName(field, value) {
      if (value !== "") name(field, value);
    },
    dataset: matches(DATASET, "a dataset name of the form [a-z0-9][a-z0-9_-]{0,62}"),
    uri: matches(URI, "a file://, gs:// or s3:// URI without blanks"),
    sha256: matches(SHA256, "a SHA-256 as 64 lower-case hex digits"),
    text,
    optionalText,
    range(field, value, min, max) {
      if (!(value >= min && value <= max))
        add(field, `expected a number from ${min} to ${max}, found ${value}`);
    },
    known(field, value, known) {
      if (!Object.values(known).includes(value)) add(field, `no value of this enum has the number ${value}`);
    },
    distinct(field, values, maxCount, maxLength) {
      if (values.length > maxCount)
        add(field, `expected at most ${maxCount} entries, found ${values.length}`);
      const seen = new Set<string>();
      for (const [i, value] of values.slice(0, maxCount).entries()) {
        text(`${field}[${i}]`, value, maxLength);
        if (seen.has(value)) add(`${field}[${i}]`, `${shown(value)} is listed twice`);
        seen.add(value);
      }
    },
  };
}
