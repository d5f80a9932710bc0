// Greedy suppression of star-convex polygons as StarDist 0.9 does it: integer vertices truncated toward zero, overlap = area of the
// intersection / smaller area. StarDist clips every pair with Clipper 6, which rounds crossings to whole pixels; here most pairs are decided
// by bounds, the rest by an area with the same rounding, and those within reach of a rounding error of the threshold by Clipper itself.

/** Area of the intersection as Clipper 6 gives it. */
@external("env", "clipperArea")
declare function clipperArea(a: i32, b: i32): f64;

// Arrays of the candidates, `count` × `rays`, in descending order of probability; set by `configure`.
let rays: i32 = 0;
let vertexX: usize = 0; // i32
let vertexY: usize = 0; // i32
let area: usize = 0; // f32, of the integer polygon
let boxes: usize = 0; // f32: minX, maxX, minY, maxY of the vertices before truncation
let facts: usize = 0; // f64: px, py, inner radius, outer radius, longest edge, 1 when simple

// Scratch of one intersection: crossings found so far.
let crossEdgeA: usize = 0; // i32
let crossEdgeB: usize = 0; // i32
let crossX: usize = 0; // f64, rounded
let crossY: usize = 0;
let crossT: usize = 0; // f64, position along the edge of A
let crossU: usize = 0; // f64, position along the edge of B
let order: usize = 0; // i32
let crossings: i32 = 0;
let maxCrossings: i32 = 0;
let edgesA: usize = 0; // i32, edges that reach the common box
let edgesB: usize = 0;

// What happened, for benches.
let clippedPairs: i32 = 0;
let askedPairs: i32 = 0;

export function heapBase(): usize {
  return __heap_base;
}
export function clipped(): i32 {
  return clippedPairs;
}
export function asked(): i32 {
  return askedPairs;
}

/** Crossings of the last intersection. */
export function crossingCount(): i32 {
  return crossings;
}

const factBytes: usize = 48;

/** Bytes of scratch that `configure` needs for polygons of `n` rays. */
export function scratchBytes(n: i32): usize {
  const most: usize = <usize>(4 * n);
  return most * (4 + 4 + 8 + 8 + 8 + 8 + 4) + <usize>n * 8 + 64;
}

export function configure(
  n: i32,
  x: usize,
  y: usize,
  areas: usize,
  boxesAt: usize,
  factsAt: usize,
  scratch: usize,
): void {
  rays = n;
  vertexX = x;
  vertexY = y;
  area = areas;
  boxes = boxesAt;
  facts = factsAt;
  maxCrossings = 4 * n;
  const most: usize = <usize>maxCrossings;
  crossX = (scratch + 7) & ~7;
  crossY = crossX + most * 8;
  crossT = crossY + most * 8;
  crossU = crossT + most * 8;
  crossEdgeA = crossU + most * 8;
  crossEdgeB = crossEdgeA + most * 4;
  order = crossEdgeB + most * 4;
  edgesA = order + most * 4;
  edgesB = edgesA + <usize>n * 4;
  clippedPairs = 0;
  askedPairs = 0;
}

/**
 * Vertices, areas and bounds of all polygons from their centres (f32 y, x), distances (f32) and the sines and cosines of the rays (f32).
 * StarDist computes in float32 throughout, which decides where truncation falls.
 */
