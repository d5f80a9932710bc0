import { MicroscopyError } from "../errors.ts";
import { padded, reach } from "../kernels/instantiate.ts";
import { newPixelKernels } from "../kernels/pixel-kernels.ts";
import { bytesOf, newPixels } from "../pixels.ts";
import type { MicroscopyImage, Plane, PlaneRequest, ReadOptions } from "../types.ts";

/** Planes in, their maximum out; holds two planes. */
export interface MaxProjection {
  /** All planes of one size and type. @throws MicroscopyError `invalid-argument`. */
  add(plane: Plane): void;
  /** @throws MicroscopyError `invalid-argument` before the first plane. */
  result(): Plane;
}

export function createMaxProjection(): MaxProjection {
  const kernels = newPixelKernels();
  const into = kernels.heapBase();
  let first: Omit<Plane, "data"> | undefined;
  let bytes = 0;
  return {
    add(plane) {
      const { width, height, samples, pixelType, data } = plane;
      const from = into + padded(data.byteLength);
      if (first === undefined) {
        first = { width, height, samples, pixelType };
        bytes = data.byteLength;
        reach(kernels.memory, from + padded(bytes));
        new Uint8Array(kernels.memory.buffer).set(bytesOf(data), into);
        return;
      }
      if (
        first.width !== width ||
        first.height !== height ||
        first.samples !== samples ||
        first.pixelType !== pixelType
      )
        throw new MicroscopyError(
          "invalid-argument",
          `A projection expected planes of ${first.width} × ${first.height} × ${first.samples} ${first.pixelType}, found ${width} × ${height} × ${samples} ${pixelType}`,
        );
      new Uint8Array(kernels.memory.buffer).set(bytesOf(data), from);
      switch (pixelType) {
        case "uint8":
          return kernels.maxU8(into, from, bytes);
        case "int8":
          return kernels.maxI8(into, from, bytes);
        case "uint16":
          return kernels.maxU16(into, from, bytes);
        case "int16":
          return kernels.maxI16(into, from, bytes);
        case "uint32":
          return kernels.maxU32(into, from, bytes);
        case "int32":
          return kernels.maxI32(into, from, bytes);
        case "float32":
          return kernels.maxF32(into, from, bytes);
        case "float64":
          return kernels.maxF64(into, from, bytes);
        default:
          throw new MicroscopyError("unsupported", `Projections of ${pixelType} are not made here`);
      }
    },
    result() {
      if (first === undefined) throw new MicroscopyError("invalid-argument", "A projection of no planes");
      const data = newPixels(first.pixelType, first.width * first.height * first.samples);
      bytesOf(data).set(new Uint8Array(kernels.memory.buffer, into, bytes));
      return { ...first, data };
    },
  };
}

/** The maximum over z of a series at one time, channel and level; planes are read one after the other. */
export async function maxOverZ(
  image: MicroscopyImage,
  request: Omit<PlaneRequest, "z"> = {},
  options: ReadOptions = {},
): Promise<Plane> {
  const depth = image.info.series[request.series ?? 0]?.sizes.z ?? 1;
  if (depth === 1) return image.plane(request, options);
  const projection = createMaxProjection();
  for (let z = 0; z < depth; z++) projection.add(await image.plane({ ...request, z }, options));
  return projection.result();
}
