import {
  createObjectStore,
  joinUri,
  type ObjectStore,
  ObjectStoreError,
  toUri,
} from "@cytomesh/object-store";
import {
  type AsyncStore,
  type AsyncZarrReader,
  openZarrAsync,
  ZarrError,
  type ZarrType,
} from "@cytomesh/zarr";
import { MicroscopyError, type MicroscopyErrorTag } from "./errors.ts";
import { type Axis, type Multiscale, multiscalesOf } from "./ngff.ts";
import { bytesOf, type PixelArray, type PixelType, pixelsInto, sampleBytes } from "./pixels.ts";
import { regionOf, resolveRequest } from "./request.ts";
import type { ImageInfo, MicroscopyImage, OpenOptions, ReadLimits, SeriesInfo } from "./types.ts";

/** Is this the name of a zarr group, or of a group inside of one? */
export function namesZarr(uri: string): boolean {
  return /\.zarr(\/|$)/i.test(uri);
}

/**
 * An OME-Zarr image (NGFF 0.1 to 0.5, zarr v2 and v3), or a group of numbered ones (bioformats2raw). Levels that are also smaller along z
 * give the plane at the same depth.
 */
export async function openOmeZarr(
  uri: string,
  limits: ReadLimits,
  options: OpenOptions,
): Promise<MicroscopyImage> {
  const { signal } = options;
  const store = options.store ?? createObjectStore();
  const folder = toUri(uri).replace(/\/+$/, "");
  const close = async () => {
    if (options.store === undefined) await store.close();
  };
  try {
    const zarr = await openZarrAsync(zarrStore(store, folder, signal), uri, {
      maxBytes: limits.maxPlaneBytes,
    });
    const found = await seriesOf(zarr, uri);
    const info: ImageInfo = {
      uri,
      format: "ome-zarr",
      series: found.map(({ info: one }, index) => ({ index, ...one })),
      needsOtherFiles: true,
      warnings: [],
    };
    return {
      info,
      async plane(request = {}, { signal: during, into } = {}) {
        const at = resolveRequest(info, request);
        const { image, levels } = found[at.series]!;
        const level = levels[at.level]!;
        const region = regionOf(at, level, uri);
        const z0 = info.series[at.series]!.sizes.z;
        const z = level.z === z0 ? at.z : Math.min(level.z - 1, Math.floor((at.z * level.z) / z0));
        const from = { t: at.t, c: at.c, z, y: region.y, x: region.x };
        const size = { t: 1, c: 1, z: 1, y: region.height, x: region.width };
        const start = image.axes.map(({ name }) => from[name]);
        const end = image.axes.map(({ name }, i) => start[i]! + size[name]);
        const { pixelType } = info.series[at.series]!;
        const bytes = region.width * region.height * sampleBytes(pixelType);
        if (bytes > limits.maxPlaneBytes)
          throw new MicroscopyError(
            "too-large",
            `${uri}: a region of ${bytes} bytes, the limit is ${limits.maxPlaneBytes}`,
          );
        const data = (await zarr
          .read(level.path, { start, end }, { signal: during })
          .catch((error: unknown) => {
            throw fromZarr(error, uri);
          })) as PixelArray;
        if (into !== undefined) bytesOf(pixelsInto(into, pixelType, data.length)).set(bytesOf(data));
        return {
          width: region.width,
          height: region.height,
          samples: 1,
          pixelType,
          data: into ?? data,
        };
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw fromZarr(error, uri);
  }
}

interface ZarrSeries {
  readonly info: Omit<SeriesInfo, "index">;
  readonly image: Multiscale;
  readonly levels: readonly {
    readonly path: string;
    readonly width: number;
    readonly height: number;
    readonly z: number;
  }[];
}

async function seriesOf(zarr: AsyncZarrReader, uri: string): Promise<ZarrSeries[]> {
  const root = await zarr.node("/");
  const own = root?.kind === "group" ? multiscalesOf(root.attributes, uri) : [];
  if (root?.kind === "group" && own.length > 0)
    return Promise.all(own.map((image) => oneSeries(zarr, "", image, uri)));
  if (
    root?.kind === "group" &&
    (root.attributes.plate !== undefined || (root.attributes.ome as { plate?: unknown } | undefined)?.plate)
  )
    throw new MicroscopyError("unsupported", `${uri} is a plate; open one of its fields, e.g. ${uri}/A/1/0`);
  const series: ZarrSeries[] = [];
  // bioformats2raw: images are groups "0", "1", …
  for (let number = 0; root?.kind === "group"; number++) {
    const node = await zarr.node(`/${number}`);
    if (node?.kind !== "group") break;
    for (const image of multiscalesOf(node.attributes, uri))
      series.push(await oneSeries(zarr, `/${number}`, image, uri));
  }
  if (series.length === 0)
    throw new MicroscopyError(
      "not-an-image",
      `${uri}: expected OME-Zarr, found a zarr ${root?.kind ?? "store"} without multiscales`,
    );
  return series;
}

async function oneSeries(
  zarr: AsyncZarrReader,
  prefix: string,
  image: Multiscale,
  uri: string,
): Promise<ZarrSeries> {
  const levels: ZarrSeries["levels"][number][] = [];
  let first: { type: PixelType; bits: number; sizes: Record<Axis, number> } | undefined;
  for (const { path } of image.datasets) {
    const where = `${prefix}/${path}`;
    const node = await zarr.node(where);
    if (node?.kind !== "array")
      throw new MicroscopyError("corrupt", `${uri}: its metadata name ${where}, which is no array`);
    if (node.shape.length !== image.axes.length)
      throw new MicroscopyError(
        "invalid-metadata",
        `${uri}: ${where} has ${node.shape.length} dimensions, its axes are ${image.axes.map(({ name }) => name).join("")}`,
      );
    const sizes = { t: 1, c: 1, z: 1, y: 1, x: 1 };
    for (const [i, { name }] of image.axes.entries()) sizes[name] = node.shape[i]!;
    if (Object.values(sizes).includes(0)) throw new MicroscopyError("corrupt", `${uri}: ${where} is empty`);
    first ??= { ...pixelTypeOf(node.type, `${uri}${where}`), sizes };
    levels.push({ path: where, width: sizes.x, height: sizes.y, z: sizes.z });
  }
  if (first === undefined)
    throw new MicroscopyError("invalid-metadata", `${uri}: multiscales without datasets`);
  return {
    image,
    levels,
    info: {
      ...(image.name !== undefined && { name: image.name }),
      pixelType: first.type,
      bitsPerSample: first.bits,
      photometric: "grey",
      sizes: { ...first.sizes, samples: 1 },
      axes: image.axes.map(({ name }) => name.toUpperCase()).join(""),
      channels: Array.from({ length: first.sizes.c }, (_, c) => image.channels[c] ?? {}),
      ...(image.pixelSizeUm !== undefined && { pixelSizeUm: image.pixelSizeUm, pixelSizeFrom: "ngff" }),
      levels: levels.map(({ width, height }) => ({ width, height })),
    },
  };
}

function pixelTypeOf(type: ZarrType, where: string): { type: PixelType; bits: number } {
  if (type.kind === "bool") return { type: "uint8", bits: 1 };
  if (type.kind === "int")
    return {
      type: `${type.signed ? "int" : "uint"}${(type.size * 8) as 8 | 16 | 32 | 64}`,
      bits: type.size * 8,
    };
  if (type.kind === "float") return { type: type.size === 8 ? "float64" : "float32", bits: type.size * 8 };
  throw new MicroscopyError("unsupported", `${where}: pixels of type ${type.kind}`);
}

/** Objects below a folder. */
function zarrStore(store: ObjectStore, folder: string, opening: AbortSignal | undefined): AsyncStore {
  return {
    async get(key, range, { signal = opening } = {}) {
      const uri = joinUri(folder, key);
      try {
        if (range === undefined) return await store.get(uri, { signal });
        if (!("suffix" in range)) return await store.get(uri, { range, signal });
        const head = await store.head(uri, { signal });
        if (head === undefined) return undefined;
        const start = Math.max(0, head.size - range.suffix);
        return await store.get(uri, { range: { start, end: head.size }, signal });
      } catch (error) {
        if (error instanceof ObjectStoreError && error.tag === "object-not-found") return undefined;
        throw error;
      }
    },
  };
}

const tags: Readonly<Record<string, MicroscopyErrorTag>> = {
  "not-zarr": "not-an-image",
  corrupt: "corrupt",
  unsupported: "unsupported",
  "too-large": "too-large",
};

function fromZarr(error: unknown, uri: string): unknown {
  if (!(error instanceof ZarrError)) return error;
  const { message } = error;
  // Of chunks only the path within the store is said.
  const where = message.startsWith("/") && !message.startsWith(uri) ? uri.replace(/\/+$/, "") : "";
  return new MicroscopyError(tags[error.tag] ?? "corrupt", `${where}${message}`, { cause: error });
}
