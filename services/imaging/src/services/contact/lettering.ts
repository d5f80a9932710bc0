/** Capitals, digits and signs of 3 × 5 pixels: per row one octal digit, its bits from left to right. */
const glyphs: Readonly<Record<string, string>> = {
  "0": "75557",
  "1": "26227",
  "2": "71747",
  "3": "71717",
  "4": "55711",
  "5": "74717",
  "6": "74757",
  "7": "71244",
  "8": "75757",
  "9": "75717",
  A: "25755",
  B: "65656",
  C: "34443",
  D: "65556",
  E: "74647",
  F: "74644",
  G: "34553",
  H: "55755",
  I: "72227",
  J: "11152",
  K: "55655",
  L: "44447",
  M: "57755",
  N: "65555",
  O: "25552",
  P: "65644",
  Q: "25563",
  R: "65655",
  S: "34216",
  T: "72222",
  U: "55557",
  V: "55552",
  W: "55775",
  X: "55255",
  Y: "55222",
  Z: "71247",
  ".": "00002",
  "-": "00700",
  _: "00007",
  "#": "57575",
  "/": "11244",
  ":": "02020",
  "%": "51245",
  ",": "00024",
  "(": "24442",
  ")": "21112",
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
  for (let row = Math.max(0, y); row < Math.min(canvas.height, y + height); row++)
    for (let column = Math.max(0, x); column < Math.min(canvas.width, x + width); column++)
      canvas.rgb.set(colour, (row * canvas.width + column) * 3);
}

/** Write text in capitals, each pixel of a letter `scale` pixels wide; what has no glyph is a blank. Returns the x after it. */
export function write(canvas: Canvas, x: number, y: number, text: string, colour: Colour, scale = 2): number {
  let at = x;
  for (const letter of text.toUpperCase()) {
    for (const [row, bits] of [...(glyphs[letter] ?? "")].entries())
      for (let column = 0; column < 3; column++)
        if ((Number(bits) >> (2 - column)) & 1)
          fill(canvas, at + column * scale, y + row * scale, scale, scale, colour);
    at += 4 * scale;
  }
  return at;
}
