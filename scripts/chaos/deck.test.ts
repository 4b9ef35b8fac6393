import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "@quorate/node/testing";
import { Deck } from "./deck.ts";

const CARDS = ["a", "b", "c", "d", "e"];

function draws(seed: string, count: number): string[] {
  const deck = new Deck(CARDS, new SeededRandom(seed));
  return Array.from({ length: count }, () => deck.draw());
}

test("deck: all cards come before any of them comes again", () => {
  const drawn = draws("one", 15);
  for (let from = 0; from < 15; from += 5) {
    assert.deepEqual(drawn.slice(from, from + 5).toSorted(), CARDS);
  }
});

test("deck: equal seeds give equal orders, others give others", () => {
  assert.deepEqual(draws("one", 20), draws("one", 20));
  assert.notDeepEqual(draws("one", 20), draws("another", 20));
});

test("deck: a card that could not be played comes again in the same round", () => {
  const deck = new Deck(CARDS, new SeededRandom("back"));
  const first = deck.draw();
  deck.putBack(first);
  const rest = Array.from({ length: 5 }, () => deck.draw());
  assert.equal(rest.at(-1), first);
  assert.deepEqual(rest.toSorted(), CARDS);
});

test("deck: cards that can never be played do not keep the others from coming again", () => {
  const deck = new Deck(CARDS, new SeededRandom("never"));
  const played: string[] = [];
  for (let draw = 0; draw < 40; draw += 1) {
    const card = deck.draw();
    if (card === "a" || card === "b") deck.putBack(card);
    else played.push(card);
  }
  for (const card of ["c", "d", "e"]) {
    assert.ok(played.filter((one) => one === card).length >= 5, `${card}: ${played.join(" ")}`);
  }
});
