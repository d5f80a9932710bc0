/** Largest message that any service of the mesh accepts, in bytes. Bulk data goes through the object store, row batches stay below. */
export const maxMessageBytes = 32 * 1024 * 1024;

/** HTTP/2 window per stream, in bytes: 8 MiB lets a 1 MiB chunk stream run at memory speed on loopback. */
export const streamWindowBytes = 8 * 1024 * 1024;

/** Deadline of a unary call whose caller named none and that serves no call with one, in ms. */
export const defaultUnaryTimeoutMs = 30_000;
