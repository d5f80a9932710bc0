import { create } from "@bufbuild/protobuf";
import { StageSpecSchema } from "@cytomesh/contracts/jobs/v1/imaging";
import { joinUri } from "@cytomesh/object-store";
import { defineCommand, integerOption, jobOptions } from "../command.ts";
import { readRequestFile } from "../request-file.ts";
import { placeLines } from "../terminal/text.ts";
import { applyFiles, fileOptions, needFiles } from "./imaging-files.ts";
import { submit } from "./submit.ts";

/** `cytomesh imaging stage` */
export const stage = defineCommand({
  name: "imaging stage",
  usage: "imaging stage [FILE…] [--prefix URI --pattern GLOB] --output URI",
  positionals: Number.POSITIVE_INFINITY,
  options: {
    ...jobOptions,
    ...fileOptions,
    parallel: { type: "string", value: "N", help: "copies at the same time (16)" },
    "keep-paths": { type: "boolean", help: "keep the path below the prefix instead of the bare name" },
  },
  async run({ options, positionals, signal }) {
    const spec =
      options.config === undefined
        ? create(StageSpecSchema)
        : await readRequestFile(StageSpecSchema, options.config);
    applyFiles(spec, positionals, options);
    spec.parallel = integerOption("parallel", options.parallel, { min: 1, max: 256 }) ?? spec.parallel;
    spec.keepPaths ||= options["keep-paths"];
    needFiles(spec);
    await submit(options, "imaging stage", { case: "stage", value: spec }, signal, async (result) =>
      result.case !== "stage"
        ? []
        : placeLines({
            table: result.value.tableUri,
            errors: result.value.failedFiles > 0 ? joinUri(spec.outputUri, "errors.csv") : "",
          }),
    );
  },
});
