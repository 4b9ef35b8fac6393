import { configurationOf, encodeConfiguration } from "@quorate/wire";
import { SeededRandom } from "@quorate/node/testing";
import { isDeepStrictEqual } from "node:util";
import { crc32 } from "node:zlib";
import { decodeCommand, encodeCommand } from "../../../packages/node/src/kv/command-codec.ts";
import type { DecodedCommand } from "../../../packages/node/src/kv/kv-command.ts";
import { KvStateMachine } from "../../../packages/node/src/kv/kv-state-machine.ts";
import { KvSnapshotError } from "../../../packages/node/src/kv/snapshot-error.ts";
import { joined, replaced } from "../mutations.ts";
import type { Mutation, Target } from "../target.ts";
import { hold } from "../target.ts";

const KEYS = ["a", "b", "key"].map((text) => new TextEncoder().encode(text));
const MANY_REVISIONS = Number.MAX_SAFE_INTEGER;

function sampleCommands(): Uint8Array[] {
  const [key = new Uint8Array(1)] = KEYS;
  const value = new Uint8Array(30).fill(7);
  const session = { sessionId: 1, serial: 1, ackedBelow: 1 };
  const envelope = { clusterTimeMs: 1_000_000, session: null };
  return [
    encodeCommand({ kind: "openSession", ttlMs: 60_000 }, envelope),
    encodeCommand({ kind: "put", key, value }, envelope),
    encodeCommand({ kind: "put", key, value }, { ...envelope, session }),
    encodeCommand({ kind: "delete", key, ifRevision: 1 }, { ...envelope, session }),
    encodeCommand({ kind: "put", key, value, ifRevision: MANY_REVISIONS }, envelope),
    encodeCommand({ kind: "keepSession", sessionId: 1 }, envelope),
    encodeCommand({ kind: "closeSession", sessionId: 1 }, envelope),
    // version 1, of a log from before there were sessions
    Uint8Array.of(1, 1, 0, 1, 97, 98),
    Uint8Array.of(1, 2, 0, 1, 97),
  ];
}

/** Commands of the log: an entry that is none changes nothing; every server does the same. */
export function commandsTarget(): Target {
  const witness = new KvStateMachine();
  let index = applyFirst(witness);
  return {
    name: "commands",
    seeds: sampleCommands(),
    mutations: [],
    limitMs: 200,
    check: (input) => {
      const command = decodeCommand(input);
      if (command.kind !== "invalid") return `ok ${checkCommand(command, input)}`;
      const before = witness.stateHash();
      const result = witness.apply({ index: ++index, term: 1, kind: "command", data: input });
      hold(result.kind === "invalid", () => `what is no command is ${result.kind}`);
      hold(witness.stateHash() === before, () => "what is no command changes the state");
      return `refused ${command.reason.replaceAll(/\d+/gu, "#")}`;
    },
  };
}

function checkCommand(
  command: Exclude<DecodedCommand, { kind: "invalid" }>,
  data: Uint8Array,
): string {
  const machines = [new KvStateMachine(), new KvStateMachine()];
  const results = machines.map((machine) => {
    const index = applyFirst(machine) + 1;
    return machine.apply({ index, term: 1, kind: "command", data: data.slice() });
  });
  const [hash, otherHash] = machines.map((machine) => machine.stateHash());
  hold(isDeepStrictEqual(results[0], results[1]), () => "two servers answer differently");
  hold(hash === otherHash, () => "two servers have different states");
  const { session, clusterTimeMs } = command;
  const again = decodeCommand(encodeCommand(command, { session, clusterTimeMs }));
  hold(isDeepStrictEqual(again, command), () => `${command.kind} is another after a trip`);
  const isConditional = "ifRevision" in command && command.ifRevision !== null;
  return `${command.kind} ${session === null} ${isConditional} ${results[0]?.kind}`;
}

/** Then there are a session and a key; tells the last index. */
function applyFirst(machine: KvStateMachine): number {
  const first = sampleCommands().slice(0, 2);
  for (const [offset, data] of first.entries()) {
    machine.apply({ index: offset + 1, term: 1, kind: "command", data });
  }
  return first.length;
}

/** The bytes of a state, in pieces of `pieceBytes`. */
function snapshotOf(machine: KvStateMachine, pieceBytes: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  const snapshot = machine.snapshot();
  for (;;) {
    const piece = snapshot.read(pieceBytes);
    if (piece === null) break;
    pieces.push(piece.slice());
  }
  snapshot.release();
  return joined(pieces);
}

function sampleSnapshots(): Uint8Array[] {
  const empty = new KvStateMachine();
  const full = new KvStateMachine();
  let index = 1;
  const apply = (data: Uint8Array): void => {
    full.apply({ index: index++, term: 1, kind: "command", data });
  };
  for (const command of sampleCommands().slice(0, 4)) apply(command);
  for (const key of KEYS) {
    apply(encodeCommand({ kind: "put", key, value: new Uint8Array(50).fill(index) }));
  }
  return [snapshotOf(empty, 100), snapshotOf(full, 60), snapshotOf(full, 10_000)];
}

