/**
 * The first rows of a paged list.
 *
 * @param limit rows wanted; infinity: all
 * @param largest rows that one page may have
 */
export async function everyPage<T>(
  limit: number,
  largest: number,
  load: (pageSize: number, pageToken: string) => Promise<{ rows: readonly T[]; next: string }>,
): Promise<T[]> {
  const all: T[] = [];
  let token = "";
  do {
    const { rows, next } = await load(Math.min(largest, limit - all.length), token);
    all.push(...rows);
    token = next;
  } while (token !== "" && all.length < limit);
  return all;
}
