import type { ObjectStore } from "@cytomesh/object-store";
import { openStore, type StoreSettings } from "@cytomesh/service-kit";
import { defineTask, type TaskContext } from "@cytomesh/service-kit/task";
import type { ReadLimits } from "../schemas/convert.ts";
import { makeContactSheet } from "./contact/contact-sheet.ts";
import { type ConvertInput, convertField } from "./convert/convert-field.ts";
import type { TaskExtras } from "./convert/convert-shard.ts";
import { type H5scInput, writeH5sc } from "./convert/h5sc.ts";
import { segmenterFor } from "./convert/models.ts";
import { cropColumns } from "./convert/tables.ts";
import { describeImage } from "./describe-image.ts";
import type { FieldSource } from "./inputs/fields.ts";

/** Worker-thread tasks of the service: everything that decodes or looks at pixels. A thread keeps its store and its model. */
export const describe = defineTask(
  (input: { source: FieldSource; limits: ReadLimits; store: StoreSettings }, context) =>
    describeImage(storeOf(input.store), input.source, input.limits, context.signal),
);

/** See `convertField`. */
export const convert = defineTask((input: ConvertInput & TaskExtras, context) =>
  runConvert(input, context, storeOf(input.store)),
);

/** See `writeH5sc`. */
export const h5sc = defineTask((input: H5scInput, context) => writeH5sc(input, context, cropColumns));

/** See `makeContactSheet`. */
export const contactSheet = defineTask(makeContactSheet);

/** The conversion with whatever model it needs; also run without threads, by tests. */
export async function runConvert(input: ConvertInput & TaskExtras, context: TaskContext, store: ObjectStore) {
  return convertField(input, context, store, await segmenterFor(input.options, input.model));
}

let kept: { key: string; store: ObjectStore } | undefined;

/** The store of the service, opened once per thread. */
function storeOf(settings: StoreSettings): ObjectStore {
  const key = JSON.stringify(settings);
  if (kept?.key !== key) kept = { key, store: openStore(settings).store };
  return kept.store;
}
