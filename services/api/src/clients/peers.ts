import type { DescService } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { ExtractService } from "@cytomesh/contracts/extract/v1/extract_service";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "@cytomesh/contracts/grpc/health/v1/health";
import { ImagingService } from "@cytomesh/contracts/imaging/v1/imaging_service";
import { InferenceService } from "@cytomesh/contracts/inference/v1/inference_service";
import { IngestService } from "@cytomesh/contracts/ingest/v1/ingest_service";
import { TrainingService } from "@cytomesh/contracts/training/v1/training_service";
import { AnalysisService } from "@cytomesh/contracts/worker/v1/analysis_service";
import { type Channel, openChannel } from "@cytomesh/rpc";

/** Another service of the mesh, as the api reaches it. */
export interface ServicePeer {
  readonly name: PeerName;
  readonly address: string;
  readonly service: DescService;
  readonly channel: Channel;
  /** Undefined when it serves; otherwise why not. */
  notServing(): Promise<string | undefined>;
}

const services = {
  ingest: IngestService,
  extract: ExtractService,
  training: TrainingService,
  inference: InferenceService,
  imaging: ImagingService,
  worker: AnalysisService,
} as const;

/** Name of a service behind the api. */
export type PeerName = keyof typeof services;

/** Channels to the services whose addresses are configured. */
export function openPeers(targets: Readonly<Partial<Record<PeerName, string>>>): ServicePeer[] {
  return (Object.keys(services) as PeerName[]).flatMap((name) => {
    const address = targets[name];
    return address === undefined || address === "" ? [] : [openPeer(name, address)];
  });
}

/** A status page must not wait for a service that hangs. */
const healthTimeoutMs = 1_500;

function openPeer(name: PeerName, address: string): ServicePeer {
  const channel = openChannel(address);
  const probe = openChannel(address, { maxAttempts: 1 });
  const health = probe.client(Health);
  return {
    name,
    address,
    service: services[name],
    channel: {
      ...channel,
      close() {
        probe.close();
        channel.close();
      },
    },
    async notServing() {
      try {
        const { status } = await health.check({}, { timeoutMs: healthTimeoutMs });
        return status === Status.SERVING ? undefined : "not serving";
      } catch (error) {
        return ConnectError.from(error).rawMessage;
      }
    },
  };
}
