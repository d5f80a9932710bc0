import { EventsError } from "./errors.ts";

const TOKEN = /^[^\s.*>\p{Cc}]+$/u;
const NAME = /^[A-Za-z0-9_-]{1,64}$/;
const SUBJECT_CHARACTERS = 255;

function checkedTokens(subject: string, form: string): string[] {
  const tokens = subject.split(".");
  if (subject.length > SUBJECT_CHARACTERS) {
    throw new EventsError(
      "invalid_subject",
      `expected a subject of at most ${SUBJECT_CHARACTERS} characters, found ${subject.length}`,
    );
  }
  if (!tokens.every((token) => TOKEN.test(token))) {
    throw new EventsError(
      "invalid_subject",
      `expected ${form} without blanks or wildcards, found ${JSON.stringify(subject)}`,
    );
  }
  return tokens;
}

/** Checks `jobs.<service>.<kind>` (more tokens allowed) and returns the service. */
export function checkWorkSubject(subject: string): string {
  const form = "jobs.<service>.<kind>";
  const [root, service, kind] = checkedTokens(subject, form);
  if (root !== "jobs" || kind === undefined || !NAME.test(service!)) {
    throw new EventsError("invalid_subject", `expected ${form}, found ${JSON.stringify(subject)}`);
  }
  return service!;
}

/** Checks `events.<entity>.<id>.<what>` (more tokens allowed). */
export function checkFactSubject(subject: string): void {
  const form = "events.<entity>.<id>.<what>";
  const tokens = checkedTokens(subject, form);
  if (tokens[0] !== "events" || tokens.length < 4) {
    throw new EventsError("invalid_subject", `expected ${form}, found ${JSON.stringify(subject)}`);
  }
}

/** Checks a filter under `events.`: `*` stands for one token, `>` as the last token for one or more. */
export function checkFactFilter(filter: string): void {
  const tokens = filter.split(".");
  const wellFormed = tokens.every(
    (token, i) => TOKEN.test(token) || token === "*" || (token === ">" && i === tokens.length - 1),
  );
  if (!wellFormed || tokens[0] !== "events" || tokens.length < 2) {
    throw new EventsError(
      "invalid_subject",
      `expected a filter such as "events.job.*.done" or "events.>", found ${JSON.stringify(filter)}`,
    );
  }
}

/** Checks a service or durable name: it becomes part of a consumer's name on the server. */
export function checkName(what: string, name: string): void {
  if (!NAME.test(name)) {
    throw new EventsError(
      "invalid_option",
      `expected ${what} of 1 to 64 letters, digits, "-" or "_", found ${JSON.stringify(name)}`,
    );
  }
}

/** NATS subject matching. */
export function subjectMatches(filter: string, subject: string): boolean {
  const wanted = filter.split(".");
  const found = subject.split(".");
  for (const [i, token] of wanted.entries()) {
    if (token === ">") return found.length > i;
    if (i >= found.length || (token !== "*" && token !== found[i])) return false;
  }
  return wanted.length === found.length;
}
