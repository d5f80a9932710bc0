/** Letters of 5 × 7 pixels: five columns from left to right, two hexadecimal digits each, the lowest bit on top. */
const glyphs: Readonly<Record<string, string>> = {
  "!": "00005f0000",
  "#": "147f147f14",
  "%": "2313086462",
  "&": "3649562050",
  "'": "0000070000",
  "(": "001c224100",
  ")": "0041221c00",
  "+": "08083e0808",
  ",": "0050300000",
  "-": "0808080808",
  ".": "0060600000",
  "/": "2010080402",
  "0": "3e5149453e",
  "1": "00427f4000",
  "2": "4261514946",
  "3": "2141454b31",
  "4": "1814127f10",
  "5": "2745454539",
  "6": "3c4a494930",
  "7": "0171090503",
  "8": "3649494936",
  "9": "064949291e",
  ":": "0036360000",
  ";": "0056360000",
  "=": "1414141414",
  "?": "0201590906",
  A: "7e1111117e",
  B: "7f49494936",
  C: "3e41414122",
  D: "7f4141413e",
  E: "7f49494941",
  F: "7f09090901",
  G: "3e4149497a",
  H: "7f0808087f",
  I: "00417f4100",
  J: "2040413f01",
  K: "7f08142241",
  L: "7f40404040",
  M: "7f020c027f",
  N: "7f0408107f",
  O: "3e4141413e",
  P: "7f09090906",
  Q: "3e4151215e",
  R: "7f09192946",
  S: "4649494931",
  T: "01017f0101",
  U: "3f4040403f",
  V: "1f2040201f",
  W: "3f4038403f",
  X: "6314081463",
  Y: "0708700807",
  Z: "6151494543",
  "[": "007f414141",
  "]": "004141417f",
  _: "4040404040",
  a: "2054545478",
  b: "7f48444438",
  c: "3844444420",
  d: "384444487f",
  e: "3854545418",
  f: "087e090102",
  g: "0c5252523e",
  h: "7f08040478",
  i: "00447d4000",
  j: "2040443d00",
  k: "7f10284400",
  l: "00417f4000",
  m: "7c04180478",
  n: "7c08040478",
  o: "3844444438",
  p: "7c14141408",
  q: "081414187c",
  r: "7c08040408",
  s: "4854545420",
  t: "043f444020",
  u: "3c4040207c",
  v: "1c2040201c",
  w: "3c4030403c",
  x: "4428102844",
  y: "0c5050503c",
  z: "4464544c44",
  µ: "7c2020103c",
  "²": "0012191600",
  "×": "2214081422",
  "…": "6000600060",
};

/** An RGB picture, 8 bits, row by row. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array<ArrayBuffer>;
}

export type Colour = readonly [number, number, number];

/** Fill a rectangle. */
export function fill(
  canvas: Canvas,
  x: number,
  y: number,
  width: number,
  height: number,
  colour: Colour,
): void {
  const { rgb } = canvas;
  const [red, green, blue] = colour;
  const [left, right] = [Math.max(0, x), Math.min(canvas.width, x + width)];
  const [top, bottom] = [Math.max(0, y), Math.min(canvas.height, y + height)];
  if (left >= right || top >= bottom) return;
  const from = (top * canvas.width + left) * 3;
  const to = (top * canvas.width + right) * 3;
  for (let at = from; at < to; at += 3) {
    rgb[at] = red;
    rgb[at + 1] = green;
    rgb[at + 2] = blue;
  }
  for (let row = 1; row < bottom - top; row++) rgb.copyWithin(from + row * canvas.width * 3, from, to);
}

/** Width of a text, px. */
export function widthOf(text: string, scale = 2): number {
  return [...text].length * 6 * scale;
}

/** Write text, each pixel of a letter `scale` pixels wide; what has no glyph is a "?". Returns the x after it. */
export function write(canvas: Canvas, x: number, y: number, text: string, colour: Colour, scale = 2): number {
  let at = x;
  for (const letter of text) {
    const columns = letter === " " ? "" : (glyphs[letter] ?? (glyphs["?"] as string));
    for (let column = 0; column * 2 < columns.length; column++) {
      const bits = Number.parseInt(columns.slice(column * 2, column * 2 + 2), 16);
      for (let row = 0; row < 7; row++)
        if ((bits >> row) & 1) fill(canvas, at + column * scale, y + row * scale, scale, scale, colour);
    }
    at += 6 * scale;
  }
  return at;
}
