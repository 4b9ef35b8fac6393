import type { ClusterChecker } from "./checkers/cluster-checker.ts";
import type { Coverage } from "./coverage.ts";
import type { SimNetwork } from "./sim-network.ts";
import type { SimScheduler } from "./sim-scheduler.ts";
import type { SimStreams } from "./sim-streams.ts";
import type { Trace } from "./trace.ts";

/** What all nodes of a simulation share. */
export interface SimWorld {
  readonly scheduler: SimScheduler;
  /** Of whole messages. */
  readonly network: SimNetwork;
  /** Of bytes, which are used instead; null: messages are. */
  readonly streams: SimStreams | null;
  readonly checker: ClusterChecker;
  readonly trace: Trace;
  readonly coverage: Coverage;
}
