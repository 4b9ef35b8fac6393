import type { EventSeverity, NodeId } from "@quorate/wire";
import type { Mode } from "./keymap.ts";
import type { ClusterState } from "./store.ts";

/** A signal or a start that a key asked for. */
export interface Fault {
  readonly kind: "kill" | "start" | "restart" | "pause" | "resume";
  readonly nodeId: NodeId;
}

/** The line above the footer: what was asked, and what came of it. */
export interface StatusMessage {
  readonly severity: EventSeverity;
  readonly text: string;
}

/** What the keyboard has done to the screen. */
export interface UiState {
  readonly mode: Mode;
  /** Null: the first row. */
  readonly selectedId: NodeId | null;
  /** What the screen stands still at, while it is frozen. */
  readonly frozen: { readonly atMs: number; readonly cluster: ClusterState } | null;
  /** What waits for a yes, in mode `confirm`. */
  readonly asked: { readonly fault: Fault; readonly question: string } | null;
  /** What was typed, in mode `write`. */
  readonly draft: string;
  readonly message: StatusMessage | null;
}

export const INITIAL_UI: UiState = {
  mode: "browse",
  selectedId: null,
  frozen: null,
  asked: null,
  draft: "",
  message: null,
};
