import { MicroscopyError } from "./errors.ts";
import type { ImageInfo, PlaneRequest, Region } from "./types.ts";

/** A request with everything given and inside the image. */
export interface ResolvedRequest {
  readonly series: number;
  readonly t: number;
  readonly c: number;
  readonly z: number;
  readonly level: number;
  readonly region: Region | undefined;
}

/** @throws MicroscopyError `invalid-argument`. */
export function resolveRequest(info: ImageInfo, request: PlaneRequest): ResolvedRequest {
  const { series = 0, t = 0, c = 0, z = 0, level = 0, region } = request;
  const found = info.series[series];
  if (found === undefined) throw outside(info.uri, "series", series, info.series.length);
  for (const [axis, index, size] of [
    ["t", t, found.sizes.t],
    ["c", c, found.sizes.c],
    ["z", z, found.sizes.z],
    ["level", level, found.levels.length],
  ] as const)
    if (!Number.isInteger(index) || index < 0 || index >= size) throw outside(info.uri, axis, index, size);
  return { series, t, c, z, level, region };
}

/** The region of a request, or all of a plane. @throws MicroscopyError `invalid-argument`. */
export function regionOf(
  request: ResolvedRequest,
  plane: { width: number; height: number },
  uri: string,
): Region {
  const { width, height } = plane;
  const region = request.region ?? { x: 0, y: 0, width, height };
  const whole = [region.x, region.y, region.width, region.height].every(Number.isInteger);
  if (
    !whole ||
    region.x < 0 ||
    region.y < 0 ||
    region.width < 1 ||
    region.height < 1 ||
    region.x + region.width > width ||
    region.y + region.height > height
  )
    throw new MicroscopyError(
      "invalid-argument",
      `${uri}: expected a region inside of ${width} × ${height} pixels, found ${region.width} × ${region.height} at (${region.x}, ${region.y})`,
    );
  return region;
}

function outside(uri: string, what: string, index: number, size: number): MicroscopyError {
  return new MicroscopyError(
    "invalid-argument",
    `${uri}: expected ${what} from 0 to ${size - 1}, found ${index}`,
  );
}
