/**
 * Measures what a snapshot of a large store costs those who use it meanwhile: one server in this
 * process, clients in a thread of their own, real files.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import type { QuorateServer } from "@quorate/node";
import { parseNodeConfig, startServer } from "@quorate/node";
import { QuorateClient } from "@quorate/wire/client";

const USAGE = `Usage: node --conditions=@quorate/source scripts/measure-snapshot.ts [options]

  --mebibytes N    values in the store                                (default: 1024)
  --value-bytes N  bytes of each value                                (default: 4096)
  --writers N      puts that are under way at a time                  (default: 64)
  --log-mebibytes N  log after which a snapshot is taken              (default: 256)
  --directory DIR  where the store is made and removed again          (default: the system's)
  --stall-max-ms N fail when the loop computes for longer             (default: 20)
  --help           print this

Fills a store, goes on overwriting it until a snapshot of all of it was taken, and starts it again.
Prints the longest stall of the server's loop in each part: how much later than asked a timer of
1 ms ran, and how much of that the loop itself computed. The rest is the machine's other work.`;

const MEBIBYTE = 1024 * 1024;
const PROBE_MS = 1;

interface Load {
  readonly endpoint: string;
  readonly keys: number;
  readonly valueBytes: number;
  readonly writers: number;
}

/** Puts every key once, says "filled", and goes on overwriting until the thread is ended. */
async function runLoad({ endpoint, keys, valueBytes, writers }: Load): Promise<void> {
  const client = new QuorateClient({ endpoints: [endpoint], timeoutMs: 60_000 });
  let next = 0;
  const write = async (end: number): Promise<void> => {
    while (next < end) {
      const number = next;
      next += 1;
      const value = new Uint8Array(valueBytes).fill(number & 0xff);
      await client.put(`key-${number % keys}`, value);
    }
  };
  const all = async (end: number): Promise<void> => {
    await Promise.all(Array.from({ length: writers }, () => write(end)));
  };
  await all(keys);
  parentPort?.postMessage("filled");
  await all(Number.MAX_SAFE_INTEGER);
}

interface Stall {
  /** How much later than asked the timer ran. */
  readonly wallMs: number;
  /** What the thread had computed meanwhile: without the time that other processes took. */
  readonly cpuMs: number;
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Watches this thread's loop. */
class StallProbe {
  #longest: Stall = { wallMs: 0, cpuMs: 0 };
  #lastMs = performance.now();
  #lastCpuMs = threadCpuMs();

  constructor() {
    setInterval(() => {
      const nowMs = performance.now();
      const cpuMs = threadCpuMs();
      this.#longest = {
        wallMs: Math.max(this.#longest.wallMs, nowMs - this.#lastMs - PROBE_MS),
        cpuMs: Math.max(this.#longest.cpuMs, cpuMs - this.#lastCpuMs),
      };
      this.#lastMs = nowMs;
      this.#lastCpuMs = cpuMs;
    }, PROBE_MS).unref();
  }

  /** The longest stalls since the last call. */
  take(): Stall {
    const longest = this.#longest;
    this.#longest = { wallMs: 0, cpuMs: 0 };
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
  const line = `${seconds.padStart(7)} s, longest stall ${stall.wallMs.toFixed(1)} ms, of its own ${stall.cpuMs.toFixed(1)} ms`;
  process.stdout.write(`${what.padEnd(10)} ${line}${rest}\n`);
  return stall;
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) {
    await new Promise((next) => {
      setTimeout(next, 5);
    });
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

/** Returns the longest stalls while a full snapshot was taken. */
async function measure(options: Options): Promise<Stall> {
  const { keys, valueBytes, writers } = options;
  const probe = new StallProbe();
  const server = await start(options, true);
  await until(() => server.status().role === "leader");
  const load: Load = { endpoint: server.listenAddress, keys, valueBytes, writers };
  probe.take();
  let sinceMs = performance.now();
  const thread = new Worker(new URL(import.meta.url), { workerData: load });
  await new Promise<void>((filled, failed) => {
    thread.once("message", () => {
      filled();
    });
    thread.once("error", failed);
  });
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
  await thread.terminate();
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
      "log-mebibytes": { type: "string", default: "256" },
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
    const { cpuMs } = await measure({
      directory,
      keys: Math.ceil((Number(values.mebibytes) * MEBIBYTE) / valueBytes),
      valueBytes,
      writers: Number(values.writers),
      logBytes: Number(values["log-mebibytes"]) * MEBIBYTE,
    });
    const limitMs = Number(values["stall-max-ms"]);
    if (cpuMs > limitMs) {
      process.stdout.write(`the loop stalled for more than ${limitMs} ms\n`);
      process.exitCode = 1;
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

if (isMainThread) await main();
else await runLoad(workerData as Load);
