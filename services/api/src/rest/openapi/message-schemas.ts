import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";

/** A JSON Schema (2020-12), as OpenAPI 3.1 uses it. */
export type Schema = { readonly [key: string]: unknown };

const wellKnown: Readonly<Record<string, Schema>> = {
  "google.protobuf.Timestamp": { type: "string", format: "date-time" },
  "google.protobuf.Struct": { type: "object", additionalProperties: true },
};

const longs = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
  ScalarType.SINT64,
]);

function scalarSchema(type: ScalarType): Schema {
  if (type === ScalarType.STRING) return { type: "string" };
  if (type === ScalarType.BOOL) return { type: "boolean" };
  if (type === ScalarType.BYTES) return { type: "string", contentEncoding: "base64" };
  if (type === ScalarType.DOUBLE || type === ScalarType.FLOAT) return { type: "number" };
  return longs.has(type)
    ? { type: "string", description: "A 64-bit whole number as text." }
    : { type: "integer" };
}

/**
 * Schemas of messages in protobuf JSON, made from their descriptors, so that they say what is really sent.
 *
 * @returns a reference to the schema of a message; its own and those it needs are added to `components`
 */
export function createMessageSchemas(components: Record<string, Schema>) {
  const reference = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
  const enumSchema = (desc: DescEnum): Schema => {
    components[desc.typeName] ??= { type: "string", enum: desc.values.map(({ name }) => name) };
    return reference(desc.typeName);
  };
  const valueSchema = (field: DescField): Schema => {
    if (field.fieldKind === "enum" || (field.fieldKind === "list" && field.listKind === "enum"))
      return enumSchema(field.enum);
    if (field.fieldKind === "message" || (field.fieldKind === "list" && field.listKind === "message"))
      return messageSchema(field.message);
    if (field.fieldKind === "map") {
      const inner =
        field.mapKind === "scalar"
          ? scalarSchema(field.scalar)
          : field.mapKind === "enum"
            ? enumSchema(field.enum)
            : messageSchema(field.message);
      return { type: "object", additionalProperties: inner };
    }
    return scalarSchema(field.scalar as ScalarType);
  };
  const messageSchema = (desc: DescMessage): Schema => {
    const known = wellKnown[desc.typeName];
    if (known !== undefined) return known;
    if (components[desc.typeName] === undefined) {
      const properties: Record<string, Schema> = {};
      // Named before its fields are looked at: a message may hold itself.
      components[desc.typeName] = { type: "object", properties };
      for (const field of desc.fields) {
        const inner = valueSchema(field);
        properties[field.jsonName] = field.fieldKind === "list" ? { type: "array", items: inner } : inner;
      }
    }
    return reference(desc.typeName);
  };
  return messageSchema;
}
