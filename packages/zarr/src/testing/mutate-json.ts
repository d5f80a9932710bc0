/** One value somewhere in a JSON document becomes another; `random` gives numbers below its argument. */
export function mutateJson(bytes: Uint8Array, random: (below: number) => number): Uint8Array | undefined {
  let text = new TextDecoder().decode(bytes);
  const values = [...text.matchAll(/-?\d+(\.\d+)?|"(?:[^"\\]|\\.)*"|true|false|null|\[[^[\]]*\]/g)];
  const hit = values[random(values.length)];
  if (hit === undefined) return undefined;
  const other = replacements[random(replacements.length)]!;
  text = text.slice(0, hit.index) + other + text.slice(hit.index + hit[0].length);
  return new TextEncoder().encode(text);
}

const replacements = [
  "0",
  "1",
  "-1",
  "2",
  "3",
  "1e9",
  "4294967296",
  "9007199254740993",
  "1e308",
  "0.5",
  "null",
  "true",
  "[]",
  "{}",
  "[0]",
  "[1]",
  "[3,2]",
  "[1000000,1000000]",
  '"<f8"',
  '"<U99999999"',
  '"|O"',
  '"|b1"',
  '[["a","<i4"]]',
  '"int8"',
  '"string"',
  '"F"',
  '"NaN"',
  '"gzip"',
  '"blosc"',
  '"lz4"',
  '"zstd"',
  '"delta"',
  '"shuffle"',
  '"vlen-utf8"',
  '"crc32c"',
  '"transpose"',
  '"sharding_indexed"',
  '"bytes"',
  '"big"',
  '"start"',
  '"/"',
  '"../x"',
  '"__proto__"',
  `${"[".repeat(200)}${"]".repeat(200)}`,
  "NaN",
  "-Infinity",
  '""',
];
