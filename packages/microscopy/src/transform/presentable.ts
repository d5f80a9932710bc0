import { MicroscopyError } from "../errors.ts";
import type { Plane, SeriesInfo } from "../types.ts";

/** Samples per pixel of what `presentable` gives. */
export function presentableSamples(series: Pick<SeriesInfo, "photometric" | "palette" | "sizes">): number {
  return series.photometric === "palette" && series.palette !== undefined ? 3 : series.sizes.samples;
}

/**
 * A plane as it is meant to be seen: bright is large, and a palette's indices are its colours, 8 bits each (TIFF keeps them in 16). What is neither
 * white-is-zero in unsigned integers nor a palette is returned as it is.
 *
 * @throws MicroscopyError "corrupt" an index that the palette does not have
 */
export function presentable(
  plane: Plane,
  series: Pick<SeriesInfo, "photometric" | "palette" | "bitsPerSample">,
): Plane {
  const { data } = plane;
  const unsigned = data instanceof Uint8Array || data instanceof Uint16Array || data instanceof Uint32Array;
  if (series.photometric === "palette" && series.palette !== undefined && unsigned)
    return coloured(plane, data, series.palette);
  if (series.photometric !== "white-is-zero" || !unsigned) return plane;
  const white = 2 ** series.bitsPerSample - 1;
  // Planes may share their memory with a cache.
  return { ...plane, data: data.map((value) => white - value) as typeof data };
}

function coloured(
  plane: Plane,
  indices: Uint8Array | Uint16Array | Uint32Array,
  palette: Uint16Array,
): Plane {
  const colours = palette.length / 3;
  const data = new Uint8Array(indices.length * 3);
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i] as number;
    if (index >= colours)
      throw new MicroscopyError(
        "corrupt",
        `pixel ${i} has the index ${index}, but the palette has ${colours} colours`,
      );
    for (let c = 0; c < 3; c++) data[3 * i + c] = (palette[c * colours + index] as number) >> 8;
  }
  return { ...plane, samples: 3, pixelType: "uint8", data };
}
