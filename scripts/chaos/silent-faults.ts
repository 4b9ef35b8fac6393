import type { FaultRecord } from "./fault-log.ts";
import type { Fault } from "./faults/fault.ts";

type Named = Pick<Fault, "kind" | "shape">;

/** A shape may miss by chance; so many times in a row is no chance. */
const MISSES_MAX = 2;

/**
 * Faults that nothing was seen of, of those that are possible: all of a kind of which none took
 * effect, and shapes that were done three times or more, and never took effect. A shape whose turn
 * came less often says nothing yet.
 */
export function silentFaults<F extends Named>(
  possible: readonly F[],
  records: readonly Pick<FaultRecord, "fault" | "outcome">[],
): { readonly ofSilentKinds: readonly F[]; readonly shapes: readonly F[] } {
  const fired = records.filter(({ outcome }) => outcome.kind === "fired");
  const isSilentKind = ({ kind }: F): boolean => fired.every(({ fault }) => fault.kind !== kind);
  const shapes = possible.filter((one) => {
    const own = records.filter(({ fault }) => fault.kind === one.kind && fault.shape === one.shape);
    return own.length > MISSES_MAX && own.every(({ outcome }) => outcome.kind !== "fired");
  });
  return {
    ofSilentKinds: possible.filter(isSilentKind),
    shapes: shapes.filter((one) => !isSilentKind(one)),
  };
}
