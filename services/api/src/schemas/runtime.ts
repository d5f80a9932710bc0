import { randomBytes } from "node:crypto";

/** Where the time comes from. All times in the database are written from it, so that tests can move it. */
export type Clock = () => Date;

/** Uniform random bytes. */
export type RandomBytes = (count: number) => Uint8Array;

export const systemClock: Clock = () => new Date();

export const systemRandom: RandomBytes = (count) => randomBytes(count);

/** A uniform number in [0, 1). */
export function randomUnit(random: RandomBytes): number {
  const bytes = random(4);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32;
}

/** Structural, so that pino fits. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
