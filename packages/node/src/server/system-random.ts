import { randomInt } from "node:crypto";
import type { Random } from "../ports/random.ts";

/** The machine's dice. */
export const systemRandom: Random = {
  below: (exclusiveMax) => randomInt(0, Math.min(exclusiveMax, RANDOM_INT_MAX)),
};

/** `randomInt` takes ranges below 2^48. */
const RANDOM_INT_MAX = 2 ** 48 - 1;
