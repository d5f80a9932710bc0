import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { type AttributeInput, createH5, type H5Numbers, type H5Type, type H5Writer } from "@cytomesh/hdf5";
import type { TaskContext } from "@cytomesh/service-kit/task";
import { ImagingError } from "../../errors.ts";
import { parseRecords } from "../tables/csv.ts";

/** Cells of some fields as one scPortrait file. */
export interface H5scInput {
  readonly path: string;
  readonly channelNames: readonly string[];
  readonly fields: readonly {
    readonly uri: string;
    readonly field: string;
    readonly crops: number;
    readonly cropSizePx: number;
    readonly channels: number;
    /** Local file: `crops` × (1 + channels) × side × side float16. */
    readonly cells: string;
    /** Local file: the field's lines of `crops.csv`, without a header. */
    readonly rows: string;
  }[];
}

const text: H5Type = { kind: "string", size: "variable", utf8: true };
const uint64: H5Type = { kind: "int", size: 8, signed: false };
const int64: H5Type = { kind: "int", size: 8, signed: true };
const float64: H5Type = { kind: "float", size: 8 };
const float16: H5Type = { kind: "float", size: 2 };

/** Name of the mask as scPortrait's nucleus segmentation has it. */
const maskName = "seg_all_nucleus";

/** Column of obs by which scPortrait finds a cell: unique in the file. */
const cellIdName = "scportrait_cell_id";

/**
 * Write a `.h5sc` file: AnnData without X whose `obsm/single_cell_images` (cells × (mask, channels) × side × side, float16, masks first, values
 * 0 … 1, a chunk per channel of a cell) and `uns/single_cell_images` are as scPortrait 1.8 writes and reads them. One cell is in memory at a
 * time.
 *
 * @throws ImagingError `wrong-axes` when fields have other channels or crop sizes than the first.
 */
export async function writeH5sc(
  input: H5scInput,
  context: TaskContext,
  rowHeader: readonly string[],
): Promise<{ cells: number }> {
  const { fields } = input;
  const first = fields[0];
  const [side, channels] = [first?.cropSizePx ?? 0, first?.channels ?? 0];
  for (const one of fields)
    if (one.cropSizePx !== side || one.channels !== channels)
      throw new ImagingError(
        "wrong-axes",
        `one .h5sc holds cells of one shape: ${first?.uri} has ${channels} channels and crops of ${side} px, ${one.uri} ${one.channels} and ${one.cropSizePx}`,
      );
  const cells = fields.reduce((sum, field) => sum + field.crops, 0);
  const file = createH5(input.path);
  try {
    const names = [maskName, ...Array.from({ length: channels }, (_, c) => input.channelNames[c] ?? `c${c}`)];
    element(file, "/", "anndata", "0.1.0");
    await writeObs(file, fields, cells, rowHeader);
    writeVar(file, names);
    for (const name of ["/obsm", "/obsp", "/varm", "/varp", "/layers", "/uns"]) {
      file.group(name);
      element(file, name, "dict", "0.1.0");
    }
    const shape = { n: cells, masks: 1, channels, side };
    writeUns(file, names, shape);
    const images = file.appendable("/obsm/single_cell_images", {
      type: float16,
      shape: [0, names.length, side, side],
      deflate: { level: 1 },
      chunkPlanes: true,
    });
    element(file, "/obsm/single_cell_images", "array", "0.2.0");
    writeImageAttributes(file, names, shape);
    for (const field of fields) await appendCells(images, field, names.length * side * side, context);
    file.finish();
  } catch (error) {
    file.abort();
    throw error;
  }
  return { cells };
}

function element(file: H5Writer, path: string, type: string, version: string): void {
  file.attribute(path, "encoding-type", type);
  file.attribute(path, "encoding-version", version);
}

function column(file: H5Writer, path: string, values: readonly string[]): void {
  file.dataset(path, { type: text, shape: [values.length] }, values);
  element(file, path, "string-array", "0.2.0");
}

function strings(values: readonly string[], type = text): AttributeInput {
  return { shape: [values.length], type, values };
}

function frame(file: H5Writer, path: string, columns: readonly string[], length: number): void {
  file.group(path);
  element(file, path, "dataframe", "0.2.0");
  file.attribute(path, "_index", "_index");
  file.attribute(path, "column-order", strings(columns));
  column(
    file,
    `${path}/_index`,
    Array.from({ length }, (_, i) => String(i)),
  );
}

/** Columns of `crops.csv` that go into obs as numbers. */
const numbers = [
  "centroid_y",
  "centroid_x",
  "area_px",
  "padded_fraction",
  "neighbours",
  "saturated_fraction",
];
/** And as text. */
const texts = ["field_uri", "field", "crop", "flags", "segmentation"];

