import type { StageSpec } from "@cytomesh/contracts/jobs/v1/imaging";
import { sha256Hex } from "@cytomesh/object-store";
import { z } from "zod";
import { listingRequest } from "./listing.ts";

const count = z.number().int().nonnegative();

/** A file of a job that failed. */
export const failureSchema = z.object({
  uri: z.string(),
  /** Position in the list of files. */
  position: count,
  reason: z.string(),
  message: z.string(),
  tries: count,
});

/** A file of a job that failed. */
export type FileFailure = z.infer<typeof failureSchema>;

/** A file that was copied. */
const stagedFileSchema = z.object({
  uri: z.string(),
  position: count,
  /** Path below the output folder. */
  path: z.string(),
  bytes: count,
  sha256: z.string(),
});

/** A file that was copied. */
export type StagedFile = z.infer<typeof stagedFileSchema>;

/** What became of a shard: `records/<shard>.json`. */
export const stageRecordSchema = z.object({
  shard: count,
  files: z.array(stagedFileSchema),
  failures: z.array(failureSchema),
});

/** What became of a shard. */
export type StageRecord = z.infer<typeof stageRecordSchema>;

/** The request of a spec as its folder keeps it. Equal specs give equal requests. */
export function stageRequest(spec: StageSpec): object {
  const { listing } = spec;
  return {
    format: "cytomesh-staged/1",
    uris: spec.uris.length,
    urisSha256: sha256Hex(spec.uris.map((uri) => `${uri}\n`).join("")),
    listing: listing === undefined ? null : listingRequest(listing),
    shards: spec.shards,
    keepPaths: spec.keepPaths,
  };
}
