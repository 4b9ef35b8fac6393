/** Dice: defined beside the core, which may import nothing from outside its folder. */
export type { Random } from "../raft/index.ts";
