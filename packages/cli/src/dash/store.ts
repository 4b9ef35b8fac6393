import type { NodeEvent, NodeId, NodeStatus } from "@quorate/wire";
import {
  appendNodeEvent,
  appendNote,
  type FeedLine,
  type FeedNote,
  insertPastEvents,
} from "./event-feed.ts";
import { lossText, lostEvents, returnText } from "./link-wording.ts";
import type { LocalNode } from "./local-actions.ts";
import type { LinkProblem, LinkVerdict, NodeLink } from "./node-link.ts";
import { addSample, type TrafficSample } from "./traffic.ts";
import { vitalsOf, type Vitals } from "./vitals.ts";

/** A live link without any message for this long is silent: three missed ticks of 500 ms. */
const SILENT_AFTER_MS = 1_500;

/** A cluster without a leader says so in the feed after this long. */
const NO_LEADER_NOTE_MS = 1_000;

/** Everything that the dashboard knows of the cluster. Times are milliseconds of one clock. */
export interface ClusterState {
  readonly links: ReadonlyMap<string, NodeLink>;
  readonly local: readonly LocalNode[];
  readonly feed: readonly FeedLine[];
  readonly samples: readonly TrafficSample[];
  readonly vitals: Vitals;
  /** When a leader was last seen; the start until then. */
  readonly leaderSeenMs: number;
  readonly noLeaderNoted: boolean;
  /** Whether there was a quorum when the feed last said so; null before the first verdict. */
  readonly quorumNoted: boolean | null;
}

/** What one link reported. */
export type LinkReport =
  | { readonly kind: "state"; readonly status: NodeStatus }
  | { readonly kind: "delta"; readonly changed: Partial<NodeStatus> }
  /** `arePast`: they happened before this dashboard listened to the process. */
  | { readonly kind: "events"; readonly events: readonly NodeEvent[]; readonly arePast: boolean }
  | { readonly kind: "tick" }
  | { readonly kind: "gap"; readonly lost: number }
  | { readonly kind: "ended"; readonly problem: LinkProblem; readonly retryAtMs: number };

/** Everything that can change a {@link ClusterState}. */
export type DashInput =
  | { readonly kind: "watch"; readonly address: string; readonly nodeId: NodeId | null }
  | { readonly kind: "forget"; readonly address: string }
  | { readonly kind: "link"; readonly address: string; readonly report: LinkReport }
  | { readonly kind: "local"; readonly nodes: readonly LocalNode[] }
  | { readonly kind: "note"; readonly note: FeedNote }
  | { readonly kind: "clock" };

/** A cluster of which nothing is known yet. */
export function emptyCluster(atMs: number): ClusterState {
  return {
    links: new Map(),
    local: [],
    feed: [],
    samples: [],
    vitals: vitalsOf(new Map()),
    leaderSeenMs: atMs,
    noLeaderNoted: false,
    quorumNoted: null,
  };
}

/** The state after `input` at `atMs`. Pure: same arguments, same result. */
export function reduce(state: ClusterState, input: DashInput, atMs: number): ClusterState {
  return noteVitals(applyInput(state, input, atMs), atMs);
}

function applyInput(state: ClusterState, input: DashInput, atMs: number): ClusterState {
  switch (input.kind) {
    case "watch":
      return watch(state, input.address, input.nodeId, atMs);
    case "forget": {
      const links = new Map(state.links);
      links.delete(input.address);
      return { ...state, links };
    }
    case "link": {
      const link = state.links.get(input.address);
      return link === undefined ? state : applyReport(state, link, input.report, atMs);
    }
    case "local":
      return { ...state, local: input.nodes };
    case "note":
      return note(state, atMs, input.note);
    case "clock":
      return advanceClock(state, atMs);
  }
}

function watch(
  state: ClusterState,
  address: string,
  nodeId: NodeId | null,
  atMs: number,
): ClusterState {
  const known = state.links.get(address);
  if (known !== undefined) {
    const renamed = known.nodeId === null && nodeId !== null;
    return renamed ? withLink(state, { ...known, nodeId }) : state;
  }
  return withLink(state, {
    address,
    nodeId,
    status: null,
    verdict: "connecting",
    sinceMs: atMs,
    problem: null,
    lastHeardMs: null,
    retryAtMs: null,
    lostAtMs: null,
    lastSequence: 0,
  });
}

function applyReport(
  state: ClusterState,
  link: NodeLink,
  report: LinkReport,
  atMs: number,
): ClusterState {
  switch (report.kind) {
    case "ended":
      return endLink(state, link, report, atMs);
    case "state":
      return applyStatus(state, link, report.status, atMs);
    case "delta":
      return link.status === null
        ? state
        : applyStatus(state, link, { ...link.status, ...report.changed }, atMs);
    case "events":
      return applyEvents(state, link, report, atMs);
    case "tick":
      return hear(state, link, {}, atMs);
    case "gap":
      return note(state, atMs, {
        subject: link.nodeId,
        severity: "warning",
        text: lostEvents(report.lost),
      });
    default:
      return state;
  }
}

