import { defineTask } from "@cytomesh/service-kit/task";
import { convertField } from "./convert-field.ts";
import { describeField, type FieldFile } from "./read-field.ts";

/** Worker-thread tasks of the service: everything that decodes or looks at pixels. */
export const describe = defineTask((input: FieldFile) => describeField(input));

/** See `convertField`. */
export const convert = defineTask(convertField);
