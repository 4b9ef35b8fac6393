/** The first seeds run twice: equal seeds must give equal histories. */
export const TWICE = 3;
/** As many different seeds must not all give the same. */
export const DIFFERENT = 3;
/** What breaks when some kind of event never happened in all of the seeds. */
export const NOT_VACUOUS = "every kind of fault happened";

/** What a campaign came to. */
export interface CampaignVerdict {
  /** What was broken first; null: nothing. */
  readonly by: string | null;
  /** With which seed; 0: before the first. */
  readonly seed: number;
  readonly message: string;
  readonly seeds: number;
}

/** The seeds that must show nothing of it without the break: mostly the one that did. */
export function controlSeeds(by: string, seed: number): readonly [number, number] {
  const isOfAll = by === NOT_VACUOUS || seed <= Math.max(TWICE, DIFFERENT);
  return [isOfAll ? 1 : seed, seed];
}
