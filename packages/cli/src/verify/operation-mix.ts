import type { QuorateClient } from "@quorate/wire/client";

import type { Dice } from "./dice.ts";
import type { KeySpace } from "./key-space.ts";
import { CHAIN_LENGTH_MAX } from "./key-space.ts";
import type { OperationOutcome, OperationRunner, ReadResult } from "./operation-runner.ts";

/** What one client chooses its next operation by. */
export interface Choice {
  readonly dice: Dice;
  readonly keys: KeySpace;
  readonly client: QuorateClient;
}

type Doing = (runner: OperationRunner, choice: Choice) => Promise<OperationOutcome[]>;

/** What is done, and how often in a hundred times. */
const MIX: readonly (readonly [number, Doing])[] = [
  [40, read],
  [30, write],
  [6, remove],
  [10, writeOnCondition],
  [7, increment],
  [7, append],
];

/** The part of the reads that asks one node by name: followers serve fresh reads as well. */
const PINNED_PART = 0.6;

/** The part of the conditional writes whose revision is a stale or made-up one. */
const WRONG_PART = 0.2;

/** Does the next thing, of one or two operations; returns what came of each. */
export async function doOneOf(
  runner: OperationRunner,
  choice: Choice,
): Promise<OperationOutcome[]> {
  let left = choice.dice.below(100);
  for (const [share, doing] of MIX) {
    if (left < share) return await doing(runner, choice);
    left -= share;
  }
  return [];
}

function getFrom(
  runner: OperationRunner,
  { dice, client }: Choice,
  key: string,
): Promise<ReadResult> {
  const endpoint = dice.chance(PINNED_PART) ? dice.pick(client.endpoints) : undefined;
  return runner.get(key, endpoint === undefined ? {} : { endpoint });
}

async function read(runner: OperationRunner, choice: Choice): Promise<OperationOutcome[]> {
  const { outcome } = await getFrom(runner, choice, choice.keys.register(choice.dice));
  return [outcome];
}

async function write(runner: OperationRunner, { dice, keys }: Choice): Promise<OperationOutcome[]> {
  return [await runner.put(keys.register(dice), runner.newValue(), null)];
}

async function remove(
  runner: OperationRunner,
  { dice, keys }: Choice,
): Promise<OperationOutcome[]> {
  return [await runner.delete(keys.register(dice), null)];
}

async function writeOnCondition(
  runner: OperationRunner,
  choice: Choice,
): Promise<OperationOutcome[]> {
  const { dice, keys } = choice;
  const key = keys.register(dice);
  const { outcome, found } = await getFrom(runner, choice, key);
  if (outcome !== "ok") return [outcome];
  const known = found?.modRevision ?? 0;
  const revision = dice.chance(WRONG_PART) ? Math.max(0, known - 1 - dice.below(3)) : known;
  const isDelete = dice.chance(0.2);
  const second = isDelete
    ? await runner.delete(key, revision)
    : await runner.put(key, runner.newValue(), revision);
  return [outcome, second];
}

/** A counter: `7:` and what makes it unique. Every success is one more. */
async function increment(runner: OperationRunner, choice: Choice): Promise<OperationOutcome[]> {
  const key = choice.keys.counter(choice.dice);
  const { outcome, found } = await getFrom(runner, choice, key);
  if (outcome !== "ok") return [outcome];
  const count = found === null ? 0 : Number.parseInt(textOf(found.value), 10);
  const value = runner.newValue(`${count + 1}:`);
  return [outcome, await runner.put(key, value, found?.modRevision ?? 0)];
}

/** A list that only grows: each value has the whole list, so that a lost append shows for good. */
async function append(runner: OperationRunner, choice: Choice): Promise<OperationOutcome[]> {
  const key = choice.keys.chain(choice.dice);
  const { outcome, found } = await getFrom(runner, choice, key);
  if (outcome !== "ok") return [outcome];
  const chain = found === null ? [] : textOf(found.value).split(",");
  if (chain.length >= CHAIN_LENGTH_MAX) {
    choice.keys.chainIsFull(key);
    return [outcome];
  }
  const value = [...chain, runner.newValue()].join(",");
  return [outcome, await runner.put(key, value, found?.modRevision ?? 0)];
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
