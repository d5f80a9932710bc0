import { recordTypes, writeBtree2 } from "./btree2.ts";
import { ByteWriter, undefinedAddress } from "./byte-writer.ts";
import type { FileSpace } from "./file-space.ts";
import { lookup3 } from "./lookup3.ts";

/** How HDF5 itself sets up heaps of links and of attributes: bytes of an object's id, bits of an address inside the heap. */
export const heapKinds = {
  links: { idBytes: 7, addressBits: 32 },
  attributes: { idBytes: 8, addressBits: 40 },
} as const;

/** Objects above this stand alone in the file ("huge"); the others share one block ("managed"). */
const maxManagedBytes = 4096;
const minBlockBytes = 512;
const tableWidth = 4;
/** Bytes that HDF5 uses for the length of a managed object of up to 4096 bytes. */
const lengthBytes = 2;

/**
 * A fractal heap that is written once: all managed objects in a single direct block, which is as big as they need.
 * Source: HDF5 file format specification 3.0, III.G.
 *
 * @returns the heap's address and an id per object
 */
export function writeHeap(
  space: FileSpace,
  kind: (typeof heapKinds)[keyof typeof heapKinds],
  objects: readonly Uint8Array[],
): { address: number; ids: Uint8Array[] } {
  const offsetBytes = kind.addressBits / 8;
  const headBytes = 5 + 8 + offsetBytes + 4;
  const managed = objects.filter((object) => object.length <= maxManagedBytes);
  const used = managed.reduce((sum, object) => sum + object.length, headBytes);
  const blockBytes = 2 ** Math.ceil(Math.log2(Math.max(minBlockBytes, used)));
  const huge = writeHuge(space, objects);

  let offset = headBytes;
  let hugeId = 0;
  const ids = objects.map((object) => {
    const id = new ByteWriter(kind.idBytes);
    if (object.length > maxManagedBytes)
      return id
        .u8(0x10)
        .uint(++hugeId, kind.idBytes - 1)
        .bytes();
    id.u8(0).uint(offset, offsetBytes).uint(object.length, lengthBytes);
    offset += object.length;
    return id.bytes();
  });

  const hasBlock = managed.length > 0;
  const sizes = { blockBytes, headBytes, offsetBytes, used };
  // The block names its heap's header, which stands right before it.
  const headerAddress = space.end;
  const blockAddress = headerAddress + headerBytes + (-headerBytes & 7);
  const header = new ByteWriter(headerBytes)
    .raw(Buffer.from("FRHP"))
    .u8(0)
    .u16(kind.idBytes)
    .u16(0)
    // Direct blocks have checksums.
    .u8(2)
    .u32(maxManagedBytes)
    .u64(huge.count)
    .u64(huge.index)
    .u64(hasBlock ? blockBytes - used : 0)
    .u64(undefinedAddress)
    .u64(hasBlock ? blockBytes : 0)
    .u64(hasBlock ? blockBytes : 0)
    .u64(hasBlock ? blockBytes : 0)
    .u64(managed.length)
    .u64(huge.bytes)
    .u64(huge.count)
    .u64(0)
    .u64(0)
    .u16(tableWidth)
    .u64(blockBytes)
    .u64(Math.max(blockBytes, 65_536))
    .u16(kind.addressBits)
    .u16(1)
    .u64(hasBlock ? blockAddress : undefinedAddress)
    .u16(0);
  space.append(header.u32(lookup3(header.bytes())).bytes());
  if (hasBlock) space.append(directBlock(headerAddress, managed, sizes));
  return { address: headerAddress, ids };
}

const headerBytes = 146;

function directBlock(
  headerAddress: number,
  objects: readonly Uint8Array[],
  sizes: { blockBytes: number; headBytes: number; offsetBytes: number },
): Buffer {
  const out = new ByteWriter(sizes.blockBytes)
    .raw(Buffer.from("FHDB"))
    .u8(0)
    .u64(headerAddress)
    .zeros(sizes.offsetBytes + 4);
  for (const object of objects) out.raw(object);
  const bytes = out.zeros(sizes.blockBytes - out.length).bytes();
  // The checksum is of the whole block, its own place zero.
  bytes.writeUInt32LE(lookup3(bytes), sizes.headBytes - 4);
  return bytes;
}

/** Huge objects, and the index that finds them by their number. */
function writeHuge(
  space: FileSpace,
  objects: readonly Uint8Array[],
): { index: number | bigint; count: number; bytes: number } {
  const huge = objects.filter((object) => object.length > maxManagedBytes);
  if (huge.length === 0) return { index: undefinedAddress, count: 0, bytes: 0 };
  const records = huge.map((object, i) =>
    new ByteWriter(24)
      .u64(space.append(object))
      .u64(object.length)
      .u64(i + 1)
      .bytes(),
  );
  const index = writeBtree2(space, recordTypes.hugeObject, records);
  return { index, count: huge.length, bytes: huge.reduce((sum, object) => sum + object.length, 0) };
}
