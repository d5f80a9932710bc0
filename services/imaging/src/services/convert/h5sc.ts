import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { type AttributeInput, createH5, type H5Type, type H5Writer } from "@cytomesh/hdf5";
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

/**
 * Write a `.h5sc` file: AnnData without X whose `obsm/single_cell_images` (cells × (mask, channels) × side × side, float16, masks first, values
 * 0 … 1) and `uns/single_cell_images` are as scPortrait writes and reads them. One cell is in memory at a time.
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
      chunkRows: 1,
    });
    element(file, "/obsm/single_cell_images", "array", "0.2.0");
    for (const [name, value] of Object.entries(metadata(names, shape)))
      file.attribute("/obsm/single_cell_images", name, value);
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

function strings(values: readonly string[]): AttributeInput {
  return { shape: [values.length], type: text, values };
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
  const columns = ["cell_id", "label", ...numbers, ...texts];
  frame(file, "/obs", columns, cells);
  const values = (name: string) => rows.map((row) => row[name] ?? "");
  const numeric = (name: string, type: H5Type, data: BigUint64Array | BigInt64Array | Float64Array) => {
    file.dataset(`/obs/${name}`, { type, shape: [cells] }, data);
    element(file, `/obs/${name}`, "array", "0.2.0");
  };
  // scPortrait finds cells by an id that is unique in the file; labels begin anew in every field.
  numeric(
    "cell_id",
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

function metadata(names: readonly string[], o: Shape): Record<string, AttributeInput> {
  return {
    n_cells: o.n,
    n_channels: names.length,
    n_masks: o.masks,
    n_image_channels: o.channels,
    image_size: o.side,
    image_size_x: o.side,
    image_size_y: o.side,
    normalization: true,
    channel_names: strings(names),
    channel_mapping: strings(mapping(names)),
    compression: "gzip",
  };
}

function writeUns(file: H5Writer, names: readonly string[], shape: Shape): void {
  const group = "/uns/single_cell_images";
  file.group(group);
  element(file, group, "dict", "0.1.0");
  const bool: H5Type = {
    kind: "enum",
    base: { kind: "int", size: 1, signed: true },
    members: { FALSE: 0, TRUE: 1 },
  };
  for (const [name, value] of Object.entries(metadata(names, shape))) {
    const path = `${group}/${name}`;
    if (typeof value === "number")
      file.dataset(path, { type: int64, shape: [] }, BigInt64Array.of(BigInt(value)));
    else if (typeof value === "boolean")
      file.dataset(path, { type: bool, shape: [] }, Int8Array.of(value ? 1 : 0));
    else if (typeof value === "string") file.dataset(path, { type: text, shape: [] }, [value]);
    else column(file, path, value.values as readonly string[]);
    if (typeof value === "string") element(file, path, "string", "0.2.0");
    else if (typeof value === "number" || typeof value === "boolean")
      element(file, path, "numeric-scalar", "0.2.0");
  }
  for (const [name, value] of [
    ["normalization_range_lower", 0],
    ["normalization_range_upper", 1],
  ] as const) {
    file.dataset(`${group}/${name}`, { type: float64, shape: [] }, Float64Array.of(value));
    element(file, `${group}/${name}`, "numeric-scalar", "0.2.0");
  }
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
