import assert from "node:assert/strict";
import { test } from "node:test";
import { createOutbox } from "../data-manager/outbox.ts";
import type { ApiError } from "../errors.ts";
import { silentLogger } from "../schemas/runtime.ts";
import { createDispatcher } from "./dispatcher.ts";
import { createRecordingPublisher, createTestPlane, newJob, succeeded } from "./testing.ts";

test("a crash between publishing and deleting publishes again, and one worker gets the job", async (t) => {
  const plane = await createTestPlane(t);
  const { job } = await plane.jobs.create(newJob());
  // The bus has the message, but the transaction that would delete the row never commits.
  const crash = plane.test.database.kysely.transaction().execute(async (tx) => {
    const row = await tx
      .selectFrom("outbox")
      .selectAll()
      .where("topic", "=", "work")
      .executeTakeFirstOrThrow();
    const messageId = `${row.job_id}/${row.attempt}/${row.id}`;
    await plane.publisher.publishWork(row.subject, row.payload, { messageId });
    await tx.deleteFrom("outbox").where("id", "=", row.id).execute();
    throw new Error("killed");
  });
  await assert.rejects(crash, /killed/);
  await plane.dispatcher.drain();
  const [first, second] = plane.publisher.work;
  assert.equal(plane.publisher.work.length, 2);
  assert.equal(first!.messageId, second!.messageId, "a bus with a duplicate window drops it");
  const { lease } = await plane.jobs.startAttempt(first!.message.jobId, "w1");
  const held = plane.jobs.startAttempt(second!.message.jobId, "w2");
  await assert.rejects(held, (error: ApiError) => error.tag === "lease_held");
  assert.equal((await plane.jobs.endAttempt(job.id, lease, succeeded())).state, "succeeded");
});

test("what the bus refuses stays and is published when the bus is back", async (t) => {
  const plane = await createTestPlane(t);
  await plane.jobs.create(newJob());
  plane.publisher.failure = new Error("no bus");
  await assert.rejects(plane.dispatcher.drain(), /no bus/);
  plane.publisher.failure = undefined;
  plane.clock.advance(60_000);
  assert.equal(await plane.dispatcher.drain(), 2);
  assert.equal(await plane.dispatcher.drain(), 0);
  assert.equal(plane.publisher.work.length, 1);
});

test("several dispatchers share the outbox without publishing anything twice", async (t) => {
  const plane = await createTestPlane(t);
  for (let i = 0; i < 30; i++) await plane.jobs.create(newJob());
  const { database } = plane.test;
  const publishers = [1, 2, 3].map(() => createRecordingPublisher());
  const { clock } = plane;
  const dispatchers = publishers.map((publisher) =>
    createDispatcher({
      ...{ publisher, clock, logger: silentLogger },
      outbox: createOutbox(database.kysely),
      notifications: database.notifications,
    }),
  );
  await Promise.all(dispatchers.map((dispatcher) => dispatcher.drain()));
  const ids = publishers.flatMap((publisher) => publisher.work.map(({ message }) => message.jobId));
  assert.deepEqual([ids.length, new Set(ids).size], [30, 30]);
});

test("the loop publishes when the database calls, and stops", async (t) => {
  const plane = await createTestPlane(t);
  const published = Promise.withResolvers<string>();
  const { database } = plane.test;
  const dispatcher = createDispatcher({
    publisher: {
      async publishWork(_subject, _payload, { messageId }) {
        published.resolve(messageId);
      },
      async publishFact() {},
    },
    ...{ logger: silentLogger, clock: plane.clock, pollMs: 60_000 },
    outbox: createOutbox(database.kysely),
    notifications: database.notifications,
  });
  dispatcher.start();
  const { job } = await plane.jobs.create(newJob());
  assert.match(await published.promise, new RegExp(`^${job.id}/1/\\d+$`));
  await dispatcher.stop();
});
