import { Hdf5Error } from "../errors.ts";

/** Sound as far as can be told, but not known to the engine here: the fallback may be asked. */
export class BeyondNative extends Hdf5Error {
  constructor(message: string) {
    super("unsupported", message);
  }
}
