import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import type { Client, ServiceImpl } from "@connectrpc/connect";
import {
  AnnotateResponseSchema,
  type InferenceService,
  SearchResponseSchema,
} from "@cytomesh/contracts/inference/v1/inference_service";
import type { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import { annotateStream, type EncodedAnswer, embedStream, searchStream } from "../services/answer-streams.ts";
import type { ServingDeps } from "../services/deps.ts";

/** InferenceService: message in, domain, message out. */
export function inferenceServiceImpl(deps: {
  serving: ServingDeps;
  jobs: Client<typeof JobService>;
}): ServiceImpl<typeof InferenceService> {
  const { serving, jobs } = deps;
  return {
    async *embed(requests, context) {
      let first = true;
      for await (const { overlap, ...answer } of embedStream(serving, requests, context.signal)) {
        yield first ? { ...answer, overlap } : answer;
        first = false;
      }
    },
    search: (requests, context) =>
      encoded(SearchResponseSchema, searchStream(serving, requests, context.signal)),
    annotate: (requests, context) =>
      encoded(AnnotateResponseSchema, annotateStream(serving, requests, context.signal)),
    async embedBins({ idempotencyKey, spec }) {
      const { job } = await jobs.createJob({
        idempotencyKey,
        ...(spec === undefined ? {} : { spec: { spec: { case: "embed", value: spec } } }),
      });
      return job === undefined ? {} : { job };
    },
    async buildIndex({ idempotencyKey, spec }) {
      const { job } = await jobs.createJob({
        idempotencyKey,
        ...(spec === undefined ? {} : { spec: { spec: { case: "buildIndex", value: spec } } }),
      });
      return job === undefined ? {} : { job };
    },
  };
}

/**
 * Responses around answers that a thread has encoded. They travel as raw fields, which are written as they are: taking megabytes of scored
 * terms apart into objects and writing them again would keep the event loop busy for tenths of a second.
 */
async function* encoded<S extends typeof SearchResponseSchema | typeof AnnotateResponseSchema>(
  schema: S,
  answers: AsyncIterable<EncodedAnswer>,
): AsyncGenerator<MessageShape<S>> {
  let first = true;
  for await (const { session, chunk } of answers) {
    const { index, model, overlap } = session;
    const origin = {
      index: index.name,
      indexSha256: index.manifestSha256,
      model: model.name,
      modelSha256: model.sha256,
      overlap,
    };
    const message = create<DescMessage>(schema, (first ? { origin } : {}) as MessageInitShape<S>);
    if (chunk !== undefined) {
      const tag = chunk[0] as number;
      message.$unknown = [{ no: tag >>> 3, wireType: WireType.LengthDelimited, data: chunk.subarray(1) }];
    }
    yield message as MessageShape<S>;
    first = false;
  }
}
