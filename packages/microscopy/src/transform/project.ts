import { MicroscopyError } from "../errors.ts";
import { padded, reach } from "../kernels/instantiate.ts";
import {
  giveBackProjectionKernels,
  type Max,
  type PixelExports,
  takeProjectionKernels,
} from "../kernels/pixel-kernels.ts";
import { bytesOf, type PixelArray, type PixelType, pixelsFrom, pixelsInto } from "../pixels.ts";
import type { MicroscopyImage, Plane, PlaneRequest, ReadOptions } from "../types.ts";

/** Planes in, their maximum out; holds two planes. */
export interface MaxProjection {
  /** All planes of one size and type. @throws MicroscopyError `invalid-argument`. */
  add(plane: Plane): void;
  /** Where the next plane may be put, so that it is not copied; undefined before the first. Nobody may touch it after the result. */
  room(): PixelArray | undefined;
  /**
   * Ends the projection: its memory is another's then.
   *
   * @param into takes the result; of the planes' type and length.
   * @throws MicroscopyError `invalid-argument`, also before the first plane and after the end.
   */
  result(into?: PixelArray): Plane;
}

/** A multiple of the kernels' step, so that none reaches into the next piece. */
const PIECE_BYTES = 64 * 1024;

export function createMaxProjection(): MaxProjection {
  const kernels = takeProjectionKernels();
  // Planes come by pieces that stay in the processor's cache.
  const piece = kernels.heapBase();
  const into = piece + padded(PIECE_BYTES);
  let first: Omit<Plane, "data"> | undefined;
  let room: PixelArray | undefined;
  let bytes = 0;
  let ended = false;
  const checkOpen = () => {
    if (ended)
      throw new MicroscopyError("invalid-argument", "The projection has ended: its result was taken");
  };
  return {
    room: () => (ended ? undefined : room),
    add(plane) {
      checkOpen();
      const { width, height, samples, pixelType, data } = plane;
      const from = bytesOf(data);
      if (first === undefined) {
        maxOf(kernels, pixelType);
        first = { width, height, samples, pixelType };
        bytes = from.length;
        const next = into + padded(bytes);
        reach(kernels.memory, next + padded(bytes));
        const memory = new Uint8Array(kernels.memory.buffer);
        memory.set(from, into);
        room = pixelsFrom(pixelType, memory.subarray(next, next + bytes));
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
      const max = maxOf(kernels, pixelType);
      if (data === room) return max(into, data.byteOffset, bytes);
      const memory = new Uint8Array(kernels.memory.buffer);
      for (let at = 0; at < bytes; at += PIECE_BYTES) {
        const end = Math.min(bytes, at + PIECE_BYTES);
        memory.set(from.subarray(at, end), piece);
        max(into + at, piece, end - at);
      }
    },
    result(given) {
      checkOpen();
      if (first === undefined) throw new MicroscopyError("invalid-argument", "A projection of no planes");
      const data = pixelsInto(given, first.pixelType, first.width * first.height * first.samples);
      bytesOf(data).set(new Uint8Array(kernels.memory.buffer, into, bytes));
      ended = true;
      giveBackProjectionKernels(kernels);
      return { ...first, data };
    },
  };
}

/** @throws MicroscopyError `unsupported`. */
function maxOf(kernels: PixelExports, pixelType: PixelType): Max {
  switch (pixelType) {
    case "uint8":
      return kernels.maxU8;
    case "int8":
      return kernels.maxI8;
    case "uint16":
      return kernels.maxU16;
    case "int16":
      return kernels.maxI16;
    case "uint32":
      return kernels.maxU32;
    case "int32":
      return kernels.maxI32;
    case "float32":
      return kernels.maxF32;
    case "float64":
      return kernels.maxF64;
    default:
      throw new MicroscopyError("unsupported", `Projections of ${pixelType} are not made here`);
  }
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
  for (let z = 0; z < depth; z++)
    projection.add(await image.plane({ ...request, z }, { ...options, into: projection.room() }));
  return projection.result();
}
