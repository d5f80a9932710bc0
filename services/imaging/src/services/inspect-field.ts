import { withLocalFile } from "@cytomesh/object-store";
import type { ImagingDeps } from "./deps.ts";
import type { FieldReport } from "./read-field.ts";

/**
 * Describe an image file. One pixel is decoded too, so that what this answers can also be read.
 *
 * @throws ImagingError `unreadable-image`, `too-large`; errors of the store as they are.
 */
export function inspectField(deps: ImagingDeps, uri: string, signal: AbortSignal): Promise<FieldReport> {
  return withLocalFile(
    deps.store,
    uri,
    (path) => deps.pool.run<FieldReport>("describe", { path, name: uri, limits: deps.limits }, { signal }),
    { signal, tmpDir: deps.tempDir },
  );
}
