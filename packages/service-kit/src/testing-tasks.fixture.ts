import { defineTask } from "./task.ts";

/** Worker-thread tasks that the tests of the pool run. */
export const double = defineTask((input: { value: number }) => input.value * 2);

/** Tells progress to the very end, without letting the event loop turn. */
export const chatty = defineTask((input: { messages: number }, context) => {
  for (let i = 0; i < input.messages; i++) context.progress({ i });
  return "told";
});

class FixtureError extends Error {
  override readonly name = "FixtureError";
  readonly tag = "not-so";
  readonly grpcCode = "invalid_argument";
  readonly httpStatus = 400;
  readonly violations = [{ field: "a.b", description: "expected a cat" }];
}

/** Fails like a package of the mesh. */
export const refuse = defineTask(() => {
  throw new FixtureError("it is not so");
});

/** Fails like code nobody foresaw, having told something. */
export const crash = defineTask((_input: unknown, context) => {
  context.progress("about to fail");
  throw new TypeError("x is not a function");
});

/** Sums the bytes of a buffer. */
export const sum = defineTask((input: { bytes: Uint8Array }) => input.bytes.reduce((a, b) => a + b, 0));

/** Goes on until told to stop. */
export const endless = defineTask(async (_input: unknown, context) => {
  context.progress("begun");
  for (;;) await context.breathe();
});

/** Holds its thread until the counter is released; says whether its own work began. */
export const hold = defineTask((input: { gate: Int32Array }) => {
  Atomics.add(input.gate, 1, 1);
  Atomics.wait(input.gate, 0, 0);
  return "released";
});

/** Counts that it ran. */
export const count = defineTask((input: { gate: Int32Array }) => {
  Atomics.add(input.gate, 2, 1);
});