export function prepare(count: i32, points: usize, distances: usize, sines: usize, cosines: usize): void {
  for (let i = 0; i < count; i++) {
    const py = load<f32>(points + ((<usize>i) << 3));
    const px = load<f32>(points + ((<usize>i) << 3) + 4);
    const base = (<usize>i * <usize>rays) << 2;
    let minX: f32 = f32.MAX_VALUE;
    let minY: f32 = f32.MAX_VALUE;
    let maxX: f32 = -f32.MAX_VALUE;
    let maxY: f32 = -f32.MAX_VALUE;
    for (let k: i32 = 0; k < rays; k++) {
      const at = <usize>k << 2;
      const d = load<f32>(distances + base + at);
      const y: f32 = py + d * load<f32>(sines + at);
      const x: f32 = px + d * load<f32>(cosines + at);
      minX = min(minX, x);
      maxX = max(maxX, x);
      minY = min(minY, y);
      maxY = max(maxY, y);
      store<i32>(vertexX + base + at, <i32>x);
      store<i32>(vertexY + base + at, <i32>y);
    }
    const box = boxes + ((<usize>i) << 4);
    store<f32>(box, minX);
    store<f32>(box, maxX, 4);
    store<f32>(box, minY, 8);
    store<f32>(box, maxY, 12);
    measure(i, <f64>px, <f64>py);
  }
}

function measure(i: i32, px: f64, py: f64): void {
  const base = (<usize>i * <usize>rays) << 2;
  let doubled: f32 = 0;
  let inner: f64 = f64.MAX_VALUE;
  let outer: f64 = 0;
  let longest: f64 = 0;
  let turned = false;
  let x0 = load<i32>(vertexX + base);
  let y0 = load<i32>(vertexY + base);
  for (let k: i32 = 0; k < rays; k++) {
    const next = base + (<usize>(k + 1 == rays ? 0 : k + 1) << 2);
    const x1 = load<i32>(vertexX + next);
    const y1 = load<i32>(vertexY + next);
    doubled += <f32>(<i64>x0 * <i64>y1 - <i64>y0 * <i64>x1);
    const ax = <f64>x0 - px;
    const ay = <f64>y0 - py;
    const dx = <f64>(x1 - x0);
    const dy = <f64>(y1 - y0);
    const cross = ax * dy - ay * dx;
    outer = max(outer, ax * ax + ay * ay);
    const length = dx * dx + dy * dy;
    longest = max(longest, abs(dx) + abs(dy));
    if (cross < 0) turned = true;
    inner = length > 0 ? min(inner, cross / Math.sqrt(length)) : min(inner, Math.sqrt(ax * ax + ay * ay));
    x0 = x1;
    y0 = y1;
  }
  store<f32>(area + ((<usize>i) << 2), <f32>0.5 * abs(doubled));
  const at = facts + <usize>i * factBytes;
  store<f64>(at, px);
  store<f64>(at, py, 8);
  store<f64>(at, turned ? 0 : max(0, inner), 16);
  store<f64>(at, Math.sqrt(outer), 24);
  store<f64>(at, longest, 32);
  // Every edge turns the same way around the centre: the outline cannot cross itself.
  store<f64>(at, turned && selfCrossing(base) ? 0 : 1, 40);
}

/** Does a polygon cross itself, or touch itself other than at its corners? */
function selfCrossing(base: usize): bool {
  for (let a: i32 = 0; a < rays; a++) {
    const ax0 = load<i32>(vertexX + base + ((<usize>a) << 2));
    const ay0 = load<i32>(vertexY + base + ((<usize>a) << 2));
    const a1 = <usize>(a + 1 == rays ? 0 : a + 1) << 2;
    const ax1 = load<i32>(vertexX + base + a1);
    const ay1 = load<i32>(vertexY + base + a1);
    for (let b: i32 = a + 1; b < rays; b++) {
      const bx0 = load<i32>(vertexX + base + ((<usize>b) << 2));
      const by0 = load<i32>(vertexY + base + ((<usize>b) << 2));
      const b1 = <usize>(b + 1 == rays ? 0 : b + 1) << 2;
      const bx1 = load<i32>(vertexX + base + b1);
      const by1 = load<i32>(vertexY + base + b1);
      const o1 = cross(ax0, ay0, ax1, ay1, bx0, by0);
      const o2 = cross(ax0, ay0, ax1, ay1, bx1, by1);
      const o3 = cross(bx0, by0, bx1, by1, ax0, ay0);
      const o4 = cross(bx0, by0, bx1, by1, ax1, ay1);
      if (((o1 > 0 && o2 < 0) || (o1 < 0 && o2 > 0)) && ((o3 > 0 && o4 < 0) || (o3 < 0 && o4 > 0))) return true;
    }
  }
  return false;
}

