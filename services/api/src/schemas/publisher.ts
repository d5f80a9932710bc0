/** The part of the event bus that the control plane needs; `EventBus` of the events package fits. */
export interface WorkPublisher {
  /** Resolves when the message is stored. `jobs.<service>.<kind>`. */
  publishWork(
    subject: string,
    payload: Uint8Array,
    options: { readonly messageId: string; readonly headers?: Readonly<Record<string, string>> },
  ): Promise<void>;
  /** Resolves when the fact is stored. `events.<entity>.<id>.<what>`. */
  publishFact(subject: string, payload: Uint8Array): Promise<void>;
}
