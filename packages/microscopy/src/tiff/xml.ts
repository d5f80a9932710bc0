import { XMLParser } from "fast-xml-parser";
import { MicroscopyError } from "../errors.ts";
import type { ReadLimits } from "../types.ts";

/** An element: attributes by name, children in order, names without their namespace prefix. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  readonly text: string;
}

type Ordered = Record<string, unknown>;

/**
 * XML without entities of its own, bounded in size and depth.
 *
 * @throws MicroscopyError `too-large`, `invalid-metadata`.
 */
export function parseXml(xml: string, limits: ReadLimits, where: string): Element {
  if (xml.length > limits.maxXmlBytes)
    throw new MicroscopyError(
      "too-large",
      `${where}: XML of ${xml.length} characters, the limit is ${limits.maxXmlBytes}`,
    );
  if (/<!(DOCTYPE|ENTITY)/i.test(xml))
    throw new MicroscopyError(
      "invalid-metadata",
      `${where}: XML with a document type, which may define entities, is refused`,
    );
  checkNesting(xml, limits.maxXmlDepth, where);
  const parser = new XMLParser({
    preserveOrder: true,
    ignoreAttributes: false,
    attributeNamePrefix: "",
    removeNSPrefix: true,
    parseTagValue: false,
    parseAttributeValue: false,
    processEntities: false,
    ignoreDeclaration: true,
    ignorePiTags: true,
  });
  let parsed: Ordered[];
  try {
    parsed = parser.parse(xml) as Ordered[];
  } catch (error) {
    throw new MicroscopyError(
      "invalid-metadata",
      `${where}: XML is not well formed (${(error as Error).message})`,
      {
        cause: error,
      },
    );
  }
  const root = parsed.map(toElement).find((element) => element !== undefined);
  if (root === undefined) throw new MicroscopyError("invalid-metadata", `${where}: XML without an element`);
  return root;
}

/** Every opened element is closed, in order and not too deep: the parser forgives what is cut off. */
function checkNesting(xml: string, maxDepth: number, where: string): void {
  const open: string[] = [];
  const tags =
    /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>|<(\/?)([^\s/>!?][^\s/>]*)((?:"[^"]*"|'[^']*'|[^>"'])*?)(\/?)>/g;
  let end = 0;
  for (let match = tags.exec(xml); match !== null; match = tags.exec(xml)) {
    end = tags.lastIndex;
    const [, closing, name, , empty] = match;
    if (name === undefined || empty === "/") continue;
    if (closing === "/") {
      const opened = open.pop();
      if (opened !== name)
        throw new MicroscopyError(
          "invalid-metadata",
          `${where}: XML is not well formed: </${name}> closes <${opened ?? ""}>`,
        );
    } else {
      open.push(name);
      if (open.length > maxDepth)
        throw new MicroscopyError(
          "invalid-metadata",
          `${where}: XML nested deeper than ${maxDepth} elements`,
        );
    }
  }
  if (open.length > 0 || xml.indexOf("<", end) >= 0)
    throw new MicroscopyError(
      "invalid-metadata",
      `${where}: XML is not well formed: it ends inside of <${open.at(-1) ?? "?"}>`,
    );
}

function toElement(node: Ordered): Element | undefined {
  const name = Object.keys(node).find((key) => key !== ":@");
  if (name === undefined || name === "#text") return undefined;
  const attributes: Record<string, string> = {};
  for (const [key, value] of Object.entries((node[":@"] as Ordered | undefined) ?? {}))
    attributes[key] = unescapeXml(String(value));
  const inner = node[name] as Ordered[];
  const children: Element[] = [];
  let text = "";
  for (const child of inner) {
    const element = toElement(child);
    if (element !== undefined) children.push(element);
    else if (child["#text"] !== undefined) text += unescapeXml(String(child["#text"]));
  }
  return { name, attributes, children, text };
}

const named: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/** The five entities of XML and characters by number; nothing else is replaced. */
function unescapeXml(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(
    /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(lt|gt|amp|quot|apos));/gi,
    (whole, hex, decimal, name) => {
      if (name !== undefined) return named[String(name).toLowerCase()] ?? whole;
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}

/** For text in XML that is written. */
export function escapeXml(text: string): string {
  return text
    .replace(/[&<>"]/g, (c) => `&${c === "&" ? "amp" : c === "<" ? "lt" : c === ">" ? "gt" : "quot"};`)
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd");
}
