import assert from "node:assert/strict";
import { test } from "node:test";
import { openImageBytes } from "./open.ts";
import { decodeJp2 } from "./openjpeg.ts";
import { bytesOf } from "./pixels.ts";
import { createJpeg2000Encoder, type EncodeOptions } from "./testing/jpeg2000.ts";
import { buildTiff, type TiffShape } from "./testing/tiff-builder.ts";
import { readCodestream } from "./tiff/codestream.ts";
import { jp2Head } from "./tiff/jp2.ts";

const encode = await createJpeg2000Encoder();
const shape: TiffShape = {
  width: 45,
  height: 37,
  samples: 1,
  bits: 16,
  format: 1,
  littleEndian: true,
  big: false,
  compression: 34712,
  predictor: 1,
  separate: false,
  tile: 16,
  rows: 37,
  encode,
};

/** Waves and noise. */
function field({ width, height, samples, bits }: TiffShape): Uint8Array<ArrayBuffer> {
  let state = 7;
  const values = Array.from({ length: width * height * samples }, (_, i) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((0.5 + 0.4 * Math.sin(i / 9) + (0.2 * state) / 2 ** 32 - 0.1) * 2 ** bits);
  });
  return bytesOf(bits === 8 ? Uint8Array.from(values) : Uint16Array.from(values));
}

async function read(bytes: Uint8Array<ArrayBuffer>, region?: { x: number; y: number; side: number }) {
  await using image = await openImageBytes(bytes, "field.tif");
  const { x, y, side } = region ?? { x: 0, y: 0, side: 0 };
  const plane = await image.plane(
    region === undefined ? {} : { region: { x, y, width: side, height: side } },
  );
  return { plane, pixels: Buffer.from(bytesOf(plane.data)) };
}

test("lossless data of every type, in tiles, strips and planes, come back as they were", async () => {
  for (const variant of [
    {},
    { tile: 0, rows: 10, littleEndian: false },
    { compression: 33003, bits: 8 },
    { compression: 33004, format: 2 },
    { compression: 33005, bits: 8, format: 2, big: true },
    { samples: 3, bits: 8, compression: 33005 },
    { samples: 3, bits: 8, compression: 33003, tile: 0 },
    { samples: 3, separate: true },
    { samples: 2, separate: true, format: 2 },
  ] as Partial<TiffShape>[]) {
    const made = { ...shape, ...variant };
    const options: EncodeOptions = { signed: made.format === 2 };
    const pixels = field(made);
    const bytes = buildTiff({ ...made, encode: (data, size) => encode(data, size, options) }, [{ pixels }]);
    const { plane, pixels: found } = await read(bytes);
    assert.ok(found.equals(pixels), JSON.stringify(variant));
    assert.equal(plane.pixelType, `${made.format === 2 ? "int" : "uint"}${made.bits}`);
    const part = await read(bytes, { x: 13, y: 5, side: 20 });
    const unit = (made.samples * made.bits) / 8;
    const rows = Array.from({ length: 20 }, (_, y) =>
      pixels.subarray(((y + 5) * 45 + 13) * unit).subarray(0, 20 * unit),
    );
    assert.ok(part.pixels.equals(Buffer.concat(rows)), JSON.stringify(variant));
  }
});

test("lossy data come back close to what they were", async () => {
  const pixels = field({ ...shape, bits: 8 });
  const lossy = (data: Uint8Array, size: Parameters<typeof encode>[1]) => encode(data, size, { ratio: 2 });
  const { pixels: found } = await read(
    buildTiff({ ...shape, bits: 8, encode: lossy, tile: 0 }, [{ pixels }]),
  );
  const worst = found.reduce((most, value, i) => Math.max(most, Math.abs(value - pixels[i]!)), 0);
  assert.ok(worst > 0 && worst < 25, String(worst));
});

