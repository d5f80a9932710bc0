import { z } from "zod";
import { EdgeError } from "../../edge/errors.ts";

/** A query parameter that may be repeated. */
export const repeated = z
  .union([z.string(), z.array(z.string())])
  .optional()
  .transform((value) => (value === undefined ? [] : typeof value === "string" ? [value] : value));

/** A number written as text, in a range. */
export function numberParameter(o: { min: number; max: number; whole?: boolean }) {
  const described = `expected a ${o.whole === true ? "whole number" : "number"} from ${o.min} to ${o.max}`;
  return z.string().transform((text, context) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (value >= o.min && value <= o.max && (o.whole !== true || Number.isInteger(value))) return value;
    context.issues.push({ code: "custom", message: described, input: text });
    return z.NEVER;
  });
}

/** Where a list goes on, and how much of it to send. */
export const pageParameters = {
  page_size: numberParameter({ min: 1, max: 500, whole: true }).optional(),
  page_token: z.string().max(2_000).optional(),
};

/**
 * Parse what a request says outside of protobuf.
 *
 * @throws EdgeError `bad-request` listing everything wrong, unknown names included
 */
export function parseQuery<S extends z.ZodRawShape>(shape: S, query: unknown): z.infer<z.ZodObject<S>> {
  const parsed = z.strictObject(shape).safeParse(query);
  if (parsed.success) return parsed.data as z.infer<z.ZodObject<S>>;
  const violations = parsed.error.issues.map(({ path, message }) => ({
    field: path.join("."),
    description: message,
  }));
  const text = violations.map(({ field, description }) =>
    field === "" ? description : `${field}: ${description}`,
  );
  throw new EdgeError("bad-request", `the query parameters are not valid. ${text.join("; ")}`, {
    violations,
  });
}
