import { type AnnData, openAnnData } from "@cytomesh/anndata";

/** The file that this thread read last. A conversion asks many slices of one file; opening it parses all of its metadata. */
let open: { key: string; file: AnnData } | undefined;

/**
 * The opened file of a conversion, kept until another conversion comes by or the thread ends, which an idle one does within seconds. `key` names
 * the conversion: what lies at a path may change between two.
 */
export async function openFile(path: string, key: string): Promise<AnnData> {
  const name = `${key} ${path}`;
  if (open?.key === name) return open.file;
  closeFile();
  const file = await openAnnData(path, { reuseRows: true });
  open = { key: name, file };
  return file;
}

/** Closes what is open, so that a failed read leaves nothing behind that the next attempt would trust. */
export function closeFile(): void {
  open?.file.close();
  open = undefined;
}
