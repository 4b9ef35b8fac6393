import { closeSync, fstatSync, openSync, readdirSync, readSync, writeSync } from "node:fs";
import { basename, join } from "node:path";
import type { SeededRandom } from "@quorate/node/testing";
import { ChaosProblem } from "../patience.ts";
import type { ChaosNode } from "../chaos-node.ts";
import { endOfWhatIsTold } from "./wal-frames.ts";
import type { Fault, FaultContext, FaultOutcome } from "./fault.ts";
import { claiming, POSTPONED, spareNode } from "./fault.ts";

type Store = "database" | "write-ahead log" | "snapshot";

/** Flipped bits in the files of a minority: they must be noticed, and repaired from the others. */
export const CORRUPTIONS: readonly Fault[] = (
  ["database", "write-ahead log", "snapshot"] as const
).map((store) => ({
  kind: "corrupt",
  shape: store,
  impossible: () => null,
  run: (context) => corrupt(context, store),
}));

/** A stretch of a file in which any bit may flip. */
interface Stretch {
  readonly path: string;
  readonly from: number;
  readonly to: number;
}

async function corrupt(context: FaultContext, store: Store): Promise<FaultOutcome> {
  const { cluster, random } = context;
  const node = cluster.mayDamage ? spareNode(context) : null;
  if (node === null) return POSTPONED;
  return await claiming(context, [node], async () => {
    // Stopped in order, it leaves all that it has in the database: nothing in the log hides it.
    if (store === "database") await cluster.stop(node);
    else await node.end("SIGKILL");
    const stretch = stretchOf(node, store);
    if (stretch === null) {
      node.launch();
      await cluster.answers(node);
      return POSTPONED;
    }
    const logLength = node.logLength();
    cluster.noteDamaged(node);
    const bits = flipBits(stretch, random);
    context.onset([node.id], `${bits} bits flipped in ${basename(stretch.path)} of ${node.id}`);
    node.launch({ mayEnd: true });
    const end = await cluster.answersOrEnds(node);
    const noticed = node.complaintSince(logLength, /damage|checksum/iu);
    if (end !== null) {
      if (noticed === null) throw new ChaosProblem(`${node.id} ended by ${end} without a reason`);
      const newcomer = await replace(context, node);
      return { kind: "fired", effect: `refused to start: ${noticed}; ${newcomer} in its place` };
    }
    await cluster.repaired(node);
    return noticed === null
      ? { kind: "idle", why: "no flipped bit was in a page that is used" }
      : { kind: "fired", effect: `repaired from the others: ${noticed}` };
  });
}

/** What is to be done with a node that cannot be started any more: another takes its place. */
export async function replace({ cluster }: FaultContext, node: ChaosNode): Promise<string> {
  const newcomer = await cluster.launchJoining();
  const { id, address } = newcomer;
  await cluster.changeMembers(
    { kind: "replace", id: node.id, withId: id, address },
    (voters) => voters.includes(id) && !voters.includes(node.id),
  );
  await cluster.retire(node);
  cluster.release([newcomer]);
  return id;
}

function stretchOf(node: ChaosNode, store: Store): Stretch | null {
  const database = join(node.dataDirectory, "raft.db");
  switch (store) {
    case "database":
      return whole(database);
    case "write-ahead log": {
      // The last transaction of all cannot be told from one that a crash cut short.
      const path = `${database}-wal`;
      const to = endOfWhatIsTold(path);
      return to === null ? null : { path, from: 0, to };
    }
    case "snapshot": {
      const folder = join(node.dataDirectory, "snapshots");
      const newest = filesIn(folder)
        .filter((name) => name.endsWith(".snap"))
        .toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
        .at(-1);
      return newest === undefined ? null : whole(join(folder, newest));
    }
  }
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function whole(path: string): Stretch | null {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return null;
  }
  const { size } = fstatSync(file);
  closeSync(file);
  return size === 0 ? null : { path, from: 0, to: size };
}

const FLIPS_PER_BYTE = [1e-6, 1e-5, 1e-4, 1e-3] as const;

/** Flips bits here and there; at least one. */
function flipBits({ path, from, to }: Stretch, random: SeededRandom): number {
  const count = Math.max(1, Math.round((to - from) * random.pick(FLIPS_PER_BYTE)));
  const file = openSync(path, "r+");
  const byte = new Uint8Array(1);
  for (let flip = 0; flip < count; flip += 1) {
    const at = from + random.below(to - from);
    readSync(file, byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ (1 << random.below(8));
    writeSync(file, byte, 0, 1, at);
  }
  closeSync(file);
  return count;
}
