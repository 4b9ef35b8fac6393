import type { Configuration, NodeId } from "@quorate/wire";
import type { RaftView } from "../raft/index.ts";
import type { EventDraft } from "./event-text.ts";
import { isRetired } from "./node-status.ts";

/** What became of the members between two steps, as `nodeId` sees it (Raft §6). */
export function memberEvents(nodeId: NodeId, before: RaftView, after: RaftView): EventDraft[] {
  const events: EventDraft[] = [];
  if (before.configurationIndex !== after.configurationIndex) {
    events.push(membersChanged(before, after), ...promotions(before, after));
  }
  if (isRetired(after, nodeId) && !isRetired(before, nodeId)) {
    events.push(retiredEvent(after.configurationIndex));
  }
  return events;
}

/** This node is a member no more, since the configuration of entry `index`, or later. */
export function retiredEvent(index: number): EventDraft {
  return {
    kind: "retired",
    severity: "warning",
    text: "was removed from the cluster for good: stop it, and delete its data",
    details: { index },
  };
}

function membersChanged(before: RaftView, after: RaftView): EventDraft {
  const { configuration, configurationIndex: index } = after;
  const isUndone = index < before.configurationIndex;
  const what = isUndone ? "went back to" : "took over";
  return {
    kind: "membersChanged",
    severity: isUndone ? "warning" : "info",
    text: `${what} the members of entry ${index}: ${memberText(configuration)}`,
    details: {
      index,
      previousIndex: before.configurationIndex,
      voters: configuration.voters.join(" "),
      votersOutgoing: configuration.votersOutgoing.join(" "),
      learners: configuration.learners.join(" "),
      staging: configuration.staging.join(" "),
    },
  };
}

function memberText({ voters, votersOutgoing, learners }: Configuration): string {
  const from = votersOutgoing.length === 0 ? "" : `${votersOutgoing.join(" ")} to `;
  const learning = learners.length === 0 ? "" : `, ${learners.join(" ")} without a vote`;
  return `${from}${voters.join(" ")}${learning}`;
}

function promotions(before: RaftView, after: RaftView): EventDraft[] {
  return after.configuration.voters
    .filter((id) => before.configuration.learners.includes(id))
    .map((id) => ({
      kind: "promoted",
      severity: "good",
      text: `counts ${id} among the voters: it has caught up`,
      details: { id, index: after.configurationIndex },
    }));
}
