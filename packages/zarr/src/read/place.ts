import { ZarrError } from "../errors.ts";
import type { Plan, Request } from "./requests.ts";

/** Where stored bytes are: a part of an object, or of bytes at hand. `end` undefined: to the end of the object. */
export type Place = { key: string; start: number; end: number | undefined } | { bytes: Uint8Array };

/** Part of a place; what is known to lie beyond its end is refused at once. */
export function within(place: Place, start: number, end: number, where: string): Place {
  const size =
    "bytes" in place ? place.bytes.length : place.end === undefined ? Infinity : place.end - place.start;
  if (end > size) throw new ZarrError("corrupt", `${where}: bytes ${start} to ${end} of a shard of ${size}`);
  if ("bytes" in place) return { bytes: place.bytes.subarray(start, end) };
  return { key: place.key, start: place.start + start, end: place.start + end };
}

/** What stands at the places; undefined for those that are not stored. */
export function* fetchPlaces(places: readonly (Place | undefined)[]): Plan<(Uint8Array | undefined)[]> {
  const answers: (Uint8Array | undefined)[] = places.map((place) =>
    place !== undefined && "bytes" in place ? place.bytes : undefined,
  );
  const asked: number[] = [];
  const requests: Request[] = [];
  for (const [i, place] of places.entries()) {
    if (place === undefined || "bytes" in place) continue;
    asked.push(i);
    const { key, start, end } = place;
    requests.push(end === undefined ? { key } : { key, range: { start, end } });
  }
  if (requests.length === 0) return answers;
  const found = yield requests;
  for (const [at, i] of asked.entries()) {
    const { range, key } = requests[at]!;
    const bytes = found[at];
    if (range !== undefined && "start" in range && bytes?.length !== range.end - range.start) {
      throw new ZarrError("corrupt", `${key}: ends before byte ${range.end}, which its index names`);
    }
    answers[i] = bytes;
  }
  return answers;
}
