import {
  type ImageInfo,
  MicroscopyError,
  type MicroscopyImage,
  presentableSamples,
  type SeriesInfo,
} from "@cytomesh/microscopy";
import { type ObjectStore, ObjectStoreError, sha256Hex } from "@cytomesh/object-store";
import { ImagingError } from "../../errors.ts";
import type { ReadLimits, SourceFile } from "../../schemas/convert.ts";
import type { FieldSource } from "../inputs/fields.ts";
import { nameOf } from "../inputs/find-files.ts";
import { openWithHash, wholeBelowBytes } from "./open-hashed.ts";

/** What is kept of a file once it is closed. */
interface Seen {
  readonly info: ImageInfo;
  readonly series: SeriesInfo;
}

/** A field of several files as one image. */
export interface JoinedImage {
  readonly image: MicroscopyImage;
  readonly series: SeriesInfo;
  /** Of a line `<sha256>  <name>\n` per file. */
  readonly sha256: string;
  readonly sources: readonly SourceFile[];
}

/**
 * Open the files of a field as the channels, or planes of channels, of one image. Every file is opened, hashed and compared with the first
 * here; those that would hold more than 128 MiB together are closed again, and opened when their pixels are asked for.
 *
 * @throws ImagingError `incomplete-field`, `ambiguous-field`, `channels-differ`, and as `openWithHash`; `plane` also `file-changed`.
 */
