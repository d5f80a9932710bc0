import { z } from "zod";

const count = z.number().int().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const embeddingManifestSchema = z.object({
  version: z.literal(1),
  model: z.string(),
  modelSha256: sha256,
  curriculum: z.string(),
  curriculumManifestSha256: z.string(),
  dimension: z.number().int().min(1),
  cells: count,
  bins: z.array(
    z.object({
      bin: count,
      file: z.string().regex(/^bin-\d+\.f32$/),
      cells: count,
      bytes: count,
      sha256,
    }),
  ),
});

/** `manifest.json` of an embedding: one file per bin, float32 little-endian, row-major, rows in the order of the bin. */
export type EmbeddingManifest = z.infer<typeof embeddingManifestSchema>;

/** A bin of an embedding. */
export type EmbeddedBin = EmbeddingManifest["bins"][number];

/** Parse a manifest; undefined and what is wrong when it is none. */
export function parseEmbeddingManifest(json: unknown): { manifest?: EmbeddingManifest; problem?: string } {
  const parsed = embeddingManifestSchema.safeParse(json);
  return parsed.success ? { manifest: parsed.data } : { problem: z.prettifyError(parsed.error) };
}

/** File of a bin inside the folder of its embedding. */
export function embeddedBinFile(bin: number): string {
  return `${binKey(bin)}.f32`;
}

/** Key of a bin among the items of a job; sorts by number. */
export function binKey(bin: number): string {
  return `bin-${String(bin).padStart(6, "0")}`;
}
