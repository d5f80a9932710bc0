import type { ServiceImpl } from "@connectrpc/connect";
import type { MeshService } from "@cytomesh/contracts/api/v1/mesh_service";
import type { MeshStatusSource } from "../services/mesh-status.ts";

/** MeshService: message in, domain, message out. */
export function createMeshServiceImpl(source: MeshStatusSource): ServiceImpl<typeof MeshService> {
  return {
    getMeshStatus: () => source.status(),
  };
}
