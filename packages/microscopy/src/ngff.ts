import type { Json, JsonObject } from "@cytomesh/zarr";
import { MicroscopyError } from "./errors.ts";
import { unitUm } from "./tiff/ome-xml.ts";
import type { ChannelInfo, PixelSizeUm } from "./types.ts";

export type Axis = "t" | "c" | "z" | "y" | "x";

/** An image of NGFF metadata. */
export interface Multiscale {
  readonly name?: string;
  readonly axes: readonly { readonly name: Axis; readonly unit?: string }[];
  /** Full size first. */
  readonly datasets: readonly { readonly path: string; readonly scale?: readonly number[] }[];
  readonly channels: readonly ChannelInfo[];
  readonly pixelSizeUm?: PixelSizeUm;
}

/** The images that a group's attributes describe; none when they are of something else. @throws MicroscopyError `invalid-metadata`. */
export function multiscalesOf(attributes: JsonObject, uri: string): Multiscale[] {
  // 0.5 keeps everything under "ome".
  const said = objectOf(attributes.ome) ?? attributes;
  if (!Array.isArray(said.multiscales)) return [];
  const omero = objectOf(said.omero);
  const channels = Array.isArray(omero?.channels) ? omero.channels.map(channelOf) : [];
  return said.multiscales.slice(0, 1_000).map((entry) => multiscaleOf(objectOf(entry) ?? {}, channels, uri));
}

function multiscaleOf(said: JsonObject, channels: readonly ChannelInfo[], uri: string): Multiscale {
  const axes = axesOf(said.axes, uri);
  const datasets = (Array.isArray(said.datasets) ? said.datasets.slice(0, 100) : []).map((entry) => {
    const dataset = objectOf(entry);
    const path = dataset?.path;
    if (typeof path !== "string" || path === "" || path.split("/").includes(".."))
      throw new MicroscopyError("invalid-metadata", `${uri}: a dataset of multiscales without a path`);
    const scale = scaleOf(dataset?.coordinateTransformations);
    return { path, ...(scale !== undefined && { scale }) };
  });
  const shared = scaleOf(said.coordinateTransformations);
  const scale = datasets[0]?.scale?.map((value, i) => value * (shared?.[i] ?? 1)) ?? shared;
  const pixelSizeUm = scale && sizeOf(axes, scale);
  return {
    ...(typeof said.name === "string" && said.name !== "" && { name: said.name }),
    axes,
    datasets,
    channels,
    ...(pixelSizeUm !== undefined && { pixelSizeUm }),
  };
}

/** Objects with name and unit since 0.4, names in 0.3, five axes before. */
function axesOf(said: Json | undefined, uri: string): Multiscale["axes"] {
  if (said === undefined) return (["t", "c", "z", "y", "x"] as const).map((name) => ({ name }));
  const axes = (Array.isArray(said) ? said : []).map((entry) => {
    const axis = typeof entry === "string" ? { name: entry } : (objectOf(entry) ?? {});
    const name = typeof axis.name === "string" ? axis.name.toLowerCase() : "";
    const unit = "unit" in axis && typeof axis.unit === "string" ? axis.unit : undefined;
    return { name, ...(unit !== undefined && { unit }) };
  });
  const names = axes.map(({ name }) => name);
  const known =
    names.every((name) => ["t", "c", "z", "y", "x"].includes(name)) && new Set(names).size === names.length;
  if (!known || names.at(-1) !== "x" || names.at(-2) !== "y")
    throw new MicroscopyError(
      "invalid-metadata",
      `${uri}: axes "${names.join(",").slice(0, 80)}", expected some of t, c, z and then y, x`,
    );
  return axes as Multiscale["axes"];
}

function scaleOf(said: Json | undefined): number[] | undefined {
  for (const entry of Array.isArray(said) ? said : []) {
    const { type, scale } = objectOf(entry) ?? {};
    if (type === "scale" && Array.isArray(scale) && scale.every((value) => typeof value === "number"))
      return scale as number[];
  }
  return undefined;
}

function sizeOf(axes: Multiscale["axes"], scale: readonly number[]): PixelSizeUm | undefined {
  const um = (wanted: Axis): number | undefined => {
    const i = axes.findIndex(({ name }) => name === wanted);
    const factor = unitUm(axes[i]?.unit ?? "");
    const value = scale[i];
    return factor !== undefined && value !== undefined && value > 0 && Number.isFinite(value)
      ? value * factor
      : undefined;
  };
  const [x, y, z] = [um("x"), um("y"), um("z")];
  return x === undefined || y === undefined ? undefined : { x, y, ...(z !== undefined && { z }) };
}

function channelOf(said: Json): ChannelInfo {
  const { label, color } = objectOf(said) ?? {};
  return {
    ...(typeof label === "string" && label !== "" && { name: label }),
    ...(typeof color === "string" && /^[0-9a-f]{6}$/i.test(color) && { color: `#${color.toLowerCase()}` }),
  };
}

function objectOf(value: Json | undefined): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
}
