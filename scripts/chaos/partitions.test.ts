import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "@quorate/node/testing";
import type { Link } from "./partitions.ts";
import { PARTITION_SHAPES, partitionOf } from "./partitions.ts";

const IDS = ["n1", "n2", "n3", "n4", "n5"];

/** Whom each node still hears and is heard by, itself included. */
function seenBy(id: string, ids: readonly string[], links: readonly Link[]): string[] {
  const isCut = (from: string, to: string): boolean =>
    links.some((link) => link.from === from && link.to === to);
  return ids.filter((other) => other === id || (!isCut(id, other) && !isCut(other, id)));
}

function eachSeed(check: (random: SeededRandom) => void): void {
  for (let seed = 0; seed < 50; seed += 1) check(new SeededRandom(`partitions/${seed}`));
}

test("partition: every shape cuts something, and nobody from itself", () => {
  for (const shape of PARTITION_SHAPES) {
    for (const ids of [IDS, IDS.slice(0, 3)]) {
      eachSeed((random) => {
        const { links } = partitionOf(shape, ids, "n1", random);
        assert.ok(links.length > 0, `${shape} of ${ids.length}`);
        assert.ok(links.every(({ from, to }) => from !== to));
        assert.equal(new Set(links.map(({ from, to }) => `${from} ${to}`)).size, links.length);
      });
    }
  }
});

test("partition: halves leave one majority, and a leader alone sees nobody", () => {
  eachSeed((random) => {
    const { links } = partitionOf("halves", IDS, null, random);
    const sizes = IDS.map((id) => seenBy(id, IDS, links).length).toSorted((a, b) => a - b);
    assert.deepEqual(sizes, [2, 2, 3, 3, 3]);
  });
  const { links } = partitionOf("leader", IDS, "n4", new SeededRandom("leader"));
  assert.deepEqual(seenBy("n4", IDS, links), ["n4"]);
});

test("partition: in a ring of five, and at a bridge, everybody on it sees a majority", () => {
  eachSeed((random) => {
    const ring = partitionOf("ring", IDS, null, random);
    for (const id of IDS) assert.equal(seenBy(id, IDS, ring.links).length, 3);
    const bridge = partitionOf("bridge", IDS, null, random);
    const sizes = IDS.map((id) => seenBy(id, IDS, bridge.links).length).toSorted((a, b) => a - b);
    assert.deepEqual(sizes, [3, 3, 3, 3, 5]);
  });
});

test("partition: one way, what one side sends is lost and what it is sent arrives", () => {
  eachSeed((random) => {
    const { links } = partitionOf("one-way", IDS, "n2", random);
    assert.equal(links.length, 4);
    const isBack = ({ from, to }: Link): boolean =>
      links.some((link) => link.from === to && link.to === from);
    assert.ok(!links.some(isBack));
  });
});
