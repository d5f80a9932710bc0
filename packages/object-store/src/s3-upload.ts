import type { Readable } from "node:stream";
import { AbortMultipartUploadCommand, type PutObjectCommandInput, type S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { SINGLE_REQUEST_BYTES } from "./body.ts";

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html: 10 000 parts of 5 MiB to 5 GiB. */
const MAX_PARTS = 10_000;
const QUEUE = 4;

/**
 * 8 MiB, and more only where the parts would not suffice otherwise: small local S3 servers refuse large requests
 * (fauxqs above 11 MiB). A body of unknown size can so have 78 GiB.
 */
export function partSizeFor(size: number | undefined): number {
  return Math.max(SINGLE_REQUEST_BYTES, Math.ceil((size ?? 0) / MAX_PARTS));
}

/** A multipart upload; when it fails or is cancelled its parts are removed. Returns the object's ETag. */
export async function uploadParts(
  client: S3Client,
  params: PutObjectCommandInput,
  body: Readable | Uint8Array,
  size: number | undefined,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const upload = new Upload({
    client: signal === undefined ? client : abortingClient(client, signal),
    params: { ...params, Body: body },
    partSize: partSizeFor(size),
    queueSize: QUEUE,
  });
  const output = await upload.done();
  return output.ETag;
}

/**
 * lib-storage's own abort returns at once and leaves its requests running, so a cancelled upload could still come to
 * life. Here the signal goes into each request instead, save the one that cleans up, and `done` waits for that.
 */
function abortingClient(client: S3Client, signal: AbortSignal): S3Client {
  const send = (command: Parameters<S3Client["send"]>[0]) =>
    client.send(command, command instanceof AbortMultipartUploadCommand ? {} : { abortSignal: signal });
  return Object.create(client, { send: { value: send } }) as S3Client;
}
