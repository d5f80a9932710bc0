import { sha256Hex } from "@cytomesh/object-store";
import { ImagingError } from "../../errors.ts";
import type { Recipe } from "../../schemas/options.ts";
import type { FieldSource } from "../inputs/fields.ts";
import { nameOf } from "../inputs/find-files.ts";

/**
 * Name of a field in file names. The recipes keep the file's own name, as their consumers look for it; otherwise a hash of the URI follows,
 * as two folders may hold the same name.
 */
export function fieldNameOf({ uri, channels }: FieldSource, recipe: Recipe): string {
  const name = nameOf(uri);
  const stem = channels === undefined ? stemOf(name) : name;
  if (recipe === "opencell") return name.endsWith("_proj.tif") ? name.slice(0, -"_proj.tif".length) : stem;
  if (recipe === "allencell") return name.endsWith(".tif") ? name.slice(0, -".tif".length) : stem;
  const safe = stem
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[.-]+/, "")
    .slice(0, 80);
  return `${safe === "" ? "field" : safe}-${sha256Hex(uri).slice(0, 8)}`;
}

/** A file name without its extension: `.ome.tif`, `.ome.zarr`, `.tif.gz` and the like count as one. */
export function stemOf(name: string): string {
  return name.replace(/(\.ome)?\.[^.]*(\.gz)?$/i, "");
}

/** Name of a crop, without folder and extension. */
export function cropNameOf(field: string, label: number, recipe: Recipe): string {
  return recipe === "opencell" ? `${field}_crop_${label}` : `${field}_${label}`;
}

/**
 * The label image of a field.
 *
 * @param pattern with `{name}` (file name), `{stem}` (without extension and `_proj`) and `{dir}` (URI of the folder).
 * @param joined the field lies in several files: its name has no extension.
 */
export function labelsUriOf(pattern: string, uri: string, joined: boolean): string {
  const cut = uri.replace(/\/+$/, "").lastIndexOf("/");
  const name = uri.slice(cut + 1);
  const values: Record<string, string> = {
    dir: uri.slice(0, cut),
    name,
    stem: (joined ? name : stemOf(name)).replace(/_proj$/, ""),
  };
  return pattern.replace(/\{(dir|name|stem)\}/g, (_, key: string) => values[key] ?? "");
}

/** @throws ImagingError `name-collision` when crops of two fields would have the same names. */
export function checkFieldNames(fields: readonly FieldSource[], recipe: Recipe): void {
  const owners = new Map<string, string>();
  const clashes: string[] = [];
  for (const field of fields) {
    const { uri } = field;
    const name = fieldNameOf(field, recipe);
    const other = owners.get(name);
    if (other !== undefined) clashes.push(`${other} and ${uri}`);
    owners.set(name, uri);
  }
  if (clashes.length > 0)
    throw new ImagingError(
      "name-collision",
      `crops of ${clashes.length} field(s) would overwrite those of another: ${clashes.slice(0, 5).join(" | ")}; convert them into different folders`,
    );
}