// Two and four components, which the encoder at hand does not take; as OpenJPEG 2.5.4 wrote them, 8 × 6 pixels.
const fourComponents =
  "/0//UQAyAAAAAAAIAAAABgAAAAAAAAAAAAAACAAAAAYAAAAAAAAAAAAEBwEBBwEBBwEBBwEB/1IADAAAAAEAAAQEAAH/XAAEQED/ZAAlAAFDcmVhdGVkIGJ5IE9wZW5KUEVHIHZlcnNpb24gMi41LjT/kAAKAAAAAACgAAH/k9+BABFpg7HNW0eY+HOIEYgRwsd7ZJkFgF0vR+CZeXml5lUx34C4Eo0ZJQXE4cOQusRR94oaNerJJViewD/fgUASKBnOIFb5mdq3Da2+ng7UKjnyvzaUogteJDhsCTXz3S7hXfROIncRz7ScFABaLZgqCxACtm+/BoBIZi3xXfpXH8jXindJ1wDhsNhsNhwDbc6r/9k=";
const twoComponents =
  "/0//UQAsAAAAAAAIAAAABgAAAAAAAAAAAAAACAAAAAYAAAAAAAAAAAACDwEBDwEB/1IADAAAAAEAAAQEAAH/XAAEQID/ZAAlAAFDcmVhdGVkIGJ5IE9wZW5KUEVHIHZlcnNpb24gMi41LjT/kAAKAAAAAADAAAH/k9/4kqgSKBo77ai2MZSb5Amfrvm+YpMBs8cFvLNbaXqXPjuj5zQnNWokxDldX05/I0Z9VwnVyzBk4bDYU01sU9b2onL5rNl/XDNZzIxzVMqqnKqAAAAAAAA/z/wxVBQAXJveM5uF5oS7dPb2NbujV50AlVAeT7WPHYHtROXzWZcXD8Vj/rC3olNAeT7WPHYHq4fVgDKqpyqgAAAAAAAICzqrarxOt9bS6tjb5vm+b5vmJmf/2Q==";

test("two and four components come back in their places", async () => {
  const small = { ...shape, width: 8, height: 6, tile: 0, rows: 6 };
  for (const [samples, bits, stored, valuesOf] of [
    [4, 8, fourComponents, (x: number, y: number) => [x * 30, y * 40, (x + y) * 15, 255 - x * 10]],
    [2, 16, twoComponents, (x: number, y: number) => [x * 4000 + y, 65_535 - y * 3000 - x]],
  ] as const) {
    const pixels = new Uint8Array((48 * samples * bits) / 8);
    const bytes = buildTiff({ ...small, samples, bits, encode: () => Buffer.from(stored, "base64") }, [
      { pixels },
    ]);
    const expected = Array.from({ length: 48 }, (_, i) => valuesOf(i % 8, i >> 3)).flat();
    assert.deepEqual(Array.from((await read(bytes)).plane.data as Uint16Array), expected);
  }
});

test("YCbCr that the codestream did not make itself becomes RGB", async () => {
  // Chosen so that the transformation of the codestream, not undone, gives 100, 140 and 120.
  const [y, cb, cr] = [100, 140, 120];
  const green = y - Math.floor((cb - 128 + cr - 128) / 4);
  const rgb = { ...shape, samples: 3, bits: 8 } as const;
  const pixels = Uint8Array.from({ length: 45 * 37 * 3 }, (_, i) => green + [cr - 128, 0, cb - 128][i % 3]!);
  const unmarked = (data: Uint8Array, size: Parameters<typeof encode>[1]) => {
    const stream = encode(data, size);
    stream[Buffer.from(stream).indexOf("ff52", "hex") + 8] = 0;
    return stream;
  };
  const expected = [100 - 11, 100 - (4 - 5), 100 + 21];
  const first = async (made: TiffShape, tags: [number, 3, number[]][] = []) => [
    ...(await read(buildTiff(made, [{ pixels, tags }]))).pixels.subarray(0, 3),
  ];
  assert.deepEqual(await first({ ...rgb, compression: 33003, encode: unmarked }), expected);
  assert.deepEqual(await first({ ...rgb, compression: 33005, encode: unmarked }), [y, cb, cr]);
  assert.deepEqual(await first({ ...rgb, compression: 33003 }), [...pixels.subarray(0, 3)]);
  const boxed = (data: Uint8Array, size: Parameters<typeof encode>[1]) => {
    const stream = unmarked(data, size);
    return Buffer.concat([jp2Head(readCodestream(stream, "made"), stream.length, [0, 1, 2], "ycc"), stream]);
  };
  assert.deepEqual(await first({ ...rgb, encode: boxed }), expected);
});

