import type { PixelType } from "../pixels.ts";
import { escapeXml } from "../tiff/xml.ts";
import type { ImageInput } from "./image-input.ts";

/** Names of OME's pixel types. */
const types: Readonly<Record<PixelType, string>> = {
  uint8: "uint8",
  int8: "int8",
  uint16: "uint16",
  int16: "int16",
  uint32: "uint32",
  int32: "int32",
  uint64: "uint64",
  int64: "int64",
  float32: "float",
  float64: "double",
};

/** OME-XML (schema 2016-06) of an image whose planes are the pages of its file in the order XYCZT. */
export function omeXmlOf(input: ImageInput): string {
  const { sizes, pixelType, pixelSizeUm: size, name, channels = [] } = input;
  const samples = sizes.samples ?? 1;
  const physical =
    size === undefined
      ? ""
      : (["x", "y", "z"] as const)
          .filter((axis) => size[axis] !== undefined)
          .map(
            (axis) =>
              ` PhysicalSize${axis.toUpperCase()}="${size[axis]}" PhysicalSize${axis.toUpperCase()}Unit="µm"`,
          )
          .join("");
  const described = Array.from({ length: sizes.c }, (_, c) => {
    const { name: label, color, excitationNm, emissionNm } = channels[c] ?? {};
    return (
      `<Channel ID="Channel:0:${c}" SamplesPerPixel="${samples}"` +
      (label === undefined ? "" : ` Name="${escapeXml(label)}"`) +
      (color === undefined ? "" : ` Color="${(Number.parseInt(color.slice(1), 16) << 8) | 0xff}"`) +
      (excitationNm === undefined
        ? ""
        : ` ExcitationWavelength="${excitationNm}" ExcitationWavelengthUnit="nm"`) +
      (emissionNm === undefined ? "" : ` EmissionWavelength="${emissionNm}" EmissionWavelengthUnit="nm"`) +
      "/>"
    );
  }).join("");
  return (
    `<?xml version="1.0" encoding="UTF-8"?>` +
    `<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ` +
    `xsi:schemaLocation="http://www.openmicroscopy.org/Schemas/OME/2016-06 http://www.openmicroscopy.org/Schemas/OME/2016-06/ome.xsd" ` +
    `Creator="Cytomesh"><Image ID="Image:0"${name === undefined ? "" : ` Name="${escapeXml(name)}"`}>` +
    `<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="${types[pixelType]}" ` +
    `SizeX="${sizes.x}" SizeY="${sizes.y}" SizeZ="${sizes.z}" SizeC="${sizes.c * samples}" SizeT="${sizes.t}" ` +
    `Interleaved="true" BigEndian="false"${physical}>${described}` +
    `<TiffData IFD="0" PlaneCount="${sizes.t * sizes.z * sizes.c}"/></Pixels></Image></OME>`
  );
}
