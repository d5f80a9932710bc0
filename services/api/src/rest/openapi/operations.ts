import type { Schema } from "./message-schemas.ts";

/** A query parameter or header. */
export interface Parameter {
  readonly name: string;
  readonly in: "query" | "header";
  readonly description: string;
  readonly schema: Schema;
  readonly required?: boolean;
}

/** One endpoint, as the document tells it. Parts of the path in braces become path parameters. */
export interface Endpoint {
  readonly method: "get" | "post";
  readonly path: string;
  readonly tag: "Annotation (CAS)" | "Annotation" | "Jobs" | "Catalog" | "Documentation" | "Operation";
  readonly summary: string;
  readonly description?: string;
  /** No token is asked for. */
  readonly open?: boolean;
  readonly parameters?: readonly Parameter[];
  readonly body?: { readonly type: string; readonly schema: Schema; readonly required?: boolean };
  /** Status → answer. */
  readonly answers: Readonly<Record<string, Answer>>;
  /** Statuses of errors besides 401, 500 and 503. */
  readonly errors?: readonly number[];
}

/** A good answer. */
export interface Answer {
  readonly description: string;
  readonly type?: string;
  readonly schema?: Schema;
}

export const text: Schema = { type: "string" };
export const integer: Schema = { type: "integer" };
export const number: Schema = { type: "number" };
export const boolean: Schema = { type: "boolean" };
export const list = (items: Schema): Schema => ({ type: "array", items });
/** An object whose fields are always there. */
export const record = (properties: Record<string, Schema>): Schema => ({
  type: "object",
  properties,
  required: Object.keys(properties),
});
export const nullable = (schema: Schema): Schema => ({ anyOf: [schema, { type: "null" }] });

/** A good answer in JSON. */
export const json = (description: string, schema: Schema): Record<string, Answer> => ({
  "200": { description, schema },
});

/** A file to upload, with other fields. */
export const form = (fields: Record<string, Schema>, required: readonly string[] = []) => ({
  type: "multipart/form-data",
  required: true,
  schema: {
    type: "object",
    properties: {
      file: { type: "string", contentMediaType: "application/octet-stream", description: "An .h5ad file." },
      ...fields,
    },
    required: ["file", ...required],
  },
});
