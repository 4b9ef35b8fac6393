import type { Dice } from "../dice.ts";

/** Items in a random order, all of them before any of them again. */
export class Rotation<Item> {
  readonly #items: readonly Item[];
  #rest: Item[] = [];

  constructor(items: readonly Item[]) {
    this.#items = items;
  }

  /** @throws RangeError where there are none. */
  next(dice: Dice): Item {
    if (this.#rest.length === 0) this.#rest = dice.shuffle(this.#items);
    const [item] = this.#rest.splice(0, 1);
    if (item === undefined) throw new RangeError("a rotation of nothing");
    return item;
  }

  /** It could not be had now: it comes again in this round. */
  putBack(item: Item): void {
    this.#rest.push(item);
  }
}
