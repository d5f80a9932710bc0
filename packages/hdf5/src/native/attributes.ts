import { Hdf5Error } from "../errors.ts";
import { visitRecords } from "./b-tree-2.ts";
import { nameText } from "./cursor.ts";
import type { FileBytes } from "./file-bytes.ts";
import { openFractalHeap } from "./fractal-heap.ts";
import { bodyCursor, type Dataspace, readDataspace } from "./messages.ts";
import { type Message, messageTypes } from "./object-header.ts";
import type { Resolve } from "./shared.ts";
import { readType, type StoredType } from "./stored-type.ts";

/** An attribute whose type, space and values are not looked at yet: one that is damaged must not hide the others. */
export interface StoredAttribute {
  name: string;
  parse(): { type: StoredType; space: Dataspace; data: Uint8Array };
}

const maxAttributes = 1_000_000;
/** A heap id that may refer to the heap of shared messages. */
const sharedFlag = 2;

/**
 * Attributes in the object's header and in its fractal heap, in the order of their names.
 * Source: HDF5 file format specification 3.0, IV.A.2.m (attribute) and IV.A.2.v (attribute info).
 *
 * @throws Hdf5Error
 */
export function readAttributes(
  file: FileBytes,
  resolve: Resolve,
  messages: readonly Message[],
  what: string,
): Map<string, StoredAttribute> {
  const found: StoredAttribute[] = [];
  const add = (body: Uint8Array): void => {
    if (found.length >= maxAttributes) {
      throw new Hdf5Error("corrupt", `${file.path}: ${what}: more than ${maxAttributes} attributes`);
    }
    found.push(readAttribute(file, resolve, body, what));
  };
  for (const message of messages) {
    if (message.type === messageTypes.attribute) add(resolve(message, message.type));
    if (message.type === messageTypes.attributeInfo) readDense(file, resolve, message.body, what, add);
  }
  found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return new Map(found.map((attribute) => [attribute.name, attribute]));
}

function readDense(
  file: FileBytes,
  resolve: Resolve,
  body: Uint8Array,
  what: string,
  add: (body: Uint8Array) => void,
): void {
  const cursor = bodyCursor(file, body, `attributes of ${what}`);
  cursor.expectVersion(0);
  const bits = cursor.u8();
  if ((bits & 1) !== 0) cursor.skip(2);
  const heapAt = cursor.address();
  const indexAt = cursor.address();
  if (heapAt === undefined || indexAt === undefined) return;
  const readObject = openFractalHeap(file, heapAt);
  visitRecords(file, indexAt, [8], (record) => {
    const id = record.take(8);
    if ((record.u8() & sharedFlag) === 0) add(readObject(id));
    else add(resolve({ shared: true, body: Uint8Array.of(3, 1, ...id) }, messageTypes.attribute));
  });
}

function readAttribute(file: FileBytes, resolve: Resolve, body: Uint8Array, what: string): StoredAttribute {
  const cursor = bodyCursor(file, body, `attribute of ${what}`);
  const version = cursor.expectVersion(1, 2, 3);
  const bits = cursor.u8();
  const nameBytes = cursor.u16();
  const typeBytes = cursor.u16();
  const spaceBytes = cursor.u16();
  if (version === 3) cursor.skip(1);
  const padded = (count: number): number => (version === 1 ? count + ((8 - (count % 8)) % 8) : count);
  const rawName = cursor.take(padded(nameBytes)).subarray(0, nameBytes);
  const nul = rawName.indexOf(0);
  const name = nameText(nul < 0 ? rawName : rawName.subarray(0, nul));
  return {
    name,
    parse() {
      const rest = cursor.over(cursor.bytes.subarray(cursor.at));
      const typeBody = rest.take(padded(typeBytes));
      const spaceBody = rest.take(padded(spaceBytes));
      const shared = (bit: number): boolean => version > 1 && (bits & bit) !== 0;
      const inName = `attribute ${name} of ${what}`;
      const type = resolve({ shared: shared(1), body: typeBody }, messageTypes.datatype);
      const space = resolve({ shared: shared(2), body: spaceBody }, messageTypes.dataspace);
      return {
        type: readType(bodyCursor(file, type, inName)),
        space: readDataspace(bodyCursor(file, space, inName)),
        data: rest.take(rest.left),
      };
    },
  };
}
