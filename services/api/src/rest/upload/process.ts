import { isTaggedError } from "@cytomesh/rpc";
import type { FastifyRequest } from "fastify";
import { EdgeError } from "../../edge/errors.ts";
import type { RestDeps } from "../deps.ts";
import { contextOf } from "../request-context.ts";
import { createGate } from "./gate.ts";
import { type OpenUpload, openUpload } from "./open-upload.ts";
import { receiveForm } from "./receive.ts";
import { vetUpload, withoutPath } from "./vet.ts";

/** What becomes of an upload. */
export interface UploadPlan<T> {
  /** Read the other parts of the form and find out what is asked; before the file is looked at. */
  resolve(fields: ReadonlyMap<string, string>): Promise<T>;
  /** Gene ids of the model. */
  schema(asked: T): Promise<readonly string[]>;
  /** Make the answer. */
  answer(upload: OpenUpload, asked: T, signal: AbortSignal): AsyncGenerator<string>;
}

/** Process uploads: receive, wait for a turn, vet, read, answer. */
export type ProcessUpload = <T>(request: FastifyRequest, plan: UploadPlan<T>) => AsyncGenerator<string>;

const defaultConcurrentUploads = 16;
/** Uploads on disk at a time, as a multiple of those that are annotated. A CAS client sends 15 at once. */
const pendingPerPlace = 8;
const defaultQueueTimeoutMs = 120_000;

/**
 * Create the one path that uploads take. However a request ends, its file is deleted, its reader stopped and its turn given on.
 */
export function createProcessUpload(deps: Pick<RestDeps, "pool" | "tempDir" | "limits">): ProcessUpload {
  const { limits, pool, tempDir } = deps;
  const queueTimeoutMs = limits.queueTimeoutMs ?? defaultQueueTimeoutMs;
  const places = limits.concurrentUploads ?? defaultConcurrentUploads;
  const turns = createGate(places, queueTimeoutMs);
  let pending = 0;
  // A vetting reader is a thread of its own, so there are no more of them at a time than there are threads.
  const vetters = createGate(pool.threads, queueTimeoutMs);
  const maxBytes = limits.maxUploadBytes;

  return async function* process(request, plan) {
    const { signal, release } = requestSignal(request, limits.requestTimeoutMs);
    let leave: (() => void) | undefined;
    let path = "";
    let remove: (() => Promise<void>) | undefined;
    pending++;
    try {
      if (pending > places * pendingPerPlace)
        throw new EdgeError("busy", `${pending - 1} uploads are being received or wait; try again later`);
      const form = await receiveForm(request, { tempDir, maxBytes, signal });
      ({ path, remove } = form);
      const asked = await plan.resolve(form.fields);
      leave = await turns.enter(signal);
      const vetted = await vetters.enter(signal);
      const reader = {
        timeoutMs: limits.readerTimeoutMs,
        maxBytes: Math.max(maxBytes, minReaderBytes),
        signal,
      };
      await vetUpload(path, reader).finally(vetted);
      const schema = await plan.schema(asked);
      const upload = await openUpload(pool, { path, schema, maxBytes: reader.maxBytes }, signal);
      yield* plan.answer(upload, asked, signal);
    } catch (reason) {
      throw signal.aborted ? signal.reason : asUploadError(reason, path);
    } finally {
      pending--;
      release();
      leave?.();
      await remove?.();
    }
  };
}

/** A compressed file grows when it is read: a CAS chunk of a few MB holds arrays of tens of MB. */
const minReaderBytes = 512 * 1024 * 1024;

/** A signal that fires when the client is gone, the time is up, or the request is done with. */
function requestSignal(request: FastifyRequest, timeoutMs: number) {
  const { signal: gone } = contextOf(request);
  const controller = new AbortController();
  const onGone = () => controller.abort(gone.reason);
  if (gone.aborted) onGone();
  gone.addEventListener("abort", onGone, { once: true });
  const timer = setTimeout(
    () =>
      controller.abort(
        new EdgeError(
          "took-too-long",
          `not done within ${timeoutMs} ms; send fewer cells, or try again later`,
        ),
      ),
    timeoutMs,
  );
  return {
    signal: controller.signal,
    release() {
      clearTimeout(timer);
      gone.removeEventListener("abort", onGone);
      controller.abort(new EdgeError("client-gone", "the request has ended"));
    },
  };
}

/** Errors of the file reader, in this process or in a thread, as what they are to the caller: a file that cannot be used. */
function asUploadError(reason: unknown, path: string): unknown {
  if (!isTaggedError(reason) || reason.name !== "AnnDataError" || reason.httpStatus >= 500) return reason;
  const message = path === "" ? reason.message : withoutPath(reason.message, path);
  return new EdgeError(reason.httpStatus === 413 ? "upload-too-large" : "bad-upload", message, {
    cause: reason,
  });
}
