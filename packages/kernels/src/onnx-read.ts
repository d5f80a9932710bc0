import { KernelError } from "./errors.ts";
import { readFields } from "./protobuf.ts";

export interface OnnxSummary {
  readonly metadata: Readonly<Record<string, string>>;
  /** Inputs and outputs by name: the fixed dimensions of their shape, null where one is known only at run time. */
  readonly inputs: ReadonlyMap<string, readonly (number | null)[]>;
  readonly outputs: ReadonlyMap<string, readonly (number | null)[]>;
}

/**
 * Metadata and signature of an ONNX file. onnxruntime-node exposes the signature but not the metadata.
 * @throws KernelError `invalid_model`
 */
export function readOnnxSummary(model: Uint8Array): OnnxSummary {
  const metadata: Record<string, string> = Object.create(null);
  const inputs = new Map<string, (number | null)[]>();
  const outputs = new Map<string, (number | null)[]>();
  let graphs = 0;
  for (const field of readFields(model)) {
    if (field.number === 14) {
      const [key, value] = readEntry(field.bytes);
      metadata[key] = value;
    }
    if (field.number !== 7) continue;
    graphs++;
    for (const part of readFields(field.bytes)) {
      if (part.number === 11) addValue(inputs, part.bytes);
      if (part.number === 12) addValue(outputs, part.bytes);
    }
  }
  if (graphs !== 1)
    throw new KernelError("invalid_model", `expected one graph in the model, found ${graphs}`);
  return { metadata, inputs, outputs };
}

function readEntry(bytes: Uint8Array): [string, string] {
  let key = "";
  let value = "";
  for (const field of readFields(bytes)) {
    if (field.number === 1) key = text(field.bytes);
    if (field.number === 2) value = text(field.bytes);
  }
  return [key, value];
}

function addValue(into: Map<string, (number | null)[]>, bytes: Uint8Array): void {
  let name = "";
  const shape: (number | null)[] = [];
  for (const field of readFields(bytes)) {
    if (field.number === 1) name = text(field.bytes);
    // TypeProto.tensor_type (1) → shape (2) → dim (1) → dim_value (1)
    if (field.number !== 2) continue;
    for (const dimension of descend(field.bytes, [1, 2, 1])) {
      const fixed = [...readFields(dimension)].find((part) => part.number === 1);
      shape.push(fixed?.value ?? null);
    }
  }
  into.set(name, shape);
}

function descend(message: Uint8Array, path: readonly number[]): Uint8Array[] {
  return path.reduce<Uint8Array[]>(
    (messages, number) =>
      messages.flatMap((one) =>
        [...readFields(one)].filter((field) => field.number === number).map((f) => f.bytes),
      ),
    [message],
  );
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}
