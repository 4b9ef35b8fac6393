import type { LocalActionResult, LocalActions } from "./local-actions.ts";
import type { ClusterView, NodeCondition, NodeRow } from "./select.ts";
import type { Fault, StatusMessage } from "./ui-state.ts";
import type { KeyAction } from "./keymap.ts";

/** Keys that act on one node's process. */
export type FaultAction = "kill" | "killLeader" | "startOrRestart" | "pauseOrResume";

/** What a key will do: at once, after a yes, or not at all and why. */
export type Plan =
  | { readonly kind: "run"; readonly fault: Fault }
  | { readonly kind: "ask"; readonly fault: Fault; readonly question: string }
  | { readonly kind: "refuse"; readonly why: string };

/** What may be changed from this dashboard at all. */
export interface Permissions {
  readonly readOnly: boolean;
  readonly hasLocalActions: boolean;
  readonly isFrozen: boolean;
}

/** Whether `action` acts on a node's process. */
export function isFaultAction(action: KeyAction): action is FaultAction {
  return ["kill", "killLeader", "startOrRestart", "pauseOrResume"].includes(action);
}

/** Why keys that change something are off, whatever is selected; null: they are on. */
export function changesRefused(permissions: Permissions): string | null {
  if (permissions.isFrozen) {
    return "the screen is frozen at an earlier moment; space goes on live";
  }
  return permissions.readOnly ? "this dashboard is read-only" : null;
}

/** Why a process key does nothing for `row`; null: it can act. */
export function faultRefused(
  action: FaultAction,
  row: NodeRow | null,
  permissions: Permissions,
): string | null {
  const refused = changesRefused(permissions);
  if (refused !== null) {
    return refused;
  }
  if (row === null) {
    return action === "killLeader" ? "there is no leader" : "no node is selected";
  }
  if (!permissions.hasLocalActions || row.local === null) {
    return `${row.id} was not started on this machine by quorate up`;
  }
  if (action === "startOrRestart") {
    return null;
  }
  return row.local.state === "stopped" ? `${row.id} is not running; r starts it` : null;
}

/** What `action` means for `row` now. */
export function planFault(
  action: FaultAction,
  row: NodeRow | null,
  view: ClusterView,
  permissions: Permissions,
): Plan {
  const why = faultRefused(action, row, permissions);
  const local = row?.local ?? null;
  if (why !== null || row === null || local === null) {
    return { kind: "refuse", why: why ?? "no node is selected" };
  }
  const nodeId = row.id;
  const { state } = local;
  switch (action) {
    case "kill":
    case "killLeader":
      return ask({ kind: "kill", nodeId }, `kill ${nodeId} with SIGKILL`, row, view);
    case "startOrRestart":
      return state === "stopped"
        ? { kind: "run", fault: { kind: "start", nodeId } }
        : ask({ kind: "restart", nodeId }, `restart ${nodeId}`, row, view);
    case "pauseOrResume":
      return { kind: "run", fault: { kind: state === "paused" ? "resume" : "pause", nodeId } };
  }
}

function ask(fault: Fault, what: string, row: NodeRow, view: ClusterView): Plan {
  const leads = row.condition === "leader" ? ", the leader" : "";
  return { kind: "ask", fault, question: `${what}${leads}? ${effectOfLosing(row, view)}` };
}

const VOTELESS: ReadonlySet<NodeCondition> = new Set(["learner", "staging", "retired"]);

/** What is left when `row` is gone: "leaves 2/3 up: no more loss is safe". */
export function effectOfLosing(row: NodeRow, view: ClusterView): string {
  const isVoter = !VOTELESS.has(row.condition) && !row.isStale;
  const up = view.up - (isVoter ? 1 : 0);
  const left = `leaves ${up}/${view.voters} up`;
  if (up < view.quorum) {
    return `${left}: no quorum, writes stop`;
  }
  const safe = up - view.quorum;
  if (safe === 0) {
    return `${left}: no more loss is safe`;
  }
  return `${left}: ${safe} more ${safe === 1 ? "loss is" : "losses are"} safe`;
}

/** Carries out `fault` and says what came of it. Never rejects. */
export async function runFault(fault: Fault, local: LocalActions): Promise<StatusMessage> {
  try {
    return describe(fault, await local[fault.kind](fault.nodeId));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { severity: "bad", text: `could not ${fault.kind} ${fault.nodeId}: ${why}` };
  }
}

function describe(fault: Fault, result: LocalActionResult): StatusMessage {
  const { kind, nodeId } = fault;
  if (result.kind === "refused") {
    const remedy = result.remedy === null ? "" : `; try: ${result.remedy}`;
    return { severity: "bad", text: `could not ${kind} ${nodeId}: ${result.why}${remedy}` };
  }
  const pid = result.pid === null ? "" : `pid ${result.pid}`;
  const facts = (more: string) => [pid, more].filter((fact) => fact !== "").join(", ");
  switch (kind) {
    case "kill":
      return good(`killed ${nodeId} (${facts("SIGKILL")}); r on ${nodeId} starts it again`);
    case "start":
      return good(`started ${nodeId} (${facts("")})`);
    case "restart":
      return good(`restarted ${nodeId} (${facts("")})`);
    case "pause":
      return good(`paused ${nodeId} (${facts("SIGSTOP")}); p on ${nodeId} resumes it`);
    case "resume":
      return good(`resumed ${nodeId} (${facts("SIGCONT")})`);
  }
}

function good(text: string): StatusMessage {
  return { severity: "good", text: text.replace(" ()", "") };
}

/** `key=value` as typed: the first "=" ends the key. */
export function parseAssignment(draft: string): { key: string; value: string } | null {
  const at = draft.indexOf("=");
  const key = draft.slice(0, at).trim();
  return at <= 0 || key === "" ? null : { key, value: draft.slice(at + 1) };
}
