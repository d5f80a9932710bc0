import { create } from "@bufbuild/protobuf";
import {
  ConversionRecipe,
  FormatMetadataSpecSchema,
  type JoinReport,
} from "@cytomesh/contracts/jobs/v1/imaging";
import { toUri } from "@cytomesh/object-store";
import { choiceOption, defineCommand, jobOptions, needs } from "../command.ts";
import { readRequestFile } from "../request-file.ts";
import { formatCount, placeLines } from "../terminal/text.ts";
import { submit } from "./submit.ts";

const recipes = { opencell: ConversionRecipe.OPENCELL, allencell: ConversionRecipe.ALLENCELL };

/** `cytomesh imaging format-metadata` */
export const formatMetadata = defineCommand({
  name: "imaging format-metadata",
  usage: "imaging format-metadata METADATA --recipe NAME --output URI",
  positionals: 1,
  options: {
    ...jobOptions,
    recipe: { type: "string", value: "NAME", help: "opencell or allencell" },
    output: { type: "string", value: "URI", help: "the formatted table" },
    annotations: { type: "string", value: "FILE", help: "opencell: localisation annotations (CSV)" },
    manifest: { type: "string", value: "FILE", help: "allencell: manifest of the data set (CSV)" },
    locations: { type: "string", value: "FILE", help: "allencell: locations of structures (TSV)" },
    genes: { type: "string", value: "FILE", help: "allencell: Ensembl ids of genes (TSV)" },
  },
  async run({ options, positionals, signal }) {
    const spec =
      options.config === undefined
        ? create(FormatMetadataSpecSchema)
        : await readRequestFile(FormatMetadataSpecSchema, options.config);
    const uri = (path: string | undefined, before: string) => (path === undefined ? before : toUri(path));
    spec.metadataUri = uri(positionals[0], spec.metadataUri);
    spec.outputUri = uri(options.output, spec.outputUri);
    spec.annotationsUri = uri(options.annotations, spec.annotationsUri);
    spec.manifestUri = uri(options.manifest, spec.manifestUri);
    spec.locationsUri = uri(options.locations, spec.locationsUri);
    spec.genesUri = uri(options.genes, spec.genesUri);
    spec.recipe = choiceOption("recipe", options.recipe, recipes) ?? spec.recipe;
    needs({
      METADATA: spec.metadataUri,
      "--recipe NAME": spec.recipe,
      "--output URI": spec.outputUri,
      ...(spec.recipe === ConversionRecipe.OPENCELL ? { "--annotations FILE": spec.annotationsUri } : {}),
      ...(spec.recipe === ConversionRecipe.ALLENCELL
        ? {
            "--manifest FILE": spec.manifestUri,
            "--locations FILE": spec.locationsUri,
            "--genes FILE": spec.genesUri,
          }
        : {}),
    });
    await submit(
      options,
      "imaging format-metadata",
      { case: "formatMetadata", value: spec },
      signal,
      async (result) =>
        result.case !== "formatMetadata"
          ? []
          : [
              ...placeLines({ table: result.value.tableUri, report: result.value.reportUri }),
              ...result.value.joins.map(joinLine),
            ],
    );
  },
});

/** How a join went, with a key that found nothing: most often keys are written in two ways. */
function joinLine({ name, matched, unmatched, ambiguous, unmatchedKeys, ambiguousKeys }: JoinReport): string {
  const example = ([first]: readonly string[]) =>
    first === undefined ? "" : ` (as ${JSON.stringify(first)})`;
  return `${name}: ${formatCount(matched)} matched, ${formatCount(unmatched)} unmatched${example(unmatchedKeys)}, ${formatCount(ambiguous)} ambiguous${example(ambiguousKeys)}`;
}
