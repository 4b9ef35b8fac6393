import type { NodeId } from "@quorate/wire";
import type { QuorateClient } from "@quorate/wire/client";

import type { ClusterWatch } from "../../cluster-watch.ts";
import type { NodeAddress } from "../../line-cuts.ts";
import type { LocalCluster } from "../../local-cluster/local-cluster.ts";
import type { Dice } from "../dice.ts";

/** The cluster that faults are done to. */
export interface FaultTarget {
  readonly nodes: readonly NodeAddress[];
  /** Null: its processes are elsewhere, out of reach of signals. */
  readonly cluster: LocalCluster | null;
  /** Whether every node takes faults of its lines. */
  readonly allowsCuts: boolean;
  readonly watch: ClusterWatch;
  readonly client: QuorateClient;
}

export interface FaultContext {
  readonly target: FaultTarget;
  readonly dice: Dice;
  /** Aborted when the run is to end at once. Healing goes on all the same. */
  readonly signal: AbortSignal;
}

/** What a fault did. One without proof did nothing that counts. */
export type FaultEvent = FaultHappened | FaultMissed;

interface FaultHappened {
  readonly kind: "happened";
  /** Which of its ways: `leader`, `ring`, … */
  readonly shape: string;
  readonly nodes: readonly NodeId[];
  /** For people: `killed n2, the leader`. */
  readonly text: string;
  /** What the system or the nodes themselves said afterwards. */
  readonly proof: string;
}

interface FaultMissed {
  readonly kind: "missed";
  readonly shape: string;
  /** Why it could not be done, or what is missing to the proof. */
  readonly why: string;
}

/** A kind of fault, and how it is undone. */
export interface FaultKind {
  readonly name: string;
  /** How long one lasts, in ms: drawn between these. */
  readonly holdMs: { readonly min: number; readonly max: number };
  /** True, or why it cannot be done to this cluster. */
  isPossible(target: FaultTarget): true | string;
  /** Does one, and waits until it shows. */
  inject(context: FaultContext): Promise<FaultEvent>;
  /** Undoes all that this kind has done and not undone yet; also after a failure half way. */
  heal(target: FaultTarget): Promise<void>;
}
