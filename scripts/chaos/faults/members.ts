import type { Fault, FaultContext, FaultOutcome } from "./fault.ts";
import { claiming, POSTPONED, spareLeader, spareNode } from "./fault.ts";
import { replace } from "./corrupt.ts";

const always = (): null => null;

/** Members come and go under load. Each node is a process of its own, with a name never used before. */
export const MEMBER_CHANGES: readonly Fault[] = [
  { kind: "members", shape: "add", impossible: always, run: add },
  { kind: "members", shape: "remove", impossible: always, run: remove },
  { kind: "members", shape: "replace", impossible: always, run: replaceOne },
];

async function add(context: FaultContext): Promise<FaultOutcome> {
  const { cluster } = context;
  if (cluster.nodes.length > cluster.size || cluster.isChanging) return POSTPONED;
  return await cluster.changing(async () => {
    const newcomer = await cluster.launchJoining();
    const { id, address } = newcomer;
    context.onset([id], `${id} is added`);
    const { members } = await cluster.changeMembers(
      { kind: "add", id, address, asLearner: false },
      (voters) => voters.includes(id),
    );
    cluster.release([newcomer]);
    return { kind: "fired", effect: `${id} votes: ${members.length} members` };
  });
}

async function remove(context: FaultContext): Promise<FaultOutcome> {
  const { cluster } = context;
  if (cluster.nodes.length <= Math.max(cluster.size - 1, 3) || cluster.isChanging) return POSTPONED;
  const leader = context.random.chance(0.5) ? await spareLeader(context) : null;
  const node = leader ?? spareNode(context);
  if (node === null) return POSTPONED;
  return await cluster.changing(() =>
    claiming(context, [node], async () => {
      context.onset([node.id], `${node.id} is removed`);
      const { members } = await cluster.changeMembers(
        { kind: "remove", id: node.id },
        (voters) => !voters.includes(node.id),
      );
      await cluster.retire(node);
      return { kind: "fired", effect: `${node.id} left: ${members.length} members` };
    }),
  );
}

async function replaceOne(context: FaultContext): Promise<FaultOutcome> {
  const { cluster } = context;
  const node = cluster.isChanging ? null : spareNode(context);
  if (node === null) return POSTPONED;
  return await cluster.changing(() =>
    claiming(context, [node], async () => {
      context.onset([node.id], `${node.id} is replaced`);
      const newcomer = await replace(context, node);
      return { kind: "fired", effect: `${newcomer} came for ${node.id}` };
    }),
  );
}
