import type { ConvertFieldsSpec } from "@cytomesh/contracts/jobs/v1/specs";
import { joinUri, type ObjectStore } from "@cytomesh/object-store";
import { z } from "zod";
import { ImagingError } from "../../errors.ts";
import { channelPattern } from "../../schemas/channel-pattern.ts";
import { findFiles, frozenFiles, frozenText, nameOf, ownPrefix, spread } from "./find-files.ts";
import { type NamedChannel, readNames, sharedStart, siblingName } from "./read-names.ts";

/** Where a field comes from, as plain data that crosses threads. */
export interface FieldSource {
  /** Of its file; of a field of several files that of the folder and the name that they share. */
  readonly uri: string;
  /** Files of one channel, or of one plane of one, each; undefined for one file with everything. */
  readonly channels?: readonly ChannelFiles[];
  /** Why its files are no field. */
  readonly problem?: { readonly tag: "ambiguous-field" | "incomplete-field"; readonly message: string };
}

/** The files of a channel. */
export interface ChannelFiles {
  readonly name: string;
  /** One file, or one for each plane of a stack, in their order. Not all are there, perhaps. */
  readonly uris: readonly string[];
}

/** The fields of a job, in a fixed order. */
export interface JobFields {
  readonly fields: readonly FieldSource[];
  /** Files that belong to no field: how many, and some of their names. */
  readonly leftOut: number;
  readonly leftOutNames: readonly string[];
}

/** What `inputs.txt` begins with, after `# `, where fields are joined of files. */
const headSchema = z.object({
  channels: z.array(z.string()),
  leftOut: z.number().int().nonnegative(),
  leftOutNames: z.array(z.string()),
});

const shownNames = 5;

/**
 * The fields of a conversion: its files, or with a channel pattern what they are channels of. `inputs.txt` keeps the files; a job that goes on
 * joins the same ones. A sample is of fields, and their channels are those of all that were found.
 *
 * @param maxChannels more make a pattern a mistake.
 * @param claim of the folder for the request.
 * @throws ImagingError `nothing-found`, `bad-listing`, `bad-options`, `output-conflict`, `damaged-output`.
 */
export async function frozenFields(
  store: ObjectStore,
  spec: Pick<ConvertFieldsSpec, "uris" | "listing" | "outputUri" | "channelPattern" | "channelNames">,
  maxChannels: number,
  claim: () => Promise<void>,
  signal: AbortSignal,
): Promise<JobFields> {
  const { outputUri } = spec;
  if (spec.channelPattern === "") {
    const uris = await frozenFiles(store, outputUri, spec, claim, signal);
    return { fields: uris.map((uri) => ({ uri })), leftOut: 0, leftOutNames: [] };
  }
  const pattern = channelPattern(spec.channelPattern);
  const make = async () => {
    const { listing } = spec;
    const wanted = { uris: spec.uris, listing: listing && { ...listing, sample: 0 } };
    const files = await findFiles(store, wanted, signal, ownPrefix(outputUri));
    const { groups, others } = await groupFiles(pattern, files, signal);
    if (groups.length === 0)
      throw new ImagingError(
        "nothing-found",
        `expected names of files that fit ${JSON.stringify(spec.channelPattern)}, found ${files.length} file(s) of others, as ${shown(others)}`,
      );
    const channels = channelOrder(groups, spec.channelNames, maxChannels);
    const skipped: string[] = [];
    for (const { members } of groups)
      for (const { uri, channel } of members) if (!channels.includes(channel)) skipped.push(uri);
    const head: z.infer<typeof headSchema> = {
      channels,
      leftOut: others.length + skipped.length,
      leftOutNames: [...others, ...skipped].slice(0, shownNames).map(nameOf),
    };
    const chosen = sampleOf(groups, spec.uris, listing?.sample ?? 0)
      .flatMap(({ members }) => members)
      .filter(({ channel }) => channels.includes(channel));
    return [`# ${JSON.stringify(head)}`, ...chosen.map(({ uri }) => uri), ""].join("\n");
  };
  const lines = (await frozenText(store, outputUri, claim, make, signal)).split("\n").filter(Boolean);
  const { channels, leftOut, leftOutNames } = headOf(lines[0] ?? "", outputUri);
  const { groups } = await groupFiles(pattern, lines.slice(1), signal);
  return { fields: groups.map((group) => fieldOf(group, channels, pattern)), leftOut, leftOutNames };
}

/**
 * The field that a file is a channel of, with the files beside it.
 *
 * @throws ImagingError `bad-options` for a name that the pattern does not fit; errors of the store.
 */
export async function fieldAround(
  store: ObjectStore,
  uri: string,
  givenPattern: string,
  maxChannels: number,
  signal: AbortSignal,
): Promise<FieldSource> {
  const pattern = channelPattern(givenPattern);
  const [own] = (await groupFiles(pattern, [uri], signal)).groups;
  if (own === undefined)
    throw new ImagingError(
      "bad-options",
      `${uri}: expected a name that fits ${JSON.stringify(givenPattern)}, found ${JSON.stringify(nameOf(uri))}`,
    );
  const folder = folderOf(uri);
  const files = [uri];
  // Only what can belong to it: a folder of a plate may hold a hundred thousand files.
  const start = sharedStart(pattern, nameOf(uri));
  const prefix = start === "" ? folder : joinUri(folder, start);
  for await (const { uri: other } of store.list(prefix, { signal }))
    if (folderOf(other) === folder && other !== uri) files.push(other);
  const { groups } = await groupFiles(pattern, files, signal);
  const group = groups.find((one) => one.uri === own.uri) as Group;
  return fieldOf(group, channelOrder([group], [], maxChannels), pattern);
}

