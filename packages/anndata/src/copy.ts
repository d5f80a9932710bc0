import { createSink } from "./create-sink.ts";
import { readAnnDataElement } from "./elements/upgrade.ts";
import { writeElement } from "./elements/write-element.ts";
import { AnnDataError } from "./errors.ts";
import { openSource } from "./open-source.ts";
import { refuseOthers } from "./refuse-others.ts";
import { asAnnDataError } from "./source.ts";
import type { Sink, SinkOptions, StorageFormat } from "./storage.ts";

/** How the copy is stored, and how much of the file is copied. */
export interface CopyOptions extends SinkOptions {
  /** Default: by the name of the target; ".zarr" and ".zarr.zip" are zarr, all others .h5ad. */
  format?: StorageFormat;
  /** Largest array that is read in one piece, in bytes; default 1 GiB. Arrays are copied some rows at a time, so only very long rows come near it. */
  maxBytes?: number;
  /** Where formats of text are unpacked meanwhile; default: the system's temporary folder. */
  tempDir?: string;
  /** Copy only what stands in this group, for example one modality of a MuData file: "/mod/rna". */
  group?: string;
  signal?: AbortSignal;
}

/**
 * Copies an AnnData file of any version and format into the current one of `format`: every element with its dtype, categories and
 * encoding, big arrays some rows at a time. Files of old versions are brought up to date on the way, as Python's anndata does when
 * it reads them.
 *
 * @throws AnnDataError
 */
export async function copyAnnData(from: string, to: string, options: CopyOptions = {}): Promise<void> {
  try {
    const { maxBytes = 1024 ** 3, tempDir, group } = options;
    const source = await openSource(from, { maxBytes, tempDir, group });
    try {
      const sink = createSink(to, options.format, options);
      try {
        refuseOthers(source);
        await writeElement(stopping(sink, options.signal), "/", readAnnDataElement(source));
        await sink.finish();
      } catch (error) {
        await sink.abort();
        throw error;
      }
    } finally {
      source.close();
    }
  } catch (error) {
    throw asAnnDataError(error);
  }
}

/** The sink, refusing more once the signal fired. */
function stopping(sink: Sink, signal: AbortSignal | undefined): Sink {
  if (signal === undefined) return sink;
  const check = (where: string) => {
    if (signal.aborted) throw new AnnDataError("cancelled", `${where}: stopped`, { cause: signal.reason });
  };
  return {
    ...sink,
    dataset: async (where, layout, values) => {
      check(where);
      await sink.dataset(where, layout, values);
    },
    appendable: (where, layout) => {
      const target = sink.appendable(where, layout);
      return {
        append: async (values) => {
          check(where);
          await target.append(values);
        },
      };
    },
  };
}