// 4:2:2, as Aperio stores it; OpenJPEG 2.5.0 wrote it, 8 × 6 pixels.
const subsampled =
  "/0//UQAvAAAAAAAIAAAABgAAAAAAAAAAAAAACAAAAAYAAAAAAAAAAAADBwEBBwIBBwIB/1IADAAAAAEAAQQEAAH/XAAHQEBISFD/ZAAlAAFDcmVhdGVkIGJ5IE9wZW5KUEVHIHZlcnNpb24gMi41LjD/kAAKAAAAAABGAAH/k8+0MAlOfB7xQsRK80ppScPnBg8uf8fUCg4zcKJXwfODgPhDABv1ugy/L8D5AYAPLgugfIDADjw//9k=";

test("YCbCr of half the width becomes RGB", async () => {
  const made = {
    ...shape,
    width: 8,
    height: 6,
    samples: 3,
    bits: 8,
    tile: 0,
    rows: 6,
    compression: 33003,
  } as const;
  const pixels = new Uint8Array(8 * 6 * 3);
  const { pixels: found } = await read(
    buildTiff({ ...made, encode: () => Buffer.from(subsampled, "base64") }, [{ pixels }]),
  );
  const byte = (value: number) => Math.max(0, Math.min(255, Math.trunc(value)));
  const expected = Array.from({ length: 48 }, (_, i) => {
    const [x, y] = [i % 8, i >> 3];
    const [luma, cb, cr] = [40 + 20 * x + 5 * y, 10 * (x >> 1), -12 * y];
    return [1.402 * cr, -0.344 * cb - 0.714 * cr, 1.772 * cb].map((less) => byte(luma + Math.trunc(less)));
  });
  assert.deepEqual([...found], expected.flat());
});

test("tiles that end with the image are read, smaller ones are refused", async () => {
  const cropped = (by: number) => (data: Uint8Array, size: Parameters<typeof encode>[1]) => {
    const height = 21 - by;
    return encode(data.subarray(0, size.width * height * 2), { ...size, height });
  };
  const tall = { ...shape, width: 32, height: 21, tile: 32 } as const;
  const pixels = field(tall);
  const { pixels: found } = await read(buildTiff({ ...tall, encode: cropped(0) }, [{ pixels }]));
  assert.ok(found.equals(pixels));
  await assert.rejects(read(buildTiff({ ...tall, encode: cropped(1) }, [{ pixels }])), {
    tag: "corrupt",
    message: /expected JPEG 2000 data of 32 × 32 pixels, found 32 × 20/,
  });
});

