import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "@quorate/node/testing";

function throws(random: SeededRandom, count: number): number[] {
  return Array.from({ length: count }, () => random.below(1000));
}

test("SeededRandom: equal origins give equal throws, others do not", () => {
  assert.deepEqual(throws(new SeededRandom("a"), 50), throws(new SeededRandom("a"), 50));
  assert.notDeepEqual(throws(new SeededRandom("a"), 50), throws(new SeededRandom("b"), 50));
});

test("SeededRandom: a fork does not depend on how often its parent was thrown", () => {
  const [thrown, fresh] = [new SeededRandom("a"), new SeededRandom("a")];
  throws(thrown, 7);
  assert.deepEqual(throws(thrown.fork("disk"), 50), throws(fresh.fork("disk"), 50));
  assert.notDeepEqual(throws(fresh.fork("disk"), 50), throws(fresh.fork("net"), 50));
});

test("SeededRandom: below is even and stays in its range, up to 2^48", () => {
  const random = new SeededRandom("even");
  const counts = Array.from({ length: 6 }, () => 0);
  for (let thrown = 0; thrown < 60_000; thrown++) {
    const side = random.below(6);
    counts[side] = (counts[side] ?? 0) + 1;
  }
  for (const count of counts) assert.ok(count > 9_500 && count < 10_500, counts.join(" "));
  for (let thrown = 0; thrown < 1000; thrown++) {
    const large = random.below(2 ** 48);
    assert.ok(Number.isSafeInteger(large) && large >= 0 && large < 2 ** 48);
  }
  assert.equal(random.below(1), 0);
});

test("SeededRandom: chance, between, exponential, pick and shuffle keep their promises", () => {
  const random = new SeededRandom("promises");
  let hits = 0;
  let sum = 0;
  for (let thrown = 0; thrown < 20_000; thrown++) {
    if (random.chance(0.1)) hits++;
    const value = random.between(-3, 3);
    assert.ok(value >= -3 && value <= 3);
    sum += random.exponential(1000);
  }
  assert.ok(hits > 1_800 && hits < 2_200, `${hits} hits`);
  assert.ok(sum / 20_000 > 950 && sum / 20_000 < 1050, `mean ${sum / 20_000}`);
  assert.equal(random.chance(0), false);
  assert.equal(random.chance(1), true);
  assert.ok(["a", "b"].includes(random.pick(["a", "b"])));
  assert.deepEqual(random.shuffle(["a", "b", "c", "d"]).toSorted(), ["a", "b", "c", "d"]);
  assert.throws(() => random.below(0), /dice with 0 sides/u);
});
