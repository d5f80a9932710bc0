import { unshuffle } from "@cytomesh/codecs";
import { ZarrError } from "../errors.ts";
import { field, show } from "../meta/json.ts";
import { parseTypeV2 } from "../meta/type.ts";
import type { Json, JsonObject } from "../types.ts";
import type { BytesCodec } from "./codec.ts";
import { bloscCodec, checksumCodec, gzipCodec, lz4Codec, zlibCodec, zstdCodec } from "./compress.ts";
import { asTypeCodec, deltaCodec, fixedScaleOffsetCodec, type NumberType, packBitsCodec } from "./numbers.ts";

/**
 * Codecs from bytes to bytes, by numcodecs id or v3 name. Reading ignores levels, so those of unknown range do no harm.
 *
 * @throws ZarrError "unsupported", naming the codec
 */
export function bytesCodec(name: string, config: JsonObject, where: string): BytesCodec {
  if (name === "gzip") return gzipCodec(5);
  if (name === "zlib") return zlibCodec(5);
  if (name === "zstd") return zstdCodec(0, false);
  if (name === "lz4") return lz4Codec;
  if (name === "blosc") return bloscCodec;
  if (name === "crc32" || name === "adler32") return checksumCodec(name, location(config, "start"));
  if (name === "crc32c") return checksumCodec(name, location(config, "end"));
  if (name === "shuffle") return shuffleCodec(config, where);
  const numbers = numberCodec(name, config, where);
  if (numbers !== undefined) return numbers.codec;
  throw new ZarrError(
    "unsupported",
    `${where}: the codec ${show(name)} is not supported; write the array again with zstd, gzip, lz4 or blosc`,
  );
}

function location(config: JsonObject, otherwise: "start" | "end"): "start" | "end" {
  const value = field(config, "location");
  return value === "start" || value === "end" ? value : otherwise;
}

function shuffleCodec(config: JsonObject, where: string): BytesCodec {
  const size = field(config, "elementsize") ?? 4;
  if (typeof size !== "number" || !Number.isInteger(size) || size < 1 || size > 1 << 16) {
    throw new ZarrError("corrupt", `${where}: shuffle with an element size of ${size}`);
  }
  return { name: "shuffle", decode: (bytes) => unshuffle(bytes, size) };
}

/** numcodecs' filters over numbers; `encoded` is the type on the far side, for v3 where later codecs depend on it; without one it is as before. */
export function numberCodec(
  name: string,
  config: JsonObject,
  where: string,
): { codec: BytesCodec; encoded?: NumberType } | undefined {
  const type = (key: string, otherwise?: string): NumberType => {
    const dtype: Json =
      field(config, key) ?? (otherwise === undefined ? null : (field(config, otherwise) ?? null));
    return parseTypeV2(
      typeof dtype === "string" && /^\w/.test(dtype) ? `<${dtype}` : dtype,
      undefined,
      where,
    );
  };
  if (name === "delta") {
    const encoded = type("astype", "dtype");
    return { codec: deltaCodec(type("dtype"), encoded), encoded };
  }
  if (name === "fixedscaleoffset") {
    const encoded = type("astype", "dtype");
    const [scale, offset] = [field(config, "scale"), field(config, "offset")].map(Number) as [number, number];
    return { codec: fixedScaleOffsetCodec(type("dtype"), encoded, scale, offset), encoded };
  }
  if (name === "quantize") {
    const encoded = type("astype", "dtype");
    return { codec: asTypeCodec(name, type("dtype"), encoded), encoded };
  }
  if (name === "astype") {
    const encoded = type("encode_dtype");
    return { codec: asTypeCodec(name, type("decode_dtype"), encoded), encoded };
  }
  if (name === "bitround") {
    // The precision is gone; what is stored is the value. Its configuration tells the bits that are kept and no type.
    return { codec: { name, decode: (bytes) => bytes } };
  }
  if (name === "packbits") {
    return {
      codec: packBitsCodec,
      encoded: { type: { kind: "int", size: 1, signed: false }, bigEndian: false },
    };
  }
  return undefined;
}