test("damaged and lying data are refused by what is wrong with them, and the next are read", async () => {
  const small = { ...shape, width: 16, height: 16 };
  const pixels = field(small);
  const good = encode(pixels, { width: 16, height: 16, samples: 1, bits: 16 });
  const cod = Buffer.from(good).indexOf("ff52", "hex");
  const changed = (at: number, ...values: number[]) => {
    const bytes = good.slice();
    bytes.set(values, at);
    return bytes;
  };
  // The same with precincts of one pixel.
  const precincts = Buffer.concat([good.subarray(0, cod + 14), new Uint8Array(6), good.subarray(cod + 14)]);
  precincts[cod + 3] = 18;
  precincts[cod + 4] = 1;
  const layered = Buffer.from(precincts);
  layered.writeUInt16BE(65_535, cod + 6);
  for (const [stored, message] of [
    [new Uint8Array(0), /without a start/],
    [new Uint8Array(60), /without a start/],
    [good.subarray(0, 40), /without a start/],
    [good.subarray(0, cod + 3), /damaged header/],
    [good.subarray(0, good.length - 40), /damaged JPEG 2000 data \(.*length/],
    [changed(10, 4), /1 of 65 tiles/],
    [changed(42, 23), /of 16 bits, found 1 of 24/],
    [changed(27, 1, 0, 0, 0, 1), /1 of 256 tiles/],
    [changed(43, 2, 1), /subsampling 2 × 1/],
    [changed(cod + 9, 200), /200 levels/],
    [layered, /packets/],
    [Buffer.from(fourComponents, "base64"), /expected JPEG 2000 data of/],
  ] as const) {
    const bytes = buildTiff({ ...small, encode: () => stored }, [{ pixels }]);
    await assert.rejects(read(bytes), (error: Error & { tag?: string }) => {
      assert.match(error.message, message);
      return error.tag === "corrupt" || error.tag === "unsupported";
    });
    const { pixels: found } = await read(buildTiff(small, [{ pixels }]));
    assert.ok(found.equals(pixels));
  }
  const huge = Buffer.concat([good, new Uint8Array(4_000)]);
  for (const at of [8, 12, 24, 28]) huge.writeUInt32BE(12_000, at);
  const tall = buildTiff({ ...small, tile: 0, rows: 16, encode: () => huge }, [{ pixels }]);
  const view = new DataView(tall.buffer);
  const directory = view.getUint32(4, true);
  for (let entry = directory + 2, n = view.getUint16(directory, true); n > 0; n--, entry += 12)
    if ([256, 257, 278].includes(view.getUint16(entry, true))) view.setUint32(entry + 8, 12_000, true);
  await assert.rejects(read(tall, { x: 0, y: 0, side: 9 }), {
    tag: "too-large",
    message: /12000 × 12000 × 1/,
  });
  const floats = buildTiff({ ...small, bits: 32, format: 3, encode: () => good }, [
    { pixels: new Uint8Array(1024) },
  ]);
  await assert.rejects(read(floats), { tag: "unsupported", message: /samples of 32 bits/ });
});

test("data that are decoded side by side do not mind damaged ones among them", async () => {
  const pixels = field(shape);
  const good = buildTiff(shape, [{ pixels }]);
  const cropped = (data: Uint8Array, size: Parameters<typeof encode>[1]) => encode(data, size).slice(0, -9);
  const bad = buildTiff({ ...shape, encode: cropped }, [{ pixels }]);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 24 }, (_, i) => read(i % 3 === 0 ? bad : good)),
  );
  for (const [i, outcome] of outcomes.entries())
    if (i % 3 === 0) assert.equal(outcome.status, "rejected");
    else assert.ok(outcome.status === "fulfilled" && outcome.value.pixels.equals(pixels));
});

test("memory stays where it is over a thousand tiles, also of damaged ones", async () => {
  const size = { width: 64, height: 64, samples: 1, bits: 16 };
  const good = encode(field({ ...shape, width: 64, height: 64 }), size);
  const head = jp2Head(readCodestream(good, "made"), good.length, [0], "plain");
  const bad = good.slice(0, good.length - 99);
  const resident = () => process.memoryUsage().rss / 2 ** 20;
  const round = async (count: number) => {
    for (let i = 0; i < count; i++) await decodeJp2([head, good], 4096);
    for (let i = 0; i < count / 20; i++) await assert.rejects(decodeJp2([head, bad], 4096));
  };
  await round(100);
  const before = resident();
  await round(1_000);
  assert.ok(resident() - before < 60, `${resident() - before} MiB more`);
});
