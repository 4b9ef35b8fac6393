import type { LinkFault, NodeId, NodeStatus } from "@quorate/wire";
import type { QuorateClient } from "@quorate/wire/client";
import { RequestError } from "@quorate/wire/client";

/** A line that is cut in one direction: what `from` sends does not arrive at `to`. */
export interface LineCut {
  readonly from: NodeId;
  readonly to: NodeId;
}

/** Where a node is asked. */
export interface NodeAddress {
  readonly id: NodeId;
  readonly address: string;
}

/** Every line between nodes of different groups, both ways. */
export function cutsBetween(groups: readonly (readonly NodeId[])[]): LineCut[] {
  return groups.flatMap((group, at) =>
    groups
      .filter((_other, otherAt) => otherAt !== at)
      .flatMap((other) => group.flatMap((from) => other.map((to) => ({ from, to })))),
  );
}

/** What `senders` send to `receivers`, and nothing that comes the other way. */
export function cutsOneWay(senders: readonly NodeId[], receivers: readonly NodeId[]): LineCut[] {
  return senders.flatMap((from) => receivers.map((to) => ({ from, to })));
}

/** What node `id` is told, so that its ends of these lines are cut. */
export function rulesAt(id: NodeId, cuts: readonly LineCut[]): LinkFault[] {
  const cut = { dropRate: 1, delayMs: 0 } as const;
  return cuts.flatMap(({ from, to }): LinkFault[] => {
    if (from === id) return [{ peer: to, direction: "to", ...cut }];
    return to === id ? [{ peer: from, direction: "from", ...cut }] : [];
  });
}

/** What became of the request to one node; null: it obeyed. */
export interface CutOutcome extends NodeAddress {
  readonly error: RequestError | null;
}

/**
 * Makes these the only cuts, for `ttlMs`. Both ends of a line are told: it stays cut when one of
 * them does not answer now, or is started again.
 */
export function setCuts(
  client: QuorateClient,
  nodes: readonly NodeAddress[],
  cuts: readonly LineCut[],
  ttlMs: number,
): Promise<CutOutcome[]> {
  return Promise.all(
    nodes.map(async ({ id, address }) => {
      try {
        await client.setFaults(address, rulesAt(id, cuts), ttlMs);
        return { id, address, error: null };
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        return { id, address, error };
      }
    }),
  );
}

export function hasObeyed(outcomes: readonly CutOutcome[], id: NodeId): boolean {
  return outcomes.some((told) => told.id === id && told.error === null);
}

/** The lines of which neither end has obeyed: they carry as before. */
export function uncutLines(cuts: readonly LineCut[], outcomes: readonly CutOutcome[]): LineCut[] {
  return cuts.filter(({ from, to }) => !hasObeyed(outcomes, from) && !hasObeyed(outcomes, to));
}

/** The cuts that these nodes report, each once. */
export function cutsIn(statuses: readonly NodeStatus[]): LineCut[] {
  const found = new Map<string, LineCut>();
  for (const { nodeId, faults } of statuses) {
    for (const { peer, direction, dropRate } of faults) {
      if (dropRate < 1) continue;
      const [from, to] = direction === "to" ? [nodeId, peer] : [peer, nodeId];
      found.set(`${from} ${to}`, { from, to });
    }
  }
  return [...found.values()];
}

/** Nodes that hear each other, directly or through others, as groups: the largest first. */
export function sidesOf(ids: readonly NodeId[], cuts: readonly LineCut[]): NodeId[][] {
  const isCut = (a: NodeId, b: NodeId): boolean =>
    cuts.some(({ from, to }) => (from === a && to === b) || (from === b && to === a));
  const left = new Set(ids);
  const sides: NodeId[][] = [];
  for (const first of ids) {
    if (!left.delete(first)) continue;
    const side = [first];
    for (const member of side) {
      for (const other of left) {
        if (isCut(member, other)) continue;
        left.delete(other);
        side.push(other);
      }
    }
    sides.push(side.toSorted(byNumber));
  }
  return sides.toSorted((a, b) => b.length - a.length);
}

/** `{n1 n4} | {n2 n3 n5}`, or, where no side is whole, the cut lines: `n1-n2, n3→n4`. */
export function describeCuts(ids: readonly NodeId[], cuts: readonly LineCut[]): string {
  const sides = sidesOf(ids, cuts);
  const whole = cutsBetween(sides);
  const known = cuts.filter(({ from, to }) => ids.includes(from) && ids.includes(to));
  if (sides.length > 1 && whole.length === known.length) {
    const inOrder = sides.toSorted((a, b) => byNumber(a[0] ?? "", b[0] ?? ""));
    return inOrder.map((side) => `{${side.join(" ")}}`).join(" | ");
  }
  return describeLines(cuts);
}

function describeLines(cuts: readonly LineCut[]): string {
  const has = (from: NodeId, to: NodeId): boolean =>
    cuts.some((cut) => cut.from === from && cut.to === to);
  return cuts
    .filter(({ from, to }) => !has(to, from) || byNumber(from, to) < 0)
    .map(({ from, to }) => `${from}${has(to, from) ? "-" : "→"}${to}`)
    .toSorted(byNumber)
    .join(", ");
}

function byNumber(left: string, right: string): number {
  return left.localeCompare(right, "en", { numeric: true });
}