/** The link after a sign of life; a status makes it live, and so does any word after silence. */
function hear(
  state: ClusterState,
  before: NodeLink,
  changes: Partial<NodeLink>,
  atMs: number,
): ClusterState {
  const heard: NodeLink = { ...before, ...changes, lastHeardMs: atMs, problem: null };
  const streams = before.verdict === "live" || before.verdict === "silent";
  if (heard.status === null || !(streams || changes.status !== undefined)) {
    return withLink(state, heard);
  }
  const sinceMs = before.verdict === "live" ? before.sinceMs : atMs;
  const next: NodeLink = { ...heard, verdict: "live", sinceMs, retryAtMs: null, lostAtMs: null };
  const updated = withLink(state, next);
  const restarted = before.status !== null && before.status.bootId !== next.status?.bootId;
  if (before.lostAtMs === null || !(restarted || isBadNews(before.verdict))) {
    return updated;
  }
  const text = returnText(updated.links, next, { lostAtMs: before.lostAtMs, restarted, atMs });
  return note(updated, atMs, { subject: next.nodeId, severity: "good", text });
}

function applyStatus(
  state: ClusterState,
  link: NodeLink,
  status: NodeStatus,
  atMs: number,
): ClusterState {
  const sameProcess = link.status?.bootId === status.bootId;
  const lastSequence = sameProcess ? link.lastSequence : 0;
  return hear(state, link, { nodeId: status.nodeId, status, lastSequence }, atMs);
}

function endLink(
  state: ClusterState,
  link: NodeLink,
  { problem, retryAtMs }: { readonly problem: LinkProblem; readonly retryAtMs: number },
  atMs: number,
): ClusterState {
  // A cut connection says nothing yet: the next attempt tells a dead process from a broken line.
  const keeps = problem.verdict === "connecting" && isBadNews(link.verdict);
  const verdict = keeps ? link.verdict : problem.verdict;
  const changed = verdict !== link.verdict;
  const lostAtMs = link.lostAtMs ?? link.lastHeardMs ?? atMs;
  const next: NodeLink = {
    ...link,
    verdict,
    sinceMs: changed ? atMs : link.sinceMs,
    problem: problem.text,
    retryAtMs,
    lostAtMs: link.status === null ? null : lostAtMs,
  };
  const updated = withLink(state, next);
  return changed && link.nodeId !== null && isBadNews(verdict)
    ? note(updated, atMs, lossNote(updated, next, atMs))
    : updated;
}

function isBadNews(verdict: LinkVerdict): boolean {
  return verdict !== "live" && verdict !== "connecting";
}

function lossNote(state: ClusterState, link: NodeLink, atMs: number): FeedNote {
  const severity = link.verdict === "silent" ? "warning" : "bad";
  return { subject: link.nodeId, severity, text: lossText(state.links, link, atMs) };
}

function applyEvents(
  state: ClusterState,
  link: NodeLink,
  { events, arePast }: { readonly events: readonly NodeEvent[]; readonly arePast: boolean },
  atMs: number,
): ClusterState {
  const subject = link.nodeId ?? link.address;
  const unseen = events.filter(({ sequence }) => sequence > link.lastSequence);
  const feed = arePast
    ? insertPastEvents(state.feed, subject, unseen, atMs)
    : unseen.reduce((lines, event) => appendNodeEvent(lines, subject, event, atMs), state.feed);
  const lastSequence = unseen.at(-1)?.sequence ?? link.lastSequence;
  return hear({ ...state, feed }, link, { lastSequence }, atMs);
}

function advanceClock(state: ClusterState, atMs: number): ClusterState {
  let next = state;
  for (const link of state.links.values()) {
    const heardMs = link.lastHeardMs ?? link.sinceMs;
    if (link.verdict === "live" && atMs - heardMs >= SILENT_AFTER_MS) {
      const silent: NodeLink = { ...link, verdict: "silent", sinceMs: atMs, lostAtMs: heardMs };
      next = withLink(next, silent);
      next = note(next, atMs, lossNote(next, silent, atMs));
    }
  }
  return { ...next, samples: addSample(next.samples, next.links.values(), atMs) };
}

/** Says what no node can say: that there is no leader, or no quorum, and when they are back. */
function noteVitals(changed: ClusterState, atMs: number): ClusterState {
  const vitals = vitalsOf(changed.links);
  const next = noteQuorum({ ...changed, vitals }, atMs);
  if (vitals.leaderId !== null || !vitals.known) {
    return { ...next, leaderSeenMs: atMs, noLeaderNoted: false };
  }
  const leaderlessMs = atMs - next.leaderSeenMs;
  if (leaderlessMs < NO_LEADER_NOTE_MS || next.noLeaderNoted || !vitals.hasQuorum) {
    return next;
  }
  const text = `no leader for ${(leaderlessMs / 1000).toFixed(1)} s; writes are waiting`;
  const noted = note(next, atMs, { subject: null, severity: "warning", text });
  return { ...noted, noLeaderNoted: true };
}

function noteQuorum(state: ClusterState, atMs: number): ClusterState {
  const { vitals, quorumNoted } = state;
  // While an answer is out, losses are only guessed; the next verdict decides.
  if (!vitals.known || vitals.undecided > 0 || vitals.hasQuorum === quorumNoted) {
    return state;
  }
  const next = { ...state, quorumNoted: vitals.hasQuorum };
  if (quorumNoted === null && vitals.hasQuorum) {
    return next;
  }
  const counts = `${vitals.votersUp} of ${vitals.voters} answer, ${vitals.quorum} needed`;
  return note(next, atMs, {
    subject: null,
    severity: vitals.hasQuorum ? "good" : "bad",
    text: vitals.hasQuorum ? `quorum is back: ${counts}` : `quorum lost: ${counts}`,
  });
}

function note(state: ClusterState, atMs: number, line: FeedNote): ClusterState {
  return { ...state, feed: appendNote(state.feed, line, atMs) };
}

function withLink(state: ClusterState, link: NodeLink): ClusterState {
  const links = new Map(state.links);
  links.set(link.address, link);
  return { ...state, links };
}
