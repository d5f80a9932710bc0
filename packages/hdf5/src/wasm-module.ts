import { closeSync } from "node:fs";
import { resolve } from "node:path";

/** What is used of h5wasm's low-level module (h5wasm 0.10.3, `src/hdf5_util_helpers.d.ts`). */
export interface WasmHdf5 {
  open(path: string, mode: number, trackOrder: boolean, low: number, high: number): bigint;
  close_file(file: bigint): number;
  get_type(file: bigint, path: string): number;
  get_symbolic_link(file: bigint, path: string): string | null;
  get_external_link(file: bigint, path: string): { filename?: string; obj_path?: string };
  get_names(file: bigint, path: string, recursive: boolean): string[];
  get_attribute_names(file: bigint, path: string): string[];
  get_attribute_metadata(file: bigint, path: string, name: string): WasmMetadata;
  get_attribute_data(file: bigint, path: string, name: string, to: bigint): number;
  get_dataset_metadata(file: bigint, path: string): WasmMetadata;
  get_dataset_filters(file: bigint, path: string): { id: number; name: string; cd_values: number[] }[];
  get_dataset_data(
    file: bigint,
    path: string,
    count: bigint[] | null,
    offset: bigint[] | null,
    strides: bigint[] | null,
    to: bigint,
  ): number;
  reclaim_vlen_memory(file: bigint, path: string, attribute: string, at: bigint): number;
  reclaim_vlen_memory_count(
    file: bigint,
    path: string,
    attribute: string,
    at: bigint,
    count: bigint[],
  ): number;
  _malloc(bytes: number): number;
  _free(at: number): void;
  readonly HEAPU8: Uint8Array;
  readonly FS: WasmFs;
}

export interface WasmMetadata {
  type: number;
  size: number;
  signed: boolean;
  vlen: boolean;
  littleEndian: boolean;
  cset?: number;
  strpad?: number;
  shape?: number[] | null;
  chunks?: number[] | null;
  total_size?: number;
  enum_type?: { type: number; members: Record<string, number> };
  array_type?: WasmMetadata;
  compound_type?: { members: (WasmMetadata & { name: string; offset: number })[] };
  virtual_sources?: { file_name: string; dset_name: string }[];
}

interface WasmStream {
  nfd: number;
}

interface WasmFs {
  open(path: string, flags: number | string, mode?: number): WasmStream;
  close(stream: WasmStream): void;
  write(stream: WasmStream, buffer: Uint8Array, offset: number, length: number, position?: number): number;
  ErrnoError: new (errno: number) => Error;
}

/** One wasm sandbox: its own heap and HDF5 library state. */
export interface Sandbox {
  readonly hdf5: WasmHdf5;
  /** The only file it may open; undefined between files. */
  allowedPath: string | undefined;
  /** Set when HDF5 tried to open anything else (external link, virtual source, external storage). */
  refusedPath: string | undefined;
  /** What HDF5 printed about its last failure, newest last, bounded. */
  log: string;
  /** Set when HDF5 failed or trapped: the heap is not trusted with another file. */
  tainted: boolean;
  /** File descriptors that HDF5 holds: a trap leaves them open. */
  readonly descriptors: Set<number>;
}

/** Errno of "permission denied" in the module's WASI numbering. */
const accessDenied = 2;
/** O_DIRECTORY in the module's numbering. */
const directoryFlag = 0o200000;
const maxLogChars = 16_384;
/** A heap never shrinks: sandboxes above this size are dropped instead of being reused. */
const reusableHeapBytes = 256 * 1024 * 1024;
const maxIdle = 2;

const idle: Sandbox[] = [];

/** An idle sandbox or a new one. The first call in a thread loads and compiles the module (tens of milliseconds). */
export async function takeSandbox(): Promise<Sandbox> {
  return idle.pop() ?? (await createSandbox());
}

/** Hands a sandbox back; it is reused only if nothing ever went wrong in it. */
export function returnSandbox(sandbox: Sandbox): void {
  sandbox.allowedPath = undefined;
  sandbox.log = "";
  for (const descriptor of sandbox.descriptors) closeSync(descriptor);
  if (sandbox.descriptors.size > 0) sandbox.tainted = true;
  sandbox.descriptors.clear();
  if (sandbox.tainted || sandbox.refusedPath !== undefined) return;
  if (sandbox.hdf5.HEAPU8.length > reusableHeapBytes || idle.length >= maxIdle) return;
  idle.push(sandbox);
}

async function createSandbox(): Promise<Sandbox> {
  // The package's own entry makes one module per process; a sandbox needs one per file, so its factory is used directly.
  const factoryUrl = new URL("./hdf5_util.js", import.meta.resolve("h5wasm/node"));
  const { default: factory } = (await import(factoryUrl.href)) as {
    default: (options: object) => Promise<WasmHdf5>;
  };
  const logged = { text: (line: string): void => void line };
  const hdf5 = await factory({
    noInitialRun: true,
    print: (line: string) => logged.text(line),
    printErr: (line: string) => logged.text(line),
  });
  const sandbox: Sandbox = {
    hdf5,
    allowedPath: undefined,
    refusedPath: undefined,
    log: "",
    tainted: false,
    descriptors: new Set(),
  };
  logged.text = (line) => appendLog(sandbox, `${line}\n`);
  fence(sandbox);
  return sandbox;
}

/** Puts the module's file system calls behind the sandbox's rules. */
function fence(sandbox: Sandbox): void {
  const fs = sandbox.hdf5.FS;
  const { open, write, close } = fs;
  fs.open = (path, flags, mode) => {
    if (sandbox.allowedPath === undefined || resolve(path) !== sandbox.allowedPath) {
      // HDF5 also looks for filter plugins in a folder; that is no fault of the file.
      if (typeof flags !== "number" || (flags & directoryFlag) === 0) sandbox.refusedPath ??= path;
      throw new fs.ErrnoError(accessDenied);
    }
    const stream = open(path, flags, mode);
    sandbox.descriptors.add(stream.nfd);
    return stream;
  };
  fs.close = (stream) => {
    sandbox.descriptors.delete(stream.nfd);
    close(stream);
  };
  fs.write = (stream, buffer, offset, length, position) => {
    if (stream.nfd > 2) return write(stream, buffer, offset, length, position);
    appendLog(sandbox, Buffer.from(buffer.buffer, buffer.byteOffset + offset, length).toString("latin1"));
    return length;
  };
}

function appendLog(sandbox: Sandbox, text: string): void {
  sandbox.log = (sandbox.log + text).slice(-maxLogChars);
}

/** The most specific line of HDF5's error stack: the last one, "#007: file.c line 1 in f(): what went wrong". */
export function explainLog(log: string): string {
  const reasons = [...log.matchAll(/#\d+: \S+ line \d+ in \S+: (.+)/g)].map((match) => match[1]!.trim());
  return reasons.at(-1) ?? "no reason given";
}
