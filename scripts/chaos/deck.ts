import type { SeededRandom } from "@quorate/node/testing";

/** Cards drawn in a random order, all of them before any of them again. */
export class Deck<Card> {
  readonly #cards: readonly Card[];
  readonly #random: SeededRandom;
  readonly #putBack = new Set<Card>();
  #rest: Card[] = [];

  /** @param cards at least one. */
  constructor(cards: readonly Card[], random: SeededRandom) {
    this.#cards = cards;
    this.#random = random;
  }

  draw(): Card {
    if (this.#rest.length === 0) {
      this.#rest = this.#random.shuffle(this.#cards);
      this.#putBack.clear();
    }
    const [card] = this.#rest.splice(0, 1);
    if (card === undefined) throw new RangeError("a deck without cards");
    return card;
  }

  /**
   * For a card that could not be played: it comes again at the end of this round. Twice in a round
   * it is passed over: one that can never be played must not keep the others from coming again.
   */
  putBack(card: Card): void {
    if (this.#putBack.has(card)) return;
    this.#putBack.add(card);
    this.#rest.push(card);
  }
}