async function writeObs(
  file: H5Writer,
  fields: H5scInput["fields"],
  cells: number,
  header: readonly string[],
): Promise<void> {
  const rows: Record<string, string>[] = [];
  for (const field of fields) {
    const lines = async function* () {
      yield Buffer.from(`${header.join(",")}\n`);
      yield* createReadStream(field.rows);
    };
    for await (const row of parseRecords(lines(), field.rows, header)) rows.push(row);
  }
  const columns = [cellIdName, "label", ...numbers, ...texts];
  frame(file, "/obs", columns, cells);
  const values = (name: string) => rows.map((row) => row[name] ?? "");
  const numeric = (name: string, type: H5Type, data: BigUint64Array | BigInt64Array | Float64Array) => {
    file.dataset(`/obs/${name}`, { type, shape: [cells] }, data);
    element(file, `/obs/${name}`, "array", "0.2.0");
  };
  // Labels begin anew in every field.
  numeric(
    cellIdName,
    uint64,
    BigUint64Array.from({ length: cells }, (_, i) => BigInt(i + 1)),
  );
  numeric(
    "label",
    int64,
    BigInt64Array.from(values("label"), (value) => BigInt(value)),
  );
  for (const name of numbers) numeric(name, float64, Float64Array.from(values(name), Number));
  for (const name of texts) column(file, `/obs/${name}`, values(name));
}

function mapping(names: readonly string[]): string[] {
  return names.map((_, i) => (i === 0 ? "mask" : "image_channel"));
}

function writeVar(file: H5Writer, names: readonly string[]): void {
  frame(file, "/var", ["channels", "channel_mapping"], names.length);
  column(file, "/var/channels", names);
  column(file, "/var/channel_mapping", mapping(names));
}

interface Shape {
  readonly n: number;
  readonly masks: number;
  readonly channels: number;
  readonly side: number;
}

function metadata(o: Shape): Record<string, number | boolean | string> {
  return {
    n_cells: o.n,
    n_channels: o.masks + o.channels,
    n_masks: o.masks,
    n_image_channels: o.channels,
    image_size: o.side,
    image_size_x: o.side,
    image_size_y: o.side,
    normalization: true,
    compression: "gzip",
  };
}

/** Names are bytes of one length here, as `numpy.array([b"…"])` is stored, and text in `uns`. */
function writeImageAttributes(file: H5Writer, names: readonly string[], shape: Shape): void {
  const path = "/obsm/single_cell_images";
  for (const [name, value] of Object.entries(metadata(shape))) file.attribute(path, name, value);
  file.attribute(path, "normalization_range", {
    shape: [2],
    type: float64,
    values: Float64Array.from(normalizationRange),
  });
  for (const [name, values] of Object.entries(nameLists(names))) {
    const size = Math.max(...values.map((value) => Buffer.byteLength(value)));
    file.attribute(path, name, strings(values, { kind: "string", size, utf8: false }));
  }
}

/** Quantiles of a channel of a crop that become 0 and 1. */
const normalizationRange = [0, 1] as const;

const nameLists = (names: readonly string[]) => ({ channel_names: names, channel_mapping: mapping(names) });

function writeUns(file: H5Writer, names: readonly string[], shape: Shape): void {
  const group = "/uns/single_cell_images";
  file.group(group);
  element(file, group, "dict", "0.1.0");
  const bool: H5Type = {
    kind: "enum",
    base: { kind: "int", size: 1, signed: true },
    members: { FALSE: 0, TRUE: 1 },
  };
  const scalar = (name: string, type: H5Type, values: H5Numbers | string[], encoding = "numeric-scalar") => {
    file.dataset(`${group}/${name}`, { type, shape: [] }, values);
    element(file, `${group}/${name}`, encoding, "0.2.0");
  };
  for (const [name, value] of Object.entries(metadata(shape))) {
    if (typeof value === "number") scalar(name, int64, BigInt64Array.of(BigInt(value)));
    else if (typeof value === "boolean") scalar(name, bool, Int8Array.of(value ? 1 : 0));
    else scalar(name, text, [value], "string");
  }
  const [lower, upper] = normalizationRange;
  scalar("normalization_range_lower", float64, Float64Array.of(lower));
  scalar("normalization_range_upper", float64, Float64Array.of(upper));
  for (const [name, values] of Object.entries(nameLists(names))) column(file, `${group}/${name}`, values);
}

async function appendCells(
  images: { append(values: Uint16Array): void },
  field: H5scInput["fields"][number],
  values: number,
  context: TaskContext,
): Promise<void> {
  const bytes = values * 2;
  const { size } = await stat(field.cells);
  if (size !== field.crops * bytes)
    throw new Error(`${field.cells}: expected ${field.crops} cells of ${bytes} bytes, found ${size} bytes`);
  await using file = await open(field.cells);
  for (let i = 0; i < field.crops; i++) {
    const cell = new Uint16Array(values);
    await file.read(new Uint8Array(cell.buffer), 0, bytes, i * bytes);
    images.append(cell);
    await context.breathe();
  }
}
