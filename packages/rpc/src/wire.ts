import type { Readable, Writable } from "node:stream";
import {
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { Metadata, type MethodDefinition } from "@grpc/grpc-js";

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const definitions = new WeakMap<DescMethod, MethodDefinition<unknown, unknown>>();

/** How grpc-js serialises the messages of a method. */
export function methodDefinition(method: DescMethod): MethodDefinition<unknown, unknown> {
  let definition = definitions.get(method);
  if (definition === undefined) {
    definition = compileDefinition(method);
    definitions.set(method, definition);
  }
  return definition;
}

function compileDefinition(method: DescMethod): MethodDefinition<unknown, unknown> {
  const encode = (desc: DescMessage) => (message: unknown) =>
    bufferOf(toBinary(desc, message as MessageShape<DescMessage>));
  const decode = (desc: DescMessage) => (bytes: Buffer) => fromBinary(desc, bytes);
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
    responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
    requestSerialize: encode(method.input),
    requestDeserialize: decode(method.input),
    responseSerialize: encode(method.output),
    responseDeserialize: decode(method.output),
  };
}

/** Text metadata as headers. */
export function headersOf(metadata: Metadata): Headers {
  const headers = new Headers();
  for (const [key, value] of Object.entries(metadata.getMap()))
    if (typeof value === "string") headers.append(key, value);
  return headers;
}

/** Headers as metadata. */
export function metadataOf(headers: Headers): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of headers) metadata.set(key, value);
  return metadata;
}

/** Wait until the peer took what was written, or the call is over. */
export function drained(stream: Writable, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const cleanUp = () => {
      stream.off("drain", onDrain);
      stream.off("close", onClose);
      signal.removeEventListener("abort", onAbort);
    };
    const onDrain = () => {
      cleanUp();
      resolve();
    };
    const onAbort = () => {
      cleanUp();
      reject(signal.reason);
    };
    const onClose = () => {
      cleanUp();
      reject(new ConnectError("the stream was closed", Code.Canceled));
    };
    if (signal.aborted) return void reject(signal.reason);
    stream.once("drain", onDrain);
    stream.once("close", onClose);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

/**
 * Messages of a stream. Node's own duplex iterator destroys the stream when it ends, which loses the tail and the status of a
 * bidirectional call on several Node versions; `destroyOnReturn: false` keeps it whole.
 */
export async function* messagesOf(stream: Readable): AsyncGenerator<unknown> {
  yield* stream.iterator({ destroyOnReturn: false });
}