// @ts-ignore: decorator
@inline
function cross(ax: i32, ay: i32, bx: i32, by: i32, cx: i32, cy: i32): i64 {
  return <i64>(bx - ax) * <i64>(cy - ay) - <i64>(by - ay) * <i64>(cx - ax);
}

/** Area that two discs have in common. */
function lens(d: f64, r: f64, s: f64): f64 {
  if (d >= r + s) return 0;
  const small = min(r, s);
  if (d <= Math.abs(r - s)) return Math.PI * small * small;
  const rr = r * r;
  const ss = s * s;
  const dd = d * d;
  const a = Math.acos(max(-1.0, min(1.0, (dd + rr - ss) / (2 * d * r))));
  const b = Math.acos(max(-1.0, min(1.0, (dd + ss - rr) / (2 * d * s))));
  const kite = (-d + r + s) * (d + r - s) * (d - r + s) * (d + r + s);
  return rr * a + ss * b - 0.5 * Math.sqrt(max(0, kite));
}

/** Does polygon `i` suppress polygon `j`? Their boxes touch. */
function suppresses(i: i32, j: i32, threshold: f32): bool {
  const areaI = <f64>load<f32>(area + ((<usize>i) << 2));
  const areaJ = <f64>load<f32>(area + ((<usize>j) << 2));
  const smaller = min(areaI + 1e-10, areaJ + 1e-10);
  const needed = <f64>threshold * smaller;
  const boxI = boxes + ((<usize>i) << 4);
  const boxJ = boxes + ((<usize>j) << 4);
  // Truncation moves vertices by less than a pixel.
  const w = <f64>(min(load<f32>(boxI, 4), load<f32>(boxJ, 4)) - max(load<f32>(boxI), load<f32>(boxJ))) + 2;
  const h = <f64>(min(load<f32>(boxI, 12), load<f32>(boxJ, 12)) - max(load<f32>(boxI, 8), load<f32>(boxJ, 8))) + 2;
  // What rounding the crossings can change: half the outline of the intersection in city blocks, which is that of its box.
  const slack = w + h + 2;
  if (min(areaI, min(areaJ, w * h)) + slack <= needed) return false;
  const factsI = facts + <usize>i * factBytes;
  const factsJ = facts + <usize>j * factBytes;
  const simple = load<f64>(factsI, 40) + load<f64>(factsJ, 40) == 2;
  if (simple) {
    const dx = load<f64>(factsI) - load<f64>(factsJ);
    const dy = load<f64>(factsI, 8) - load<f64>(factsJ, 8);
    const d = Math.sqrt(dx * dx + dy * dy);
    if (lens(d, load<f64>(factsI, 24), load<f64>(factsJ, 24)) + slack <= needed) return false;
    if (lens(d, load<f64>(factsI, 16), load<f64>(factsJ, 16)) - slack > needed) return true;
    clippedPairs++;
    const common = commonArea(i, j);
    const doubt = 1 + 0.25 * <f64>crossings * (load<f64>(factsI, 32) + load<f64>(factsJ, 32));
    if (crossings <= maxCrossings && abs(common - needed) > doubt) return common > needed;
  }
  askedPairs++;
  return <f32>(clipperArea(i, j) / smaller) > threshold;
}

/** Area of the intersection of two simple polygons, crossings rounded to whole pixels. */
export function commonArea(i: i32, j: i32): f64 {
  const a = (<usize>i * <usize>rays) << 2;
  const b = (<usize>j * <usize>rays) << 2;
  findCrossings(i, j, a, b);
  if (crossings > maxCrossings) return 0;
  // By Green: the pieces of each outline that lie in the other polygon.
  const doubled =
    piecesInside(a, crossEdgeA, crossT, contains(b, load<i32>(vertexX + a), load<i32>(vertexY + a), false)) +
    piecesInside(b, crossEdgeB, crossU, contains(a, load<i32>(vertexX + b), load<i32>(vertexY + b), true));
  return 0.5 * Math.abs(doubled);
}

