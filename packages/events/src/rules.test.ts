import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { serverOptions } from "./jetstream-link.ts";
import { parseReply } from "./jetstream-wire.ts";
import { checkHeaders } from "./messages.ts";
import { outcomeBeforeHandling, outcomeOfFailure, Reject, RetryLater, reasonText } from "./outcomes.ts";
import { checkFactFilter, checkWorkSubject, subjectMatches } from "./subjects.ts";

const token = fc.stringMatching(/^[a-c]{1,2}$/);
const subject = fc.array(token, { minLength: 1, maxLength: 5 }).map((tokens) => tokens.join("."));
const filter = fc
  .tuple(fc.array(fc.oneof(token, fc.constant("*")), { minLength: 1, maxLength: 5 }), fc.boolean())
  .map(([tokens, open]) => (open ? [...tokens, ">"] : tokens).join("."));

test("filters match as the same pattern written as a regular expression does", () => {
  const oracle = (pattern: string): RegExp =>
    new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", "[^.]+").replace(/>$/, ".+")}$`);
  fc.assert(
    fc.property(filter, subject, (f, s) => {
      assert.equal(subjectMatches(f, s), oracle(f).test(s));
    }),
    { numRuns: 2000 },
  );
});

test("a subject matches itself, and everything under events matches events.>", () => {
  fc.assert(
    fc.property(subject, (s) => {
      assert.ok(subjectMatches(s, s));
      assert.ok(subjectMatches("events.>", `events.${s}`));
      assert.ok(!subjectMatches(s, `${s}.more`));
    }),
  );
  assert.ok(!subjectMatches("events.>", "events"));
});

test("whatever is refused as a subject is an EventsError, and what is accepted has three clean tokens", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: "binary" }),
        subject.map((s) => `jobs.${s}`),
      ),
      (s) => {
        try {
          const service = checkWorkSubject(s);
          assert.ok(/^jobs\.[\w-]+\../.test(s) && s.startsWith(`jobs.${service}.`));
        } catch (error) {
          assert.equal((error as { tag?: string }).tag, "invalid_subject");
        }
      },
    ),
  );
  checkFactFilter("events.*.1.>");
});

const policy = { maxDeliver: 3, backoffMs: [10, 20] };

test("what a handler throws decides what becomes of the message", () => {
  assert.deepEqual(outcomeOfFailure(new Error("x"), 1, policy), { kind: "retry", delayMs: 10 });
  assert.deepEqual(outcomeOfFailure("thrown text", 2, policy), { kind: "retry", delayMs: 20 });
  assert.equal(outcomeOfFailure(new Error("x"), 3, policy).kind, "dead");
  assert.deepEqual(outcomeOfFailure(new RetryLater("x", { delayMs: 7 }), 1, policy), {
    kind: "retry",
    delayMs: 7,
  });
  assert.deepEqual(outcomeOfFailure(new RetryLater("x"), 2, policy), { kind: "retry", delayMs: 20 });
  assert.equal(outcomeOfFailure(new RetryLater("x", { delayMs: 7 }), 3, policy).kind, "dead");
  assert.deepEqual(outcomeOfFailure(new Reject("never"), 1, policy), { kind: "dead", reason: "never" });
  assert.deepEqual(outcomeOfFailure(new RetryLater("x", { delayMs: NaN }), 1, policy), {
    kind: "retry",
    delayMs: 0,
  });
  assert.equal(outcomeBeforeHandling(3, policy), undefined);
  assert.equal(outcomeBeforeHandling(4, policy)?.kind, "dead");
});

test("any reason fits in one header", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 3000 }), (message) => {
      const reason = reasonText(new Error(message));
      assert.ok(reason.length > 0 && reason.length <= 1001);
      assert.equal(checkHeaders({ reason }).get("reason"), reason.trim());
    }),
  );
});

test("delivery facts are read from both forms of a reply subject", () => {
  const facts = { deliveryCount: 2, streamSequence: 31, storedAtNanos: "1700000000000000001" };
  assert.deepEqual(parseReply("$JS.ACK.JOBS.work-a.2.31.40.1700000000000000001.5"), facts);
  assert.deepEqual(parseReply("$JS.ACK.hub.ACCHASH.JOBS.work-a.2.31.40.1700000000000000001.5.token"), facts);
  assert.equal(parseReply("_INBOX.abc"), undefined);
});

test("server URLs give up their credentials to the options of the client", () => {
  assert.deepEqual(serverOptions("nats://u:p%40ss@a:4223, b ,tls://c"), {
    servers: ["a:4223", "b:4222", "c:4222"],
    user: "u",
    pass: "p@ss",
    tls: {},
  });
  assert.deepEqual(serverOptions("nats://tok@[::1]:1"), { servers: ["[::1]:1"], token: "tok" });
  for (const bad of ["", "http://a", "nats://a:99999"])
    assert.throws(() => serverOptions(bad), { tag: "invalid_option" });
});
