import { createRequire } from "node:module";

/** The part of clipper-lib (Clipper 6.4.2 in JavaScript) that is used here; the package brings no types. */
interface ClipperLib {
  readonly Clipper: new () => Clipper;
  readonly PolyType: { readonly ptSubject: number; readonly ptClip: number };
  readonly ClipType: { readonly ctIntersection: number };
  readonly PolyFillType: { readonly pftNonZero: number };
}

interface Clipper {
  m_MinimaList: LocalMinimum | null;
  AddPath(path: Point[], type: number, closed: boolean): boolean;
  Execute(operation: number, solution: Point[][], subjectFill: number, clipFill: number): boolean;
  InsertLocalMinima(minimum: LocalMinimum): void;
}

/** Where outlines turn upwards, as a list sorted by descending y. */
interface LocalMinimum {
  readonly Y: number;
  Next: LocalMinimum | null;
}

interface Point {
  readonly X: number;
  readonly Y: number;
}

/**
 * Of minima of one height the library takes the last first, and the C++ original the first. Where outlines touch, that decides which of two
 * equally good answers comes out.
 */
function insertAsTheOriginal(this: Clipper, minimum: LocalMinimum): void {
  const first = this.m_MinimaList;
  if (first === null || minimum.Y > first.Y) {
    minimum.Next = first;
    this.m_MinimaList = minimum;
    return;
  }
  let before = first;
  while (before.Next !== null && minimum.Y <= before.Next.Y) before = before.Next;
  minimum.Next = before.Next;
  before.Next = minimum;
}

let library: ClipperLib | undefined;

/**
 * Area of the intersection of two polygons of whole-number vertices as StarDist computes it: Clipper 6 with the non-zero rule, crossings
 * rounded to whole pixels, absolute areas of all resulting paths summed in float32.
 */
export function clipperIntersectionArea(a: readonly Point[], b: readonly Point[]): number {
  library ??= createRequire(import.meta.url)("clipper-lib") as ClipperLib;
  const { Clipper, PolyType, ClipType, PolyFillType } = library;
  const clipper = new Clipper();
  clipper.InsertLocalMinima = insertAsTheOriginal;
  clipper.AddPath([...a], PolyType.ptClip, true);
  clipper.AddPath([...b], PolyType.ptSubject, true);
  const paths: Point[][] = [];
  clipper.Execute(ClipType.ctIntersection, paths, PolyFillType.pftNonZero, PolyFillType.pftNonZero);
  return paths.reduce((sum, path) => Math.fround(sum + areaOf(path)), 0);
}

function areaOf(path: readonly Point[]): number {
  let doubled = 0;
  for (const [i, p] of path.entries()) {
    const q = path[(i + 1) % path.length] as Point;
    doubled = Math.fround(doubled + Math.fround(p.X * q.Y - p.Y * q.X));
  }
  return Math.fround(0.5 * Math.abs(doubled));
}
