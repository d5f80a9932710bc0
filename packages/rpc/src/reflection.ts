import { type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import {
  ServerReflection as ReflectionV1,
  type ServerReflectionRequest,
} from "@cytomesh/contracts/grpc/reflection/v1/reflection";
import {
  type ServerReflectionRequest as AlphaRequest,
  ServerReflection as ReflectionV1Alpha,
} from "@cytomesh/contracts/grpc/reflection/v1alpha/reflection";
import { bindService, type ServiceBinding } from "./instrument.ts";

/** Server reflection v1 and v1alpha over the descriptors of the services served. */
export function createReflection(services: readonly DescService[]): ServiceBinding[] {
  const all = [...services, ReflectionV1, ReflectionV1Alpha];
  const index = indexFiles(all);
  const answer = (request: ServerReflectionRequest | AlphaRequest) => ({
    validHost: request.host,
    originalRequest: request,
    messageResponse: respond(index, request),
  });
  const v1: ServiceImpl<typeof ReflectionV1> = {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) yield answer(request) as never;
    },
  };
  const v1alpha: ServiceImpl<typeof ReflectionV1Alpha> = {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) yield answer(request) as never;
    },
  };
  return [bindService(ReflectionV1, v1), bindService(ReflectionV1Alpha, v1alpha)];
}

interface FileIndex {
  readonly services: string[];
  readonly byName: Map<string, DescFile>;
  readonly bySymbol: Map<string, DescFile>;
}

function indexFiles(services: readonly DescService[]): FileIndex {
  const byName = new Map<string, DescFile>();
  const bySymbol = new Map<string, DescFile>();
  const visit = (file: DescFile): void => {
    const name = file.proto.name;
    if (byName.has(name)) return;
    byName.set(name, file);
    for (const message of file.messages) addMessage(message, file);
    for (const one of file.enums) bySymbol.set(one.typeName, file);
    for (const service of file.services) {
      bySymbol.set(service.typeName, file);
      for (const method of service.methods) bySymbol.set(`${service.typeName}.${method.name}`, file);
    }
    for (const dependency of file.dependencies) visit(dependency);
  };
  const addMessage = (message: DescFile["messages"][number], file: DescFile): void => {
    bySymbol.set(message.typeName, file);
    for (const field of message.fields) bySymbol.set(`${message.typeName}.${field.name}`, file);
    for (const nested of message.nestedMessages) addMessage(nested, file);
    for (const nested of message.nestedEnums) bySymbol.set(nested.typeName, file);
  };
  for (const service of services) visit(service.file);
  return { services: [...new Set(services.map((service) => service.typeName))].sort(), byName, bySymbol };
}

/** The file and everything it imports, dependencies first, as clients expect. */
function descriptorsOf(file: DescFile): Uint8Array[] {
  const seen = new Set<string>();
  const out: Uint8Array[] = [];
  const visit = (one: DescFile): void => {
    if (seen.has(one.proto.name)) return;
    seen.add(one.proto.name);
    for (const dependency of one.dependencies) visit(dependency);
    out.push(toBinary(FileDescriptorProtoSchema, one.proto));
  };
  visit(file);
  return out.reverse();
}

function respond(index: FileIndex, request: ServerReflectionRequest | AlphaRequest) {
  const wanted = request.messageRequest;
  const file = (found: DescFile | undefined, what: string) =>
    found === undefined
      ? missing(what)
      : { case: "fileDescriptorResponse" as const, value: { fileDescriptorProto: descriptorsOf(found) } };
  switch (wanted.case) {
    case "listServices":
      return {
        case: "listServicesResponse" as const,
        value: { service: index.services.map((name) => ({ name })) },
      };
    case "fileByFilename":
      return file(index.byName.get(wanted.value), `file "${wanted.value}"`);
    case "fileContainingSymbol":
      return file(index.bySymbol.get(wanted.value), `symbol "${wanted.value}"`);
    default:
      return missing(`${wanted.case ?? "an empty request"} (proto3 has no extensions)`);
  }
}

function missing(what: string) {
  return {
    case: "errorResponse" as const,
    value: { errorCode: Code.NotFound as number, errorMessage: `not found: ${what}` },
  };
}