/** Edges of a polygon that reach into a box, into `list`; returns how many. */
function edgesIn(base: usize, list: usize, minX: i32, maxX: i32, minY: i32, maxY: i32): i32 {
  let n: i32 = 0;
  let x0 = load<i32>(vertexX + base + (<usize>(rays - 1) << 2));
  let y0 = load<i32>(vertexY + base + (<usize>(rays - 1) << 2));
  for (let k: i32 = 0; k < rays; k++) {
    const x1 = load<i32>(vertexX + base + (<usize>k << 2));
    const y1 = load<i32>(vertexY + base + (<usize>k << 2));
    if (min(x0, x1) <= maxX && max(x0, x1) >= minX && min(y0, y1) <= maxY && max(y0, y1) >= minY) {
      store<i32>(list + (<usize>n << 2), k == 0 ? rays - 1 : k - 1);
      n++;
    }
    x0 = x1;
    y0 = y1;
  }
  return n;
}

// Vertices on the other outline are everywhere on a pixel grid. B counts as moved by (ε, ε²), ε → 0: then no three points are in line.

// @ts-ignore: decorator
@inline
function sideOfB(o: i64, dx: i32, dy: i32): bool {
  return o != 0 ? o > 0 : dy != 0 ? dy < 0 : dx > 0;
}

// @ts-ignore: decorator
@inline
function sideOfA(o: i64, dx: i32, dy: i32): bool {
  return o != 0 ? o > 0 : dy != 0 ? dy > 0 : dx < 0;
}

function findCrossings(i: i32, j: i32, a: usize, b: usize): void {
  crossings = 0;
  const boxI = boxes + ((<usize>i) << 4);
  const boxJ = boxes + ((<usize>j) << 4);
  const minX = <i32>Math.floor(<f64>max(load<f32>(boxI), load<f32>(boxJ))) - 1;
  const maxX = <i32>Math.ceil(<f64>min(load<f32>(boxI, 4), load<f32>(boxJ, 4))) + 1;
  const minY = <i32>Math.floor(<f64>max(load<f32>(boxI, 8), load<f32>(boxJ, 8))) - 1;
  const maxY = <i32>Math.ceil(<f64>min(load<f32>(boxI, 12), load<f32>(boxJ, 12))) + 1;
  const nA = edgesIn(a, edgesA, minX, maxX, minY, maxY);
  const nB = edgesIn(b, edgesB, minX, maxX, minY, maxY);
  for (let p: i32 = 0; p < nA; p++) {
    const ka = load<i32>(edgesA + (<usize>p << 2));
    const ka1 = ka + 1 == rays ? 0 : ka + 1;
    const ax0 = load<i32>(vertexX + a + (<usize>ka << 2));
    const ay0 = load<i32>(vertexY + a + (<usize>ka << 2));
    const ax1 = load<i32>(vertexX + a + (<usize>ka1 << 2));
    const ay1 = load<i32>(vertexY + a + (<usize>ka1 << 2));
    const lowX = min(ax0, ax1);
    const highX = max(ax0, ax1);
    const lowY = min(ay0, ay1);
    const highY = max(ay0, ay1);
    for (let q: i32 = 0; q < nB; q++) {
      const kb = load<i32>(edgesB + (<usize>q << 2));
      const kb1 = kb + 1 == rays ? 0 : kb + 1;
      const bx0 = load<i32>(vertexX + b + (<usize>kb << 2));
      const bx1 = load<i32>(vertexX + b + (<usize>kb1 << 2));
      if (max(bx0, bx1) < lowX || min(bx0, bx1) > highX) continue;
      const by0 = load<i32>(vertexY + b + (<usize>kb << 2));
      const by1 = load<i32>(vertexY + b + (<usize>kb1 << 2));
      if (max(by0, by1) < lowY || min(by0, by1) > highY) continue;
      const o1 = cross(ax0, ay0, ax1, ay1, bx0, by0);
      const o2 = cross(ax0, ay0, ax1, ay1, bx1, by1);
      if (sideOfB(o1, ax1 - ax0, ay1 - ay0) == sideOfB(o2, ax1 - ax0, ay1 - ay0)) continue;
      const o3 = cross(bx0, by0, bx1, by1, ax0, ay0);
      const o4 = cross(bx0, by0, bx1, by1, ax1, ay1);
      if (sideOfA(o3, bx1 - bx0, by1 - by0) == sideOfA(o4, bx1 - bx0, by1 - by0)) continue;
      if (crossings == maxCrossings) {
        crossings++;
        return;
      }
      const u = <f64>o1 / <f64>(o1 - o2);
      const n: usize = <usize>crossings;
      store<i32>(crossEdgeA + (n << 2), ka);
      store<i32>(crossEdgeB + (n << 2), kb);
      store<f64>(crossT + (n << 3), <f64>o3 / <f64>(o3 - o4));
      store<f64>(crossU + (n << 3), u);
      store<f64>(crossX + (n << 3), rounded(<f64>bx0 + u * <f64>(bx1 - bx0)));
      store<f64>(crossY + (n << 3), rounded(<f64>by0 + u * <f64>(by1 - by0)));
      crossings++;
    }
  }
}

