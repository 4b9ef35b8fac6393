import type { ClusterChecker } from "./checkers/cluster-checker.ts";
import type { Coverage } from "./coverage.ts";
import type { SimNetwork } from "./sim-network.ts";
import type { SimScheduler } from "./sim-scheduler.ts";
import type { Trace } from "./trace.ts";

/** What all nodes of a simulation share. */
export interface SimWorld {
  readonly scheduler: SimScheduler;
  readonly network: SimNetwork;
  readonly checker: ClusterChecker;
  readonly trace: Trace;
  readonly coverage: Coverage;
}
