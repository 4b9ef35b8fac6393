/** Fuzzes beside the command, so that an input that never ends can be seen and ended. */
import { parentPort, workerData } from "node:worker_threads";
import { countAllocations } from "./allocations.ts";
import type { TargetFigures } from "./fuzzer.ts";
import type { Finding } from "./target.ts";

/** What a thread is asked to do. */
export interface FuzzJob {
  readonly seed: string;
  /** Names, or null: all targets. */
  readonly targets: readonly string[] | null;
  /** Try only this input, or null. */
  readonly input: Uint8Array | null;
  /** Where the targets are made. */
  readonly targetsModule: string;
  /** What it tries at the moment: u32 place of the target in the names,
   *  u32 length, u32 how many there were, bytes. */
  readonly current: SharedArrayBuffer;
}

/** What a thread tells. */
export type FuzzReport =
  | { readonly kind: "targets"; readonly names: readonly string[] }
  | { readonly kind: "finding"; readonly finding: Finding }
  | { readonly kind: "figures"; readonly figures: Readonly<Record<string, TargetFigures>> }
  | { readonly kind: "tried"; readonly broke: boolean };

/** So long a target has its turn. */
const SLICE_MS = 40;

const { seed, targets: wanted, input, targetsModule, current } = workerData as FuzzJob;
const header = new Uint32Array(current, 0, 3);
const bytes = new Uint8Array(current, header.byteLength);

function tell(report: FuzzReport): void {
  parentPort?.postMessage(report);
}

async function fuzz(): Promise<void> {
  countAllocations();
  const [{ Fuzzer }, { makeTargets }] = await Promise.all([
    import("./fuzzer.ts"),
    import(targetsModule) as Promise<typeof import("./targets/index.ts")>,
  ]);
  const all = await makeTargets();
  const names = all.map(({ name }) => name);
  tell({ kind: "targets", names });
  const note = (name: string, tried: Uint8Array): void => {
    header[0] = names.indexOf(name);
    header[1] = tried.length;
    header[2] = (header[2] ?? 0) + 1;
    bytes.set(tried.subarray(0, bytes.length));
  };
  const chosen = all.filter(({ name }) => wanted === null || wanted.includes(name));
  const fuzzers = chosen.map((target) => new Fuzzer(target, seed, note));
  if (input !== null) {
    for (const fuzzer of fuzzers) {
      const finding = await fuzzer.tryOne(input);
      if (finding !== null) tell({ kind: "finding", finding });
      tell({ kind: "tried", broke: finding !== null });
    }
    return;
  }
  for (;;) {
    for (const fuzzer of fuzzers) {
      if (fuzzer.isExhausted) continue;
      const finding = await fuzzer.run(SLICE_MS);
      if (finding !== null) tell({ kind: "finding", finding });
    }
    const figures = fuzzers.map(({ target, figures: own }) => [target.name, own] as const);
    tell({ kind: "figures", figures: Object.fromEntries(figures) });
    if (fuzzers.every(({ isExhausted }) => isExhausted)) return;
  }
}

await fuzz();
