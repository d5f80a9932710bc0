const TABLE = {
  invalid_subject: { grpcCode: "invalid_argument", httpStatus: 400 },
  invalid_message: { grpcCode: "invalid_argument", httpStatus: 400 },
  invalid_option: { grpcCode: "invalid_argument", httpStatus: 400 },
  payload_too_large: { grpcCode: "invalid_argument", httpStatus: 413 },
  queue_full: { grpcCode: "resource_exhausted", httpStatus: 429 },
  not_found: { grpcCode: "not_found", httpStatus: 404 },
  settings_refused: { grpcCode: "failed_precondition", httpStatus: 500 },
  unavailable: { grpcCode: "unavailable", httpStatus: 503 },
  closed: { grpcCode: "unavailable", httpStatus: 503 },
  server_start: { grpcCode: "failed_precondition", httpStatus: 500 },
} as const satisfies Record<string, { grpcCode: string; httpStatus: number }>;

export type EventsErrorTag = keyof typeof TABLE;

export class EventsError extends Error {
  override readonly name = "EventsError";
  readonly tag: EventsErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;

  constructor(tag: EventsErrorTag, message: string, options?: ErrorOptions) {
    super(message, options);
    this.tag = tag;
    this.grpcCode = TABLE[tag].grpcCode;
    this.httpStatus = TABLE[tag].httpStatus;
  }
}

/** What was thrown, as an Error; handlers may throw anything. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
