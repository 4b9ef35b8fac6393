/**
 * Measures the key-value store alone: memory a key, the longest pause while it grows, and what a
 * snapshot, a restore and overwriting cost. Nothing is written to a disk.
 */
import { parseArgs } from "node:util";
import { KvStateMachine, encodeCommand } from "@quorate/node";

const USAGE = `Usage: node --conditions=@quorate/source scripts/measure-store.ts [options]

  --keys N         keys to put                                        (default: 1000000)
  --value-bytes N  bytes of each value                                (default: 256)
  --overwrites N   puts on random keys afterwards                     (default: 1000000)
  --chunk-bytes N  bytes of a piece of the snapshot, read and written (default: 262144)
  --help           print this

Prints the figures as one line each: wall time and, in brackets, CPU time of the thread, garbage
collection on it included; counting the latter adds a microsecond to each call. Put --expose-gc
before the script to have memory counted after a full collection.`;

const KEY_PREFIX = "user/";
const KEY_DIGITS = 10;

interface Pauses {
  readonly totalMs: number;
  /** CPU time of this thread: what the calls cost when nothing else runs on the machine. */
  readonly cpuMs: number;
  readonly longestMs: number;
  readonly longestCpuMs: number;
  /** 99.9 of 100 calls took no longer. */
  readonly p999Ms: number;
}

/** Calls `step` with 0, 1, 2, … until it returns false, and times each call. */
function timed(countMax: number, step: (at: number) => boolean): Pauses {
  const durations = new Float64Array(countMax);
  let count = 0;
  const startMs = performance.now();
  let beforeMs = startMs;
  const startCpuMs = threadCpuMs();
  let beforeCpuMs = startCpuMs;
  let longestCpuMs = 0;
  for (let goesOn = true; goesOn && count < countMax; count++) {
    goesOn = step(count);
    const nowMs = performance.now();
    durations[count] = nowMs - beforeMs;
    beforeMs = nowMs;
    const nowCpuMs = threadCpuMs();
    longestCpuMs = Math.max(longestCpuMs, nowCpuMs - beforeCpuMs);
    beforeCpuMs = nowCpuMs;
  }
  const totalMs = performance.now() - startMs;
  const sorted = durations.subarray(0, count).sort();
  return {
    totalMs,
    cpuMs: threadCpuMs() - startCpuMs,
    longestCpuMs,
    longestMs: sorted.at(-1) ?? 0,
    p999Ms: sorted[Math.floor((count - 1) * 0.999)] ?? 0,
  };
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function collectGarbage(): void {
  globalThis.gc?.();
}

function residentBytes(): number {
  collectGarbage();
  return process.memoryUsage.rss();
}

/** A repeatable sequence of numbers from 0 to below 2^32 (an LCG of Numerical Recipes). */
function sequence(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
}

class Load {
  readonly machine: KvStateMachine = new KvStateMachine();
  readonly #value: Uint8Array;
  #index = 0;

  constructor(valueBytes: number) {
    this.#value = new Uint8Array(valueBytes);
  }

  put(number: number): void {
    const key = Buffer.from(KEY_PREFIX + String(number).padStart(KEY_DIGITS, "0"));
    this.#value[this.#index % Math.max(1, this.#value.length)] = this.#index & 0xff;
    this.#index += 1;
    const data = encodeCommand({ kind: "put", key, value: this.#value });
    this.machine.apply({ index: this.#index, term: 1, kind: "command", data });
  }
}

function print(what: string, figures: string): void {
  process.stdout.write(`${what.padEnd(12)} ${figures}\n`);
}

function printPauses(what: string, pauses: Pauses): void {
  const { totalMs, cpuMs, longestMs, longestCpuMs, p999Ms } = pauses;
  const total = `${(totalMs / 1000).toFixed(2)} s (${(cpuMs / 1000).toFixed(2)} s of CPU)`;
  const longest = `longest call ${longestMs.toFixed(2)} ms (${longestCpuMs.toFixed(2)} ms of CPU)`;
  print(what, `${total}; ${longest}, p99.9 ${p999Ms.toFixed(3)} ms`);
}

function measureSnapshot(machine: KvStateMachine, chunkBytes: number): void {
  const snapshot = machine.snapshot();
  const chunks: Uint8Array[] = [];
  const chunksMax = 1_000_000;
  const reading = timed(chunksMax, () => {
    const chunk = snapshot.read(chunkBytes);
    if (chunk !== null) chunks.push(chunk.slice());
    return chunk !== null;
  });
  const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  print("snapshot", `${sizeBytes.toLocaleString("en")} bytes in ${chunks.length} pieces`);
  printPauses("read", reading);
  const restored = new KvStateMachine();
  const restorer = restored.restore();
  const writing = timed(chunks.length, (at) => {
    const chunk = chunks[at];
    if (chunk !== undefined) restorer.write(chunk);
    return true;
  });
  const startMs = performance.now();
  restorer.finish();
  const finishMs = performance.now() - startMs;
  printPauses("restore", writing);
  print("finish", `${finishMs.toFixed(2)} ms`);
  if (restored.stateHash() !== machine.stateHash()) throw new Error("the restored state differs");
}

function measure(options: {
  readonly keys: number;
  readonly valueBytes: number;
  readonly overwrites: number;
  readonly chunkBytes: number;
}): void {
  const { keys, valueBytes, overwrites, chunkBytes } = options;
  print("command", [process.execPath, ...process.execArgv, ...process.argv.slice(1)].join(" "));
  const load = new Load(valueBytes);
  const { machine } = load;
  const emptyBytes = residentBytes();
  const growth = timed(keys, (at) => {
    load.put(at);
    return true;
  });
  printPauses("growth", growth);
  const perKey = Math.round((residentBytes() - emptyBytes) / keys);
  const payload = Math.round(machine.payloadBytes / keys);
  const reserved = Math.round(machine.reservedBytes / keys);
  print("memory", `${perKey} bytes a key: ${payload} payload, ${reserved} outside the heap`);
  measureSnapshot(machine, chunkBytes);
  const random = sequence(1);
  const overwriting = timed(overwrites, () => {
    load.put(random() % keys);
    return true;
  });
  printPauses("overwrite", overwriting);
  const after = Math.round(machine.reservedBytes / keys);
  print("memory", `${after} bytes a key outside the heap after overwriting`);
}

const { values } = parseArgs({
  options: {
    keys: { type: "string", default: "1000000" },
    "value-bytes": { type: "string", default: "256" },
    overwrites: { type: "string", default: "1000000" },
    "chunk-bytes": { type: "string", default: "262144" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(`${USAGE}\n`);
} else {
  measure({
    keys: Number(values.keys),
    valueBytes: Number(values["value-bytes"]),
    overwrites: Number(values.overwrites),
    chunkBytes: Number(values["chunk-bytes"]),
  });
}
