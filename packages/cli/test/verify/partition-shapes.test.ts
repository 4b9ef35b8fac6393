import assert from "node:assert/strict";
import { test } from "node:test";

import type { LineCut } from "../../src/line-cuts.ts";
import { sidesOf } from "../../src/line-cuts.ts";
import { Dice } from "../../src/verify/dice.ts";
import type { PartitionShape } from "../../src/verify/faults/partition-shapes.ts";
import { PARTITION_SHAPES, partitionOf } from "../../src/verify/faults/partition-shapes.ts";

function idsOf(size: number): string[] {
  return Array.from({ length: size }, (_unused, at) => `n${at + 1}`);
}

/** Every partition that a shape makes of so many nodes, over many throws. */
function partitions(shape: PartitionShape, size: number): { leader: string; cuts: LineCut[] }[] {
  const ids = idsOf(size);
  return Array.from({ length: 60 }, (_unused, at) => {
    const dice = new Dice(`${shape}/${size}/${at}`);
    const leader = dice.pick(ids) ?? "n1";
    return { leader, cuts: partitionOf(shape, { leader, ids, dice }) ?? [] };
  });
}

/** Nodes that a node reaches both ways, itself among them. */
function reach(id: string, size: number, cuts: readonly LineCut[]): string[] {
  return idsOf(size).filter(
    (other) =>
      !cuts.some(
        ({ from, to }) => [from, to].includes(id) && [from, to].includes(other) && id !== other,
      ),
  );
}

test("partitions: each cuts a line of the leader, and none to a node itself", () => {
  for (const shape of PARTITION_SHAPES) {
    for (const size of [4, 5, 7]) {
      for (const { leader, cuts } of partitions(shape, size)) {
        assert.ok(
          cuts.some(({ from, to }) => from === leader || to === leader),
          `${shape} ${size}`,
        );
        assert.ok(cuts.every(({ from, to }) => from !== to));
      }
    }
  }
});

test("partitions: of halves one side has a majority of an odd number of nodes, and both have nodes", () => {
  for (const size of [2, 3, 4, 5, 6, 7]) {
    for (const { cuts } of partitions("halves", size)) {
      const [larger, smaller, ...more] = sidesOf(idsOf(size), cuts);
      assert.ok(larger !== undefined && smaller !== undefined && more.length === 0);
      assert.ok(larger.length - smaller.length <= 2, `${larger.length} | ${smaller.length}`);
      if (size % 2 === 1) assert.ok(larger.length > size / 2);
    }
  }
});

test("partitions: the node of a bridge reaches all, and the two sides reach each other through it alone", () => {
  for (const size of [3, 5, 7]) {
    for (const { leader, cuts } of partitions("bridge", size)) {
      const all = idsOf(size);
      const bridges = all.filter((id) => reach(id, size, cuts).length === size);
      assert.equal(bridges.length, 1);
      assert.notEqual(bridges[0], leader);
      const without = all.filter((id) => id !== bridges[0]);
      assert.equal(sidesOf(without, cuts).length, 2);
    }
  }
});

test("partitions: in a ring of five every node has a majority, and no two the same", () => {
  for (const { cuts } of partitions("ring", 5)) {
    const majorities = idsOf(5).map((id) => reach(id, 5, cuts).join(" "));
    assert.ok(majorities.every((text) => text.split(" ").length === 3));
    assert.equal(new Set(majorities).size, 5);
  }
  assert.ok(partitions("ring", 3).every(({ cuts }) => cuts.length === 0));
});

test("partitions: one way, the leader is not heard or does not hear, and never both", () => {
  let unheard = 0;
  for (const { leader, cuts } of partitions("oneWay", 5)) {
    const sends = cuts.every(({ from }) => from === leader);
    assert.ok(sends || cuts.every(({ to }) => to === leader));
    if (sends) unheard += 1;
  }
  assert.ok(unheard > 10 && unheard < 50, String(unheard));
});
