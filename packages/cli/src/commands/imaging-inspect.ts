import { toJson } from "@bufbuild/protobuf";
import { InspectFieldResponseSchema } from "@cytomesh/contracts/imaging/v1/imaging_service";
import { toUri } from "@cytomesh/object-store";
import { withMesh } from "../client.ts";
import { defineCommand, meshOptions } from "../command.ts";
import { CliError } from "../errors.ts";
import { printable, table } from "../terminal/text.ts";
import { channelPatternOption } from "./imaging-files.ts";

/** `cytomesh imaging inspect` */
export const inspect = defineCommand({
  name: "imaging inspect",
  usage: "imaging inspect FILE",
  positionals: 1,
  options: { ...meshOptions, "channel-pattern": channelPatternOption },
  async run({ options, positionals }) {
    const [file] = positionals;
    if (file === undefined) throw new CliError("usage", "missing: FILE");
    await withMesh(options.api, async (mesh) => {
      const report = await mesh.imaging.inspectField(
        { uri: toUri(file), channelPattern: options["channel-pattern"] ?? "" },
        { timeoutMs: 300_000 },
      );
      if (options.json) {
        process.stdout.write(`${JSON.stringify(toJson(InspectFieldResponseSchema, report))}\n`);
        return;
      }
      const um = (value: number) => (value === 0 ? "?" : `${Number(value.toPrecision(6))}`);
      const rows = report.series.map((one, i) => [
        `${i}${one.name === "" ? "" : ` ${printable(one.name)}`}`,
        `${one.width} × ${one.height}`,
        `${one.sizeC}`,
        `${one.sizeZ}`,
        `${one.sizeT}`,
        one.axes,
        one.pixelType,
        one.umPerPxX === 0 && one.umPerPxY === 0
          ? ""
          : `${um(one.umPerPxX)} × ${um(one.umPerPxY)}${one.umPerPxZ === 0 ? "" : ` × ${um(one.umPerPxZ)}`}`,
        one.channelNames.map(printable).join(", "),
        one.levels.length > 1 ? one.levels.map((level) => `${level.width} × ${level.height}`).join(", ") : "",
      ]);
      const header = ["series", "pixels", "c", "z", "t", "axes", "type", "µm", "channels", "levels"];
      process.stdout.write(`${report.format}\n${table(header, rows)}\n`);
    });
  },
});
