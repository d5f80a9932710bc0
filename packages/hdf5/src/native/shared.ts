import { Hdf5Error } from "../errors.ts";
import type { FileBytes } from "./file-bytes.ts";
import { openFractalHeap, type ReadHeapObject } from "./fractal-heap.ts";
import { bodyCursor } from "./messages.ts";
import { type Message, messageTypes, readObjectHeader } from "./object-header.ts";

/** Replaces a reference to a shared message by the message's body. */
export type Resolve = (message: { shared: boolean; body: Uint8Array }, type: number) => Uint8Array;

/** Index of shared messages in the superblock extension: version, kind, types, sizes, cutoffs, count. */
const indexHeadBytes = 14;

/**
 * Shared messages stand in another object's header (committed datatypes) or in the file's heap of shared messages.
 * Source: HDF5 file format specification 3.0, III.H (shared object header message table) and IV.A.2 (shared message).
 */
export function openShared(file: FileBytes, extension: number | undefined): Resolve {
  let heaps: { types: number; heap: number }[] | undefined;
  const opened = new Map<number, ReadHeapObject>();

  function fromHeader(address: number | undefined, type: number): Uint8Array {
    if (address === undefined)
      throw new Hdf5Error("corrupt", `${file.path}: a shared message without address`);
    const found = readObjectHeader(file, address).find((message) => message.type === type);
    if (found === undefined || found.shared) {
      throw new Hdf5Error(
        "corrupt",
        `${file.path}: there is no message of type ${type} to share at ${address}`,
      );
    }
    return found.body;
  }

  function fromHeap(id: Uint8Array, type: number): Uint8Array {
    heaps ??= readTable();
    const found = heaps.find(({ types }) => (types & (1 << type)) !== 0);
    if (found === undefined) {
      throw new Hdf5Error("corrupt", `${file.path}: the file has no heap of shared messages of type ${type}`);
    }
    let read = opened.get(found.heap);
    if (read === undefined) {
      read = openFractalHeap(file, found.heap);
      opened.set(found.heap, read);
    }
    return read(id);
  }

  function readTable(): { types: number; heap: number }[] {
    if (extension === undefined) return [];
    const message = readObjectHeader(file, extension).find(({ type }) => type === messageTypes.sharedTable);
    if (message === undefined) return [];
    const where = bodyCursor(file, message.body, "shared message table");
    where.expectVersion(0);
    const at = where.address();
    const count = where.u8();
    if (at === undefined) return [];
    const entryBytes = indexHeadBytes + 2 * file.widths.address;
    const table = file.checked(at, 4 + count * entryBytes + 4, `shared message table at ${at}`);
    table.expect("SMTB");
    const found: { types: number; heap: number }[] = [];
    for (let i = 0; i < count; i++) {
      table.skip(2);
      const types = table.u16();
      table.skip(indexHeadBytes - 4 + file.widths.address);
      const heap = table.address();
      if (heap !== undefined) found.push({ types, heap });
    }
    return found;
  }

  return (message, type) => {
    if (!message.shared) return message.body;
    const cursor = bodyCursor(file, message.body, "shared message");
    const version = cursor.expectVersion(1, 2, 3);
    const kind = cursor.u8();
    if (version === 1) {
      cursor.skip(6);
      return fromHeader(cursor.address(), type);
    }
    if (version === 3 && kind === 1) return fromHeap(cursor.take(8), type);
    return fromHeader(cursor.address(), type);
  };
}

/** The body of the first message of a type, shared or not. */
export function findBody(
  resolve: Resolve,
  messages: readonly Message[],
  type: number,
): Uint8Array | undefined {
  const message = messages.find((candidate) => candidate.type === type);
  return message === undefined ? undefined : resolve(message, type);
}
