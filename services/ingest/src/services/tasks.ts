import { copyAnnData } from "@cytomesh/anndata";
import { defineTask } from "@cytomesh/service-kit/task";
import type { ConvertOptions } from "../schemas/plan.ts";
import { encodeSlice } from "./encode-slice.ts";
import { describeFile } from "./inspect.ts";
import { exceedsInt32, outlineFile, turnStep } from "./outline-file.ts";
import { planFile } from "./plan-file.ts";

/** Does nothing: whoever will need a thread soon has it started meanwhile. */
export const start = defineTask(() => undefined);

/** Worker-thread tasks of the service: everything that reads a matrix. */
export const plan = defineTask((input: { path: string; options: ConvertOptions }) =>
  planFile(input.path, input.options),
);

/** See `outlineFile`. */
export const outline = defineTask(outlineFile);

/** See `turnStep`. */
export const turn = defineTask(turnStep);

/** See `exceedsInt32`. */
export const exceeds = defineTask(exceedsInt32);

/** See `encodeSlice`. */
export const encode = defineTask(encodeSlice, ({ pages: { bytes } }) =>
  bytes.buffer instanceof ArrayBuffer ? [bytes.buffer] : [],
);

/** A format of text as `.h5ad`, uncompressed: it is read again at once. */
export const parse = defineTask(
  async ({ path, copy, tempDir }: { path: string; copy: string; tempDir: string }, { signal }) =>
    copyAnnData(path, copy, { compression: "none", tempDir, signal }),
);

/** See `describeFile`. */
export const describe = defineTask((input: { path: string }) => describeFile(input.path));