/** Half away from zero, as Clipper rounds. */
function rounded(value: f64): f64 {
  return value < 0 ? Math.ceil(value - 0.5) : Math.floor(value + 0.5);
}

/** Is a vertex of the other polygon inside? `ofB`: the vertex is the moved one, or else the polygon is. */
function contains(base: usize, x: i32, y: i32, ofB: bool): bool {
  let inside = false;
  let x0 = load<i32>(vertexX + base + (<usize>(rays - 1) << 2));
  let y0 = load<i32>(vertexY + base + (<usize>(rays - 1) << 2));
  for (let k: i32 = 0; k < rays; k++) {
    const x1 = load<i32>(vertexX + base + (<usize>k << 2));
    const y1 = load<i32>(vertexY + base + (<usize>k << 2));
    // A ray to the right from the vertex; a tie in y is broken by the ε².
    const above0 = ofB ? y0 > y : y0 >= y;
    const above1 = ofB ? y1 > y : y1 >= y;
    if (above0 != above1) {
      const o = cross(x0, y0, x1, y1, x, y);
      const left = ofB ? sideOfB(o, x1 - x0, y1 - y0) : sideOfA(o, x1 - x0, y1 - y0);
      if (left == above1) inside = !inside;
    }
    x0 = x1;
    y0 = y1;
  }
  return inside;
}

/** Twice the signed area swept by the pieces of an outline that lie inside, seen from the origin. */
function piecesInside(base: usize, edges: usize, positions: usize, startsInside: bool): f64 {
  sortCrossings(edges, positions);
  let inside = startsInside;
  let sum: f64 = 0;
  let next: i32 = 0;
  for (let k: i32 = 0; k < rays; k++) {
    const k1 = k + 1 == rays ? 0 : k + 1;
    let x = <f64>load<i32>(vertexX + base + (<usize>k << 2));
    let y = <f64>load<i32>(vertexY + base + (<usize>k << 2));
    while (next < crossings) {
      const c: usize = <usize>load<i32>(order + (<usize>next << 2));
      if (load<i32>(edges + (c << 2)) != k) break;
      const cx = load<f64>(crossX + (c << 3));
      const cy = load<f64>(crossY + (c << 3));
      if (inside) sum += x * cy - y * cx;
      inside = !inside;
      x = cx;
      y = cy;
      next++;
    }
    if (inside) {
      const x1 = <f64>load<i32>(vertexX + base + (<usize>k1 << 2));
      const y1 = <f64>load<i32>(vertexY + base + (<usize>k1 << 2));
      sum += x * y1 - y * x1;
    }
  }
  return sum;
}

