import { create } from "@bufbuild/protobuf";
import { FileListingSchema } from "@cytomesh/contracts/jobs/v1/imaging";
import type { ConvertFieldsSpec } from "@cytomesh/contracts/jobs/v1/specs";
import { toUri } from "@cytomesh/object-store";
import { integerOption, needs, type OptionSpec } from "../command.ts";
import { CliError } from "../errors.ts";
import { printable } from "../terminal/text.ts";

/** Options of verbs that take files named, listed, or found. */
export const fileOptions = {
  prefix: {
    type: "string",
    value: "URI",
    help: "every file below it; end it with / for a folder",
  },
  pattern: {
    type: "string",
    value: "GLOB",
    help: "only files like this: a glob, or a text that the path contains, as _proj.tif",
  },
  listing: { type: "string", value: "FILE", help: "a text file of URIs, or a CSV file with a column uri" },
  sample: {
    type: "string",
    value: "N",
    help: "only so many of the files found, spread evenly: a trial before a long job",
  },
  output: { type: "string", value: "URI", help: "folder that receives everything" },
  shards: { type: "string", value: "N", help: "shards the files are dealt to (256)" },
} as const satisfies Record<string, OptionSpec>;

/** Option of verbs that look at fields. */
export const channelPatternOption = {
  type: "string",
  value: "PATTERN",
  help: "each channel is a file: hpa, metamorph, opera, or a regular expression of the name with (?<field>…) and (?<channel>…)",
} as const satisfies OptionSpec;

interface FileFlags {
  prefix: string | undefined;
  pattern: string | undefined;
  listing: string | undefined;
  sample: string | undefined;
  output: string | undefined;
  shards: string | undefined;
}

/** What specs of jobs on files have in common. */
type FileSpec = Pick<ConvertFieldsSpec, "uris" | "listing" | "outputUri" | "shards">;

/** Takes into the spec what the options say. @throws CliError `usage` */
export function applyFiles(spec: FileSpec, files: readonly string[], o: FileFlags): void {
  if (files.length > 0) spec.uris = files.map(fileUri);
  const sample = integerOption("sample", o.sample, { min: 1, max: 2 ** 31 - 1 });
  if ([o.prefix, o.listing, o.pattern, o.sample].some((one) => one !== undefined)) {
    const listing = spec.listing ?? create(FileListingSchema);
    if (o.prefix !== undefined)
      listing.prefixUri = o.prefix.endsWith("/")
        ? `${toUri(o.prefix).replace(/\/+$/, "")}/`
        : toUri(o.prefix);
    if (o.listing !== undefined) listing.listingUri = toUri(o.listing);
    if (o.pattern !== undefined) listing.pattern = o.pattern;
    listing.sample = sample ?? listing.sample;
    spec.listing = listing;
  }
  if (o.output !== undefined) spec.outputUri = toUri(o.output);
  spec.shards = integerOption("shards", o.shards, { min: 1, max: 10_000 }) ?? spec.shards;
}

/** A file, or an OME-Zarr folder with the slash that shells add. Folders of files are for --prefix. */
function fileUri(path: string): string {
  const uri = toUri(path);
  if (uri.endsWith(".zarr/")) return uri.slice(0, -1);
  if (uri.endsWith("/"))
    throw new CliError(
      "usage",
      `${printable(path)} is a folder; --prefix ${printable(path)} finds the files in it`,
    );
  return uri;
}

/** What every request on files has to name. @throws CliError `usage` */
export function needFiles(spec: FileSpec): void {
  const found = (spec.listing?.prefixUri ?? "") !== "" || (spec.listing?.listingUri ?? "") !== "";
  needs({
    "files: FILE…, --prefix URI or --listing FILE": spec.uris.length > 0 || found,
    "--output URI": spec.outputUri,
  });
}
