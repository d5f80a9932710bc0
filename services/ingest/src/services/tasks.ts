import { defineTask } from "@cytomesh/service-kit/task";
import type { ConvertOptions } from "../schemas/plan.ts";
import { type ConvertRequest, convertFile } from "./convert-file.ts";
import { describeFile } from "./inspect.ts";
import { planFile } from "./plan-file.ts";

/** Worker-thread tasks of the service: everything that reads a matrix. */
export const plan = defineTask((input: { path: string; options: ConvertOptions }) =>
  planFile(input.path, input.options),
);

/** See `convertFile`. */
export const convert = defineTask((input: ConvertRequest, context) => convertFile(input, context));

/** See `describeFile`. */
export const describe = defineTask((input: { path: string }) => describeFile(input.path));