export async function openJoined(
  store: ObjectStore,
  { uri, channels = [], problem }: FieldSource,
  limits: ReadLimits,
  signal: AbortSignal,
  keepBytes = wholeBelowBytes,
): Promise<JoinedImage> {
  if (problem !== undefined) throw new ImagingError(problem.tag, `${uri}: ${problem.message}`);
  const files = channels.flatMap(({ name, uris }) =>
    uris.map((file, z) => ({ channel: name, z, uri: file, deep: uris.length > 1 })),
  );
  const depth = channels[0]?.uris.length ?? 0;
  const held = new Map<number, MicroscopyImage>();
  const sources: SourceFile[] = [];
  const all: Seen[] = [];
  /** The file that was opened again last. */
  let again: { index: number; image: MicroscopyImage } | undefined;
  const close = async () => {
    await Promise.all(
      [...held.values(), ...(again ? [again.image] : [])].map((one) => one[Symbol.asyncDispose]()),
    );
    held.clear();
    again = undefined;
  };
  const imageOf = async (index: number): Promise<MicroscopyImage> => {
    const kept = held.get(index);
    if (kept !== undefined) return kept;
    if (again?.index === index) return again.image;
    await again?.image[Symbol.asyncDispose]();
    again = undefined;
    const { uri: file, sha256 } = sources[index] as SourceFile;
    const { image, sha256: now } = await openWithHash(store, file, limits, signal);
    if (now !== sha256) {
      await image[Symbol.asyncDispose]();
      throw new ImagingError(
        "file-changed",
        `${file} changed while its field ${uri} was read; convert it again`,
      );
    }
    again = { index, image };
    return image;
  };
  try {
    let bytes = 0;
    for (const [index, { channel, z, uri: file, deep }] of files.entries()) {
      signal.throwIfAborted();
      const opened = await openFile(
        store,
        file,
        limits,
        signal,
        `${uri}: expected a file of the channel ${channel}${deep ? `, plane ${z} from 0` : ""}`,
      );
      sources.push({ channel, z, uri: file, sha256: opened.sha256 });
      held.set(index, opened.image);
      all.push({ info: opened.image.info, series: opened.series });
      checkAlike((all[0] as Seen).series, opened.series, { uri, first: files[0]?.uri ?? "", file, deep });
      const { x, y, z: planes } = opened.series.sizes;
      // With what its decoder may keep of it; gzip is unpacked as a whole.
      const room = opened.heldBytes + x * y * 2 * (/\.gz$/i.test(file) ? planes : 1);
      bytes += room;
      if (bytes > keepBytes) {
        held.delete(index);
        bytes -= room;
        await opened.image[Symbol.asyncDispose]();
      }
    }
    const series = seriesOf(
      all.map((one) => one.series),
      channels.map(({ name }) => name),
      depth,
    );
    const image: MicroscopyImage = {
      info: {
        uri,
        format: (all[0] as Seen).info.format,
        series: [series],
        needsOtherFiles: true,
        warnings: [...all.flatMap((one) => one.info.warnings), ...sizesDiffer(all, files)],
      },
      async plane(request = {}, options) {
        const { c = 0, z = 0, ...rest } = request;
        const index = c * depth + (depth > 1 ? z : 0);
        if (!(c >= 0 && c < channels.length && z >= 0 && z < series.sizes.z))
          throw new MicroscopyError("invalid-argument", `${uri}: no plane ${z} of channel ${c}`);
        return (await imageOf(index)).plane({ ...rest, z: depth > 1 ? 0 : z }, options);
      },
      [Symbol.asyncDispose]: close,
    };
    const sha256 = sha256Hex(sources.map((one) => `${one.sha256}  ${nameOf(one.uri)}\n`).join(""));
    return { image, series, sha256, sources };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openFile(
  store: ObjectStore,
  file: string,
  limits: ReadLimits,
  signal: AbortSignal,
  expected: string,
) {
  try {
    return await openWithHash(store, file, limits, signal);
  } catch (cause) {
    const absent =
      (cause instanceof MicroscopyError && cause.tag === "not-found") ||
      (cause instanceof ObjectStoreError && cause.tag === "object-not-found");
    if (!absent) throw cause;
    throw new ImagingError(
      "incomplete-field",
      `${expected}, ${file}, as other fields or channels have it, found none`,
      { cause },
    );
  }
}

/** What files of one field have in common. */
function shapeOf({ sizes, pixelType, photometric, bitsPerSample }: SeriesInfo): string {
  const { x, y, z, samples } = sizes;
  const stack = z > 1 ? ` × ${z} planes` : "";
  return `${y} × ${x}${stack} of ${pixelType}${photometric === "grey" ? "" : `, ${photometric} in ${bitsPerSample} bits`}${samples > 1 ? `, ${samples} samples` : ""}`;
}

/** @throws ImagingError `channels-differ` for files that are no channels, or planes, of one field. */
function checkAlike(
  one: SeriesInfo,
  other: SeriesInfo,
  o: { uri: string; first: string; file: string; deep: boolean },
): void {
  const { t, c, z } = other.sizes;
  const bad = (what: string) => new ImagingError("channels-differ", `${o.uri}: ${what}`);
  if (t * c > 1 || presentableSamples(other) > 1 || (o.deep && z > 1))
    throw bad(
      `expected one ${o.deep ? "plane" : "channel"} in ${o.file}, found ${c} channel(s), ${t} time point(s) or pages, ${z} plane(s) and ${presentableSamples(other)} sample(s) per pixel`,
    );
  if (shapeOf(one) !== shapeOf(other))
    throw bad(`expected files alike, found ${shapeOf(one)} in ${o.first}, ${shapeOf(other)} in ${o.file}`);
}

/** The joined image: as the first file has it, with the bits that any uses. */
function seriesOf(all: readonly SeriesInfo[], names: readonly string[], depth: number): SeriesInfo {
  const first = all[0] as SeriesInfo;
  const sized = all.find(({ pixelSizeUm }) => pixelSizeUm !== undefined);
  const { significantBits: _, pixelSizeUm: __, pixelSizeFrom: ___, ...rest } = first;
  const used = Math.max(...all.map((one) => one.significantBits ?? one.bitsPerSample));
  return {
    ...rest,
    index: 0,
    bitsPerSample: Math.max(...all.map((one) => one.bitsPerSample)),
    ...(all.some((one) => one.significantBits !== undefined) && { significantBits: used }),
    sizes: { ...first.sizes, t: 1, c: names.length, z: depth > 1 ? depth : first.sizes.z },
    axes: depth > 1 || first.sizes.z > 1 ? "CZYX" : "CYX",
    channels: names.map((name) => ({ name })),
    ...(sized?.pixelSizeUm !== undefined && { pixelSizeUm: sized.pixelSizeUm }),
    ...(sized?.pixelSizeFrom !== undefined && { pixelSizeFrom: sized.pixelSizeFrom }),
    levels: first.levels.slice(0, 1),
  };
}

/** Files that say another pixel size than the first that says one: that one is taken, and this said. */
function sizesDiffer(all: readonly Seen[], files: readonly { readonly uri: string }[]): string[] {
  const sizes = all.flatMap(({ series }, i) =>
    series.pixelSizeUm === undefined ? [] : [{ x: series.pixelSizeUm.x, uri: files[i]?.uri }],
  );
  const [first] = sizes;
  const other = sizes.find(({ x }) => first !== undefined && Math.abs(x - first.x) > 0.001 * first.x);
  return first === undefined || other === undefined
    ? []
    : [`${other.uri}: pixels are ${other.x} µm, those of ${first.uri} ${first.x} µm, which is taken`];
}
