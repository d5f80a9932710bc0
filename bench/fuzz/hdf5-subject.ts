import { createH5, type H5Reader, type H5Values, Hdf5Error, readParallel } from "@cytomesh/hdf5";
import { lookup3 } from "../../packages/hdf5/src/write/lookup3.ts";
import { marksOf } from "./mutate.ts";

/** What HDF5's structures begin with. */
export const signatures = [
  "\x89HDF",
  "TREE",
  "SNOD",
  "HEAP",
  "GCOL",
  "OHDR",
  "OCHK",
  "FRHP",
  "FHDB",
  "FHIB",
  "BTHD",
  "BTLF",
  "BTIN",
  "FAHD",
  "FADB",
  "EAHD",
  "EAIB",
  "EASB",
  "EADB",
  "SMTB",
];
/** Those whose last 4 bytes are the lookup3 hash of the others. */
const checksummed = signatures.filter((name) => !["TREE", "SNOD", "HEAP", "GCOL", "FHDB"].includes(name));
const maxBlockBytes = 2_048;
const maxObjects = 400;
const maxDepth = 8;

/** A file with everything our writer knows. */
export function createSeed(path: string): void {
  const out = createH5(path);
  const text = { kind: "string", size: "variable", utf8: true } as const;
  out.group("/obs");
  out.attribute("/", "encoding-type", "anndata");
  out.attribute("/obs", "column-order", { shape: [2], type: text, values: ["a", "b"] });
  const names = Array.from({ length: 50 }, (_, i) => `cell-${i}`);
  out.dataset("/obs/_index", { type: text, shape: [50], deflate: { level: 1 }, chunkRows: 16 }, names);
  const ints = Int32Array.from({ length: 300 }, (_, i) => i);
  out.dataset("/plain", { type: { kind: "int", size: 4, signed: true }, shape: [100, 3] }, ints);
  const rows = out.appendable("/rows", {
    type: { kind: "float", size: 4 },
    shape: [0, 3],
    deflate: { level: 1 },
    chunkRows: 8,
  });
  rows.append(Float32Array.from(ints));
  out.softLink("/soft", "/plain");
  out.externalLink("/outside", "/etc/hostname", "/x");
  out.finish();
}

/**
 * Reads every object, attribute and value that can be reached.
 *
 * @returns "read", the tag of the first typed error, or "untyped: …"
 */
export async function walkFile(open: () => Promise<H5Reader>): Promise<string> {
  let first: string | undefined;
  let left = maxObjects;
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Hdf5Error)) throw error;
      first ??= error.tag;
      return undefined;
    }
  };
  const visit = async (file: H5Reader, path: string, depth: number): Promise<void> => {
    if (depth > maxDepth || --left < 0) return;
    for (const name of attempt(() => file.attributeNames(path)) ?? [])
      attempt(() => file.attribute(path, name));
    const kind = attempt(() => file.kind(path));
    if (kind === "dataset") await readDataset(file, path);
    if (kind !== "group") return;
    for (const name of attempt(() => file.children(path)) ?? []) {
      await visit(file, path === "/" ? `/${name}` : `${path}/${name}`, depth + 1);
    }
  };
  const readDataset = async (file: H5Reader, path: string): Promise<void> => {
    const info = attempt(() => file.dataset(path));
    if (info === undefined) return;
    const values = attempt(() => file.read(info));
    if (["int", "float", "enum"].includes(info.type.kind)) await compareParallel(file, path, values);
    const rows = info.shape?.[0] ?? 0;
    if (rows > 2) attempt(() => file.read(info, Math.floor(rows / 3), Math.ceil(rows / 2)));
    attempt(() => {
      const storage = file.storage(info);
      if (storage?.kind === "chunked") storage.chunks(0, rows);
    });
  };
  try {
    const file = await open();
    try {
      await visit(file, "/", 0);
    } finally {
      file.close();
    }
  } catch (error) {
    if (error instanceof Hdf5Error) return first ?? error.tag;
    return `untyped: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
  return first ?? "read";
}

/** Reading by threads must end as reading by one does: in the same values, or in a typed error. */
async function compareParallel(file: H5Reader, path: string, values: H5Values | undefined): Promise<void> {
  const parallel = await readParallel(file, path, { threads: 1 }).catch((error: unknown) => {
    if (error instanceof Hdf5Error) return undefined;
    throw error;
  });
  const same =
    ArrayBuffer.isView(values) && parallel !== undefined
      ? bytesOf(values).equals(bytesOf(parallel))
      : values === undefined && parallel === undefined;
  if (!same) throw new Error(`${path} is read otherwise in parallel`);
}

function bytesOf(view: NodeJS.ArrayBufferView): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}

const blocks = new WeakMap<Uint8Array, { start: number; end: number }[]>();

/** Recomputes the checksums of blocks that a mutation changed, so that a reader gets to see what is in them. */
export function repairChecksums(mutant: Uint8Array, original: Uint8Array): void {
  let known = blocks.get(original);
  if (known === undefined) {
    known = findBlocks(original);
    blocks.set(original, known);
  }
  const view = new DataView(mutant.buffer, mutant.byteOffset, mutant.byteLength);
  for (const { start, end } of known) {
    if (end + 4 <= mutant.length) view.setUint32(end, lookup3(mutant.subarray(start, end)), true);
  }
}

/** Blocks are found by trying: where the hash of all bytes since the signature follows, one ends. */
function findBlocks(bytes: Uint8Array): { start: number; end: number }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: { start: number; end: number }[] = [];
  for (const start of marksOf(bytes, checksummed).slice(0, 200)) {
    const last = Math.min(bytes.length - 4, start + maxBlockBytes);
    for (let end = start + 8; end <= last; end++) {
      if (view.getUint32(end, true) !== lookup3(bytes.subarray(start, end))) continue;
      found.push({ start, end });
      break;
    }
  }
  return found;
}