/** Crossings in the order in which an outline meets them; there are few. */
function sortCrossings(edges: usize, positions: usize): void {
  for (let n: i32 = 0; n < crossings; n++) {
    const edge = load<i32>(edges + (<usize>n << 2));
    const position = load<f64>(positions + (<usize>n << 3));
    let at = n;
    while (at > 0) {
      const before: usize = <usize>load<i32>(order + (<usize>(at - 1) << 2));
      const otherEdge = load<i32>(edges + (before << 2));
      if (otherEdge < edge || (otherEdge == edge && load<f64>(positions + (before << 3)) <= position)) break;
      store<i32>(order + (<usize>at << 2), <i32>before);
      at--;
    }
    store<i32>(order + (<usize>at << 2), n);
  }
}

/**
 * Suppress from polygon `from` on, until `budget` pairs were looked at; returns the polygon to go on with, `count` at the end. Candidates wait
 * in square cells of `cellPx` as linked lists (`heads`, `links`: i32, -1 ends); those that are out are unlinked when met.
 */
export function suppress(
  from: i32,
  count: i32,
  budget: i32,
  threshold: f32,
  maxRadius: f32,
  radii: usize,
  points: usize,
  suppressed: usize,
  heads: usize,
  links: usize,
  cellPx: f32,
  columns: i32,
  rows: i32,
): i32 {
  let left = budget;
  for (let i = from; i < count; i++) {
    if (left <= 0) return i;
    if (load<u8>(suppressed + i)) continue;
    const py = load<f32>(points + ((<usize>i) << 3));
    const px = load<f32>(points + ((<usize>i) << 3) + 4);
    const reach: f32 = maxRadius + load<f32>(radii + ((<usize>i) << 2));
    const reach2: f32 = reach * reach;
    const r0 = max(0, <i32>Mathf.floor((py - reach) / cellPx));
    const r1 = min(rows - 1, <i32>Mathf.floor((py + reach) / cellPx));
    const c0 = max(0, <i32>Mathf.floor((px - reach) / cellPx));
    const c1 = min(columns - 1, <i32>Mathf.floor((px + reach) / cellPx));
    const boxI = boxes + ((<usize>i) << 4);
    const minX = load<f32>(boxI);
    const maxX = load<f32>(boxI, 4);
    const minY = load<f32>(boxI, 8);
    const maxY = load<f32>(boxI, 12);
    for (let r = r0; r <= r1; r++) {
      for (let c = c0; c <= c1; c++) {
        let link = heads + (<usize>(r * columns + c) << 2);
        for (let j = load<i32>(link); j >= 0; ) {
          const next = links + ((<usize>j) << 2);
          if (j <= i || load<u8>(suppressed + j)) {
            j = load<i32>(next);
            store<i32>(link, j);
            continue;
          }
          left--;
          const boxJ = boxes + ((<usize>j) << 4);
          if (load<f32>(boxJ) <= maxX && minX <= load<f32>(boxJ, 4) && load<f32>(boxJ, 8) <= maxY && minY <= load<f32>(boxJ, 12)) {
            const dy: f32 = py - load<f32>(points + ((<usize>j) << 3));
            const dx: f32 = px - load<f32>(points + ((<usize>j) << 3) + 4);
            if (dy * dy + dx * dx < reach2 && suppresses(i, j, threshold)) {
              store<u8>(suppressed + j, 1);
              j = load<i32>(next);
              store<i32>(link, j);
              continue;
            }
          }
          link = next;
          j = load<i32>(link);
        }
      }
    }
  }
  return count;
}
