import { MicroscopyError } from "../errors.ts";
import type { PixelType } from "../pixels.ts";
import type { ChannelInfo, PixelSizeUm, Plane } from "../types.ts";

/** An image to be written, its planes asked for one after the other. */
export interface ImageInput {
  readonly name?: string;
  readonly pixelType: PixelType;
  readonly sizes: {
    readonly t: number;
    readonly c: number;
    readonly z: number;
    readonly y: number;
    readonly x: number;
    /** 1 if not given; 3 for RGB. */
    readonly samples?: number;
  };
  readonly channels?: readonly ChannelInfo[];
  readonly pixelSizeUm?: PixelSizeUm | undefined;
  plane(at: { t: number; c: number; z: number }, signal: AbortSignal | undefined): Plane | Promise<Plane>;
}

/** Every plane of an input with its place, c fastest, then z, then t, each checked against the sizes. */
export async function* planesOf(
  input: ImageInput,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ plane: Plane; t: number; c: number; z: number }> {
  const { sizes, pixelType } = input;
  for (const axis of ["t", "c", "z", "y", "x"] as const)
    if (!Number.isInteger(sizes[axis]) || sizes[axis] < 1)
      throw new MicroscopyError(
        "invalid-argument",
        `Expected a size of ${axis} of at least 1, found ${sizes[axis]}`,
      );
  for (let t = 0; t < sizes.t; t++)
    for (let z = 0; z < sizes.z; z++)
      for (let c = 0; c < sizes.c; c++) {
        signal?.throwIfAborted();
        const plane = await input.plane({ t, c, z }, signal);
        const samples = sizes.samples ?? 1;
        const fits =
          plane.width === sizes.x &&
          plane.height === sizes.y &&
          plane.samples === samples &&
          plane.pixelType === pixelType;
        if (!fits || plane.data.length !== sizes.x * sizes.y * samples)
          throw new MicroscopyError(
            "invalid-argument",
            `Expected planes of ${sizes.x} × ${sizes.y} × ${samples} ${pixelType}, plane t ${t}, c ${c}, z ${z} is ${plane.width} × ${plane.height} × ${plane.samples} ${plane.pixelType}`,
          );
        yield { plane, t, c, z };
      }
}
