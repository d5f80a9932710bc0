import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  AnnotateHeaderSchema,
  AnnotateRequestSchema,
  AnswerOrigin,
  SearchHeaderSchema,
  SearchRequestSchema,
} from "@cytomesh/contracts/inference/v1/inference_service";
import { EdgeError } from "../edge/errors.ts";
import type { RestClients } from "./deps.ts";
import type { OpenUpload } from "./upload/open-upload.ts";

type AnnotateHeader = MessageInitShape<typeof AnnotateHeaderSchema>;
/** How neighbours vote. */
export type Strategy = NonNullable<AnnotateHeader["strategy"]>;
type SearchHeader = MessageInitShape<typeof SearchHeaderSchema>;

async function* annotateRequests(
  header: AnnotateHeader,
  upload: OpenUpload,
): AsyncGenerator<MessageInitShape<typeof AnnotateRequestSchema>> {
  yield { message: { case: "header", value: header } };
  for await (const rows of upload.rows) yield { message: { case: "rows", value: rows } };
}

async function* searchRequests(
  header: SearchHeader,
  upload: OpenUpload,
): AsyncGenerator<MessageInitShape<typeof SearchRequestSchema>> {
  yield { message: { case: "header", value: header } };
  for await (const rows of upload.rows) yield { message: { case: "rows", value: rows } };
}

/** Answers in the order of the cells, each exactly once; the origin is on the first batch. */
async function* complete<A>(
  batches: AsyncIterable<{ origin?: AnswerOrigin; answers: readonly A[] }>,
  cells: number,
): AsyncGenerator<{ origin: AnswerOrigin | undefined; answers: readonly A[] }> {
  let answered = 0;
  for await (const { origin, answers } of batches) {
    answered += answers.length;
    yield { origin, answers };
  }
  if (answered !== cells) throw new EdgeError("bad-answer", `${answered} of ${cells} cells were answered`);
}

/**
 * Annotate an upload.
 *
 * @throws ConnectError what the inference service throws; EdgeError `bad-answer` when cells are missing
 */
export function annotateUpload(
  { inference }: RestClients,
  header: { search: SearchHeader; strategy: Strategy },
  upload: OpenUpload,
  signal: AbortSignal,
) {
  const search = { ...header.search, featureIds: upload.header.featureIds };
  const stream = inference.annotate(annotateRequests({ ...header, search }, upload), { signal });
  const batches = async function* () {
    for await (const { origin, annotations: answers } of stream)
      yield { answers, ...(origin === undefined ? {} : { origin }) };
  };
  return complete(batches(), upload.header.cells);
}

/** Find the nearest reference cells of an upload; throws as {@link annotateUpload}. */
export function searchUpload(
  { inference }: RestClients,
  header: SearchHeader,
  upload: OpenUpload,
  signal: AbortSignal,
) {
  const requests = searchRequests({ ...header, featureIds: upload.header.featureIds }, upload);
  const stream = inference.search(requests, { signal });
  const batches = async function* () {
    for await (const { origin, neighbors: answers } of stream)
      yield { answers, ...(origin === undefined ? {} : { origin }) };
  };
  return complete(batches(), upload.header.cells);
}