/** Snapshots of the store, in any pieces: whole and sound, or refused and the state as before. */
export function snapshotsTarget(): Target {
  return {
    name: "snapshots",
    seeds: sampleSnapshots(),
    mutations: [mendBlocks, mendBlocks, changeInBlock, changeInBlock],
    limitMs: 300,
    check: (input) => {
      const dice = new SeededRandom(`pieces of ${crc32(input)}`);
      const whole = restored(input, () => input.length);
      const pieces = restored(input, () => 1 + dice.exponential(50));
      hold(whole.error === pieces.error, () => `in pieces: ${pieces.error}, whole: ${whole.error}`);
      if (whole.error !== null) {
        hold(whole.machine.keyCount === 0, () => "a refused snapshot changed the state");
        return `refused ${whole.error.replaceAll(/\d+/gu, "#")}`;
      }
      hold(whole.machine.stateHash() === pieces.machine.stateHash(), () => "pieces change it");
      const again = restored(snapshotOf(whole.machine, 70), () => 33);
      hold(
        again.error === null && again.machine.stateHash() === whole.machine.stateHash(),
        () => `the snapshot of what was restored is refused: ${again.error}`,
      );
      const { keyCount, sessionCount } = whole.machine;
      return `ok ${keyCount} keys, ${sessionCount} sessions`;
    },
  };
}

function restored(
  input: Uint8Array,
  size: () => number,
): { readonly machine: KvStateMachine; readonly error: string | null } {
  const machine = new KvStateMachine();
  const restorer = machine.restore();
  try {
    for (let at = 0; at < input.length;) {
      const piece = input.slice(at, at + Math.max(1, size()));
      restorer.write(piece);
      piece.fill(0xee);
      at += piece.length;
    }
    restorer.finish();
    return { machine, error: null };
  } catch (error) {
    if (!(error instanceof KvSnapshotError)) throw error;
    return { machine, error: `${error.code}: ${error.message}` };
  }
}

const PREAMBLE_BYTES = 8;
const BLOCK_HEAD_BYTES = 8;

/** Makes every block's length and checksum right again. */
const mendBlocks: Mutation = (input) => {
  const blocks = blocksOf(input);
  for (const block of blocks.slice(1)) {
    if (block.length < BLOCK_HEAD_BYTES) continue;
    const view = new DataView(block.buffer);
    view.setUint32(0, block.length - BLOCK_HEAD_BYTES);
    view.setUint32(4, crc32(block.subarray(BLOCK_HEAD_BYTES)));
  }
  return joined(blocks);
};

/** Another byte, a few more or less in a block whose checksum is right. */
const changeInBlock: Mutation = (input, dice, other) => {
  const blocks = blocksOf(input);
  const at = dice.below(blocks.length);
  const block = blocks[at] ?? input;
  if (block.length > BLOCK_HEAD_BYTES) {
    const place = dice.between(BLOCK_HEAD_BYTES, block.length - 1);
    const removed = dice.below(Math.min(3, block.length - place));
    const from = dice.below(other.length + 1);
    const piece = dice.chance(0.5)
      ? other.slice(from, from + dice.below(40))
      : Uint8Array.of(dice.below(256));
    blocks[at] = replaced(block, { at: place, removed, piece });
  }
  return mendBlocks(joined(blocks), dice, other);
};

/** The preamble, then copies of the blocks, as far as their lengths can be believed. */
function blocksOf(input: Uint8Array): Uint8Array[] {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const blocks = [input.slice(0, PREAMBLE_BYTES)];
  for (let at = PREAMBLE_BYTES; at < input.length;) {
    const size = at + 4 <= input.length ? view.getUint32(at) : 0;
    const end = Math.min(input.length, at + BLOCK_HEAD_BYTES + Math.min(size, 2 ** 20));
    blocks.push(input.slice(at, end));
    at = end;
  }
  return blocks;
}

/** Members of all kinds, encoded. */
export function sampleConfigurations(): Uint8Array[] {
  const address = (id: string): { id: string; address: string } => ({ id, address: `${id}:7001` });
  return [
    configurationOf({ voters: ["n1", "n2", "n3"] }),
    configurationOf({
      voters: ["n1", "n2"],
      votersOutgoing: ["n1", "n3"],
      learners: ["n4", "n5"],
      staging: ["n4"],
      addresses: ["n1", "n2", "n3", "n4"].map(address),
      retired: ["n9"],
    }),
    configurationOf({ voters: [] }),
  ].map((configuration) => encodeConfiguration(configuration));
}
