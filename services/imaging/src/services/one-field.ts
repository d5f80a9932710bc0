import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { sha256Of, withLocalFile } from "@cytomesh/object-store";
import type { CropsFolder } from "../data-manager/outputs.ts";
import { ImagingError } from "../errors.ts";
import { type ConvertOptions, type FieldRecord, fieldNameOf } from "../schemas/convert.ts";
import type { ConvertedField, ConvertInput } from "./convert-field.ts";
import type { ImagingDeps } from "./deps.ts";

/** What an output folder holds already. */
export interface FoundCrops {
  readonly outputUri: string;
  /** Is the conversion complete, so that nothing may be written any more? */
  readonly complete: boolean;
  readonly fields: ReadonlyMap<string, FieldRecord>;
}

/** The fields of a complete conversion; none while it is not. */
export async function presentFields(folder: CropsFolder, outputUri: string): Promise<FoundCrops> {
  const manifest = await folder.manifest();
  const fields = new Map((manifest?.fields ?? []).map((record) => [record.uri, record]));
  return { outputUri, complete: manifest !== undefined, fields };
}

/**
 * Convert one field: hash → recognise → segment and crop in a worker → put crops and table. Repeating it writes the same files again.
 *
 * @throws ImagingError see `openField`; `output-conflict` when the folder is complete with another content of the file; `file-changed`.
 */
export async function oneField(
  deps: ImagingDeps,
  folder: CropsFolder,
  found: FoundCrops,
  o: { uri: string; options: ConvertOptions; signal: AbortSignal },
): Promise<FieldRecord> {
  const { uri, signal } = o;
  const sha256 = await sha256Of(deps.store, uri, { signal });
  const present = found.fields.get(uri);
  if (present?.sha256 === sha256) return present;
  if (found.complete)
    throw new ImagingError(
      "output-conflict",
      `${found.outputUri} is complete with another content of ${uri} (SHA-256 ${present?.sha256 ?? "unknown"}, now ${sha256}); choose another output_uri`,
    );
  const field = fieldNameOf(uri);
  const outDir = await mkdtemp(join(deps.tempDir, "field-"));
  try {
    const converted = await withLocalFile(
      deps.store,
      uri,
      (path) => {
        const input: ConvertInput = {
          path,
          name: uri,
          limits: deps.limits,
          field,
          outDir,
          options: o.options,
        };
        return deps.pool.run<ConvertedField>("convert", input, { signal });
      },
      { signal, tmpDir: deps.tempDir },
    );
    // A file that changed under our hands would be recorded under the hash of another content.
    if ((await sha256Of(deps.store, uri, { signal })) !== sha256)
      throw new ImagingError(
        "file-changed",
        `${uri} changed while it was read; convert it again once it is complete`,
      );
    await folder.putField(field, outDir, signal);
    return { uri, field, sha256, ...converted };
  } finally {
    await rm(outDir, { recursive: true, force: true });
  }
}