interface Group {
  readonly uri: string;
  readonly members: (NamedChannel & { readonly uri: string })[];
}

/** Files by the field that their names tell, within a folder, in the order of their first ones. */
async function groupFiles(
  pattern: string,
  files: readonly string[],
  signal: AbortSignal,
): Promise<{ groups: Group[]; others: string[] }> {
  const names = await readNames(pattern, files.map(nameOf), signal);
  const groups = new Map<string, Group>();
  const others: string[] = [];
  for (const [i, uri] of files.entries()) {
    const named = names[i];
    if (named === undefined) {
      others.push(uri);
      continue;
    }
    const of = joinUri(folderOf(uri), named.field);
    const group = groups.get(of) ?? { uri: of, members: [] };
    group.members.push({ ...named, uri });
    groups.set(of, group);
  }
  return { groups: [...groups.values()], others };
}

function folderOf(uri: string): string {
  return uri.slice(0, uri.lastIndexOf("/") + 1);
}

const { compare } = new Intl.Collator("en", { numeric: true });

/**
 * The channels of the fields, in their order: those that are named, where names are those of files; else all, `w2` before `w10`.
 *
 * @throws ImagingError `bad-options`.
 */
function channelOrder(groups: readonly Group[], wanted: readonly string[], maxChannels: number): string[] {
  const found = new Set(groups.flatMap(({ members }) => members.map(({ channel }) => channel)));
  const natural = [...found].sort((a, b) => compare(a, b) || (a < b ? -1 : 1));
  const known = wanted.filter((name) => found.has(name));
  if (wanted.length > 0 && known.length === wanted.length) return [...wanted];
  if (known.length > 0)
    throw new ImagingError(
      "bad-options",
      `channel_names: expected channels of the files (${shown(natural)}), or other names for all of them, found both: ${shown(wanted)}`,
    );
  if (wanted.length > 0 && wanted.length !== natural.length)
    throw new ImagingError(
      "bad-options",
      `channel_names: expected a name for each of the ${natural.length} channels of the files (${shown(natural)}), found ${wanted.length}`,
    );
  if (natural.length > maxChannels)
    throw new ImagingError(
      "bad-options",
      `channel_pattern: expected at most ${maxChannels} channels, found ${natural.length}, as ${shown(natural)}; CYTOMESH_MAX_FIELD_CHANNELS sets the limit`,
    );
  return natural;
}

/** The fields of the files that are named, and so many of the others. */
function sampleOf(groups: readonly Group[], named: readonly string[], sample: number): readonly Group[] {
  if (sample === 0) return groups;
  const always = new Set(named);
  const isNamed = ({ members }: Group) => members.some(({ uri }) => always.has(uri));
  return [
    ...groups.filter(isNamed),
    ...spread(
      groups.filter((group) => !isNamed(group)),
      sample,
    ),
  ];
}

function fieldOf({ uri, members }: Group, channels: readonly string[], pattern: string): FieldSource {
  const files = new Map<string, string>();
  const written = new Map<number, string | undefined>();
  for (const { channel, z: text, uri: file } of members) {
    const depth = Number(text ?? 0);
    const key = `${depth}/${channel}`;
    const other = files.get(key);
    if (other !== undefined)
      return {
        uri,
        channels: [],
        problem: {
          tag: "ambiguous-field",
          message: `expected one file of the channel ${channel}${planeText(text)}, found ${other} and ${file}; make the channel_pattern tell them apart`,
        },
      };
    files.set(key, file);
    written.set(depth, text);
  }
  const depths = [...written.keys()].sort((a, b) => a - b);
  const [first, last] = [depths[0] as number, depths.at(-1) as number];
  if (last - first + 1 !== depths.length)
    return {
      uri,
      channels: [],
      problem: {
        tag: "incomplete-field",
        message: `expected files of the planes ${first} to ${last}, found those of ${depths.length} of ${last - first + 1}`,
      },
    };
  const example = members[0] as Group["members"][number];
  // What is not there is looked for when the field is opened: it may have come by then.
  const missing = (channel: string, depth: number) =>
    joinUri(folderOf(example.uri), siblingName(pattern, nameOf(example.uri), channel, written.get(depth)));
  return {
    uri,
    channels: channels.map((name) => ({
      name,
      uris: depths.map((depth) => files.get(`${depth}/${name}`) ?? missing(name, depth)),
    })),
  };
}

function planeText(z: string | undefined): string {
  return z === undefined ? "" : `, plane ${z}`;
}

function headOf(line: string, outputUri: string): z.infer<typeof headSchema> {
  try {
    return headSchema.parse(JSON.parse(line.replace(/^# /, "")));
  } catch (cause) {
    throw new ImagingError(
      "damaged-output",
      `${joinUri(outputUri, "inputs.txt")} is not what this service writes there; remove that folder`,
      { cause },
    );
  }
}

function shown(names: readonly string[]): string {
  const some = names.slice(0, shownNames).map(nameOf).join(", ");
  return names.length > shownNames ? `${some}, …` : some;
}
