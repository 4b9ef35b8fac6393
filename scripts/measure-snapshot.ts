/**
 * Measures what a snapshot of a large store costs those who use it meanwhile: one server in this
 * process, clients in another, real files.
 */
import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { QuorateServer } from "@quorate/node";
import { parseNodeConfig, startServer } from "@quorate/node";
import { QuorateClient } from "@quorate/wire/client";

const USAGE = `Usage: node --conditions=@quorate/source scripts/measure-snapshot.ts [options]

  --mebibytes N    values in the store                                (default: 1024)
  --value-bytes N  bytes of each value                                (default: 4096)
  --writers N      puts that are under way at a time                  (default: 64)
  --rate N         puts in a second once the store is full            (default: 5000)
  --log-mebibytes N  log after which a snapshot is taken              (default: 64)
  --directory DIR  where the store is made and removed again          (default: the system's)
  --stall-max-ms N fail when the server's loop stalls for longer      (default: 20)
  --help           print this

Fills a store as fast as it goes, goes on overwriting it at the rate until a snapshot of all of it
was taken, and starts it again. Prints the longest stall of the server's loop in each part: how much
later than asked a timer of 1 ms ran. Two figures: on the clock, and without the time in which the
loop could have run but other work had all processors, as Linux counts it. The second is judged: a
machine that has nothing left to give makes every process stand still.`;

const MEBIBYTE = 1024 * 1024;
const PROBE_MS = 1;

interface Load {
  readonly endpoint: string;
  readonly keys: number;
  readonly valueBytes: number;
  readonly writers: number;
  readonly rate: number;
}

/** Puts every key once, says "filled", and goes on overwriting until its process is ended. */
async function runLoad({ endpoint, keys, valueBytes, writers, rate }: Load): Promise<void> {
  const client = new QuorateClient({ endpoints: [endpoint], timeoutMs: 60_000 });
  let next = 0;
  let filledMs = -Infinity;
  const write = async (end: number): Promise<void> => {
    while (next < end) {
      const number = next;
      next += 1;
      const earlyMs = filledMs + ((number - keys) * 1000) / rate - performance.now();
      if (earlyMs > 0) await setTimeout(earlyMs);
      const value = new Uint8Array(valueBytes).fill(number & 0xff);
      await client.put(`key-${number % keys}`, value);
    }
  };
  const all = async (end: number): Promise<void> => {
    await Promise.all(Array.from({ length: writers }, () => write(end)));
  };
  await all(keys);
  filledMs = performance.now();
  process.send?.("filled");
  await all(Number.MAX_SAFE_INTEGER);
}

interface Stall {
  /** How much later than asked the timer ran. */
  readonly wallMs: number;
  /** Without the time in which the thread waited for a processor. */
  readonly ownMs: number;
}

const NO_STALL: Stall = { wallMs: 0, ownMs: 0 };

/** For how long this process's main thread could have run, and had to wait for a processor. */
function queuedMs(): number {
  const [, queuedNs = "0"] = readFileSync(
    `/proc/self/task/${process.pid}/schedstat`,
    "latin1",
  ).split(" ");
  return Number(queuedNs) / 1e6;
}

/** Watches the main thread's loop. */
class StallProbe {
  #longest = NO_STALL;
  #lastMs = performance.now();
  #lastQueuedMs = queuedMs();

