import type { ServicePeer } from "../clients/peers.ts";

/** One service, as the mesh status lists it. */
export interface ServiceStatus {
  readonly name: string;
  readonly address: string;
  readonly serving: boolean;
  readonly reason: string;
}

/** Where the status of the mesh comes from. */
export interface MeshStatusSource {
  status(): Promise<{ version: string; services: ServiceStatus[]; eventBus: string }>;
}

/** Ask every configured service for its health; those that do not answer are reported, never an error. */
export function createMeshStatus(options: {
  version: string;
  eventBus: string;
  /** Address and state of the api itself. */
  self: () => ServiceStatus;
  peers: readonly ServicePeer[];
}): MeshStatusSource {
  return {
    async status() {
      const services = await Promise.all(
        options.peers.map(async (peer): Promise<ServiceStatus> => {
          const reason = await peer.notServing();
          return {
            name: peer.name,
            address: peer.address,
            serving: reason === undefined,
            reason: reason ?? "",
          };
        }),
      );
      return {
        version: options.version,
        eventBus: options.eventBus,
        services: [options.self(), ...services],
      };
    },
  };
}
