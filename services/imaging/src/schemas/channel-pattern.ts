import { ImagingError } from "../errors.ts";

const guid = "[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}";

/** File names of one channel each that have a name of their own. */
const presets: Readonly<Record<string, string>> = {
  /** Human Protein Atlas: `ID_blue.png`, `ID_green.png`, `ID_red.png`, `ID_yellow.png`, also `.tif.gz`. */
  hpa: "(?<field>.+)_(?<channel>blue|green|red|yellow)\\.(?i:png|tiff?)(?:\\.gz)?",
  /** MetaMorph `name_w1DAPI_s1_t1.TIF`, ImageXpress `plate_A01_s1_w1<GUID>.tif`; every time point is a field, thumbnails are none. */
  metamorph: `(?<field>.+)_(?<channel>w\\d(?=${guid})|w\\d+[^_]*?)(?:${guid})?(?:_(?<site>s\\d+))?(?:_(?<time>t\\d+))?\\.(?i:tiff?|stk)`,
  /** Opera and Cell Painting: `r01c01f01p01-ch1sk1fk1fl1.tiff`; `p` is the plane of a stack, every time point (`sk`, `t`) a field. */
  opera:
    "(?<field>r\\d+c\\d+f\\d+)p(?<z>\\d+)-(?<channel>ch\\d+)(?<time>sk\\d+|t\\d+)(?:fk\\d+fl\\d+)?\\.(?i:tiff?)",
};

/** Characters of a pattern, at most. */
const maxPattern = 1_024;

/**
 * The regular expression of a pattern or of a preset.
 *
 * @throws ImagingError `bad-options`.
 */
export function channelPattern(text: string): string {
  const source = (Object.hasOwn(presets, text) ? presets[text] : undefined) ?? text;
  const bad = (why: string) =>
    new ImagingError(
      "bad-options",
      `channel_pattern ${JSON.stringify(text.slice(0, 200))}: expected ${Object.keys(presets).join(", ")} or a regular expression with the groups (?<field>…) and (?<channel>…), ${why}`,
    );
  if (source.length > maxPattern)
    throw bad(`of at most ${maxPattern} characters, found one of ${source.length}`);
  let groups: string[];
  try {
    // An alternative that fits anything tells the groups there are.
    groups = Object.keys(new RegExp(`${new RegExp(source, "u").source}|`, "u").exec("")?.groups ?? {});
  } catch (cause) {
    throw bad(`found ${(cause as Error).message}`);
  }
  if (!groups.includes("channel")) throw bad("found none of the name channel");
  if (!groups.some((name) => name !== "channel" && name !== "z"))
    throw bad("found no group that tells fields apart");
  return source;
}