  constructor() {
    setInterval(() => {
      const nowMs = performance.now();
      const queued = queuedMs();
      const wallMs = nowMs - this.#lastMs - PROBE_MS;
      const ownMs = wallMs - (queued - this.#lastQueuedMs);
      this.#longest = {
        wallMs: Math.max(this.#longest.wallMs, wallMs),
        ownMs: Math.max(this.#longest.ownMs, ownMs),
      };
      this.#lastMs = nowMs;
      this.#lastQueuedMs = queued;
    }, PROBE_MS).unref();
  }

  /** The longest stalls since the last call. */
  take(): Stall {
    const longest = this.#longest;
    this.#longest = NO_STALL;
    return longest;
  }
}

interface Options extends Omit<Load, "endpoint"> {
  readonly directory: string;
  readonly logBytes: number;
}

function print(what: string, sinceMs: number, probe: StallProbe, rest = ""): Stall {
  const stall = probe.take();
  const seconds = ((performance.now() - sinceMs) / 1000).toFixed(1);
  const stalls = `longest stall ${stall.ownMs.toFixed(1)} ms (on the clock ${stall.wallMs.toFixed(1)} ms)`;
  process.stdout.write(`${what.padEnd(10)} ${seconds.padStart(7)} s, ${stalls}${rest}\n`);
  return stall;
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) {
    await setTimeout(5);
  }
}

function start({ directory, logBytes }: Options, bootstrap: boolean): Promise<QuorateServer> {
  const flags = {
    name: "n1",
    "data-dir": join(directory, "n1"),
    "cluster-id": "measured",
    "initial-cluster": "n1=127.0.0.1:1",
    listen: "127.0.0.1:0",
    bootstrap,
    "snapshot-log-bytes": logBytes,
  };
  return startServer(parseNodeConfig(flags, {}));
}

/** A process of its own puts values, until it is ended or this one ends. */
async function startLoad(load: Load): Promise<ChildProcess> {
  const child = fork(new URL(import.meta.url));
  child.send(load);
  const [message] = await Promise.race([once(child, "message"), once(child, "exit")]);
  if (message !== "filled") throw new Error("the load ended before the store was full");
  return child;
}

async function endLoad(child: ChildProcess): Promise<void> {
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

/** Returns the longest stalls while a full snapshot was taken. */
async function measure(options: Options): Promise<Stall> {
  const { keys, valueBytes, writers, rate } = options;
  const probe = new StallProbe();
  const server = await start(options, true);
  await until(() => server.status().role === "leader");
  const load: Load = { endpoint: server.listenAddress, keys, valueBytes, writers, rate };
  probe.take();
  let sinceMs = performance.now();
  const child = await startLoad(load);
  print("fill", sinceMs, probe);
  sinceMs = performance.now();
  const fullAt = server.status().lastApplied;
  await until(() => server.status().snapshotIndex > fullAt);
  const { snapshotBytes, residentBytes, commitP99Ms } = server.status();
  const mebibytes = (bytes: number): string => `${Math.round(bytes / MEBIBYTE)} MiB`;
  const stall = print(
    "snapshot",
    sinceMs,
    probe,
    `; ${mebibytes(snapshotBytes)}, resident ${mebibytes(residentBytes)}, commit p99 ${commitP99Ms} ms`,
  );
  await endLoad(child);
  await server.stop();
  probe.take();
  sinceMs = performance.now();
  const again = await start(options, false);
  print("restart", sinceMs, probe, `; ${again.status().keyCount} keys`);
  await again.stop();
  return stall;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      mebibytes: { type: "string", default: "1024" },
      "value-bytes": { type: "string", default: "4096" },
      writers: { type: "string", default: "64" },
      rate: { type: "string", default: "5000" },
      "log-mebibytes": { type: "string", default: "64" },
      directory: { type: "string", default: tmpdir() },
      "stall-max-ms": { type: "string", default: "20" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const directory = mkdtempSync(join(resolve(values.directory), "quorate-snapshot-"));
  try {
    const valueBytes = Number(values["value-bytes"]);
    const { ownMs } = await measure({
      directory,
      keys: Math.ceil((Number(values.mebibytes) * MEBIBYTE) / valueBytes),
      valueBytes,
      writers: Number(values.writers),
      rate: Number(values.rate),
      logBytes: Number(values["log-mebibytes"]) * MEBIBYTE,
    });
    const limitMs = Number(values["stall-max-ms"]);
    if (ownMs > limitMs) {
      process.stdout.write(`the loop stalled for more than ${limitMs} ms\n`);
      process.exitCode = 1;
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

if (process.send === undefined) {
  await main();
} else {
  process.once("disconnect", () => process.exit());
  process.once("message", (load) => {
    void runLoad(load as Load);
  });
}
