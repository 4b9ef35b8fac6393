import type { NodeId } from "@quorate/wire";

/** What the operating system says of a node's process: `paused` is SIGSTOP. */
export type LocalProcessState = "running" | "paused" | "stopped";

/** A node whose process this machine started and may signal. */
export interface LocalNode {
  readonly id: NodeId;
  /** `host:port` of its listener, kept while it is stopped. */
  readonly address: string;
  readonly state: LocalProcessState;
  /** Null while it is stopped. */
  readonly pid: number | null;
}

/** How a signal or a start went: a refusal says what is wrong and what repairs it. */
export type LocalActionResult =
  | { readonly kind: "done"; readonly pid: number | null }
  | { readonly kind: "refused"; readonly why: string; readonly remedy: string | null };

/**
 * Faults and repairs of nodes that run on this machine, for the dashboard's keys. Every call
 * checks the process anew (process id and its start time) before it signals: a recycled process
 * id is never touched. A node that was not started here is absent from {@link list}.
 */
export interface LocalActions {
  /** The nodes of this cluster that were started here, running or not. */
  list(): Promise<readonly LocalNode[]>;
  /** SIGKILL; resolves when the process is gone. */
  kill(id: NodeId): Promise<LocalActionResult>;
  /** Starts a stopped node with its old data and ports; resolves when it listens. */
  start(id: NodeId): Promise<LocalActionResult>;
  /** Stops the node (SIGTERM, later SIGKILL) and starts it again. */
  restart(id: NodeId): Promise<LocalActionResult>;
  /** SIGSTOP: the process keeps its connections and answers nothing. */
  pause(id: NodeId): Promise<LocalActionResult>;
  /** SIGCONT. */
  resume(id: NodeId): Promise<LocalActionResult>;
}
