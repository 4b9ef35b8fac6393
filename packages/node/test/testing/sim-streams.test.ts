import assert from "node:assert/strict";
import { test } from "node:test";
import type { ByteStream } from "@quorate/wire/net";
import { Coverage, SeededRandom, SimProcess, SimScheduler } from "@quorate/node/testing";
import { SimStack } from "../../src/testing/sim-stack.ts";
import { SimStreams } from "../../src/testing/sim-streams.ts";
import { CALM_STREAMS } from "../../src/testing/stream-faults.ts";
import type { StreamFaults } from "../../src/testing/stream-faults.ts";
import { Trace } from "../../src/testing/trace.ts";

/** Two machines, one of which listens. */
class Pair {
  readonly scheduler = new SimScheduler();
  readonly coverage = new Coverage();
  readonly streams: SimStreams;
  readonly caller = this.process();
  readonly listener = this.process();
  readonly told: string[] = [];
  /** What came in at the listener, and in what pieces. */
  received: Uint8Array = new Uint8Array(0);
  readonly pieces: number[] = [];
  accepted: ByteStream | null = null;
  reads = true;

  constructor(faults: Partial<StreamFaults> = {}, socketsMax = 10) {
    const trace = new Trace(this.scheduler, null);
    this.streams = new SimStreams(
      this.scheduler,
      new SeededRandom("streams"),
      { trace, coverage: this.coverage },
      { ...CALM_STREAMS, ...faults },
    );
    const stack = new SimStack(this.streams, "n2", this.listener);
    const server = stack.createServer(
      { socketsMax, tls: undefined },
      {
        onSocket: () => undefined,
        onStream: (stream) => {
          this.#take(stream);
        },
        onHandshakeFailed: () => assert.fail(),
        onAcceptFailed: () => assert.fail(),
      },
    );
    void server.listen({ host: "n2", port: 1 });
  }

  process(): SimProcess {
    return new SimProcess(this.scheduler, 1, () => undefined);
  }

  dial(port = 1): ByteStream {
    const stream = new SimStack(this.streams, "n1", this.caller).connect({ host: "n2", port });
    this.#follow("n1", stream);
    stream.on("data", () => this.told.push("n1 data"));
    return stream;
  }

  /** For so many simulated ms. */
  run(ms: number): void {
    const endUs = this.scheduler.nowUs + ms * 1000;
    let isOver = false;
    this.scheduler.schedule(endUs - this.scheduler.nowUs, () => {
      isOver = true;
    });
    while (!isOver) this.scheduler.runNext();
  }

  #take(stream: ByteStream): void {
    this.accepted = stream;
    this.#follow("n2", stream);
    stream.on("data", (chunk) => {
      this.pieces.push(chunk.length);
      this.received = Buffer.concat([this.received, chunk]);
    });
    if (!this.reads) stream.pause();
  }

  #follow(name: string, stream: ByteStream): void {
    for (const event of ["connect", "drain", "end", "close"] as const) {
      stream.on(event, () => this.told.push(`${name} ${event}`));
    }
    stream.on("error", (error) => this.told.push(`${name} ${error.message}`));
  }
}

const TEXT = Buffer.from("a frame of some length, which goes as it may".repeat(20));

test("SimStreams: bytes arrive once and in order, in odd pieces and single bytes", () => {
  const pair = new Pair({ oddReadChance: 0.9, segmentMaxBytes: 7, windowBytes: 100 });
  const stream = pair.dial();
  stream.write(TEXT.subarray(0, 100));
  stream.write(TEXT.subarray(100));
  pair.run(100);
  assert.deepEqual(Buffer.from(pair.received), TEXT);
  assert.ok(pair.pieces.includes(1) && pair.pieces.length > 50);
  assert.ok(pair.coverage.count("oneByteReads") > 0);
});

test("SimStreams: a reader that pauses backs the writer up, which drains when it goes on", () => {
  const pair = new Pair({ windowBytes: 1000 });
  pair.reads = false;
  const stream = pair.dial();
  const large = Buffer.alloc(100_000, "x");
  assert.equal(stream.write(large), false);
  pair.run(50);
  assert.equal(stream.writableLength, large.length - 1000);
  assert.equal(pair.received.length, 0);
  pair.accepted?.resume();
  pair.run(50);
  assert.equal(stream.writableLength, 0);
  assert.equal(pair.received.length, large.length);
  assert.deepEqual(pair.told, ["n1 connect", "n1 drain"]);
});

test("SimStreams: a connection that breaks does so within a frame, and both sides are told", () => {
  const pair = new Pair({ resetChance: 1 });
  pair.dial().write(TEXT);
  pair.run(50);
  assert.ok(pair.received.length < TEXT.length);
  assert.deepEqual(Buffer.from(pair.received), TEXT.subarray(0, pair.received.length));
  assert.equal(pair.coverage.count("streamResets"), 1);
  assert.deepEqual(pair.told.slice(1).toSorted(), [
    "n1 close",
    "n1 socket ECONNRESET",
    "n2 close",
    "n2 socket ECONNRESET",
  ]);
});

test("SimStreams: an orderly end arrives after the bytes, and closes both sides", () => {
  const pair = new Pair();
  const stream = pair.dial();
  stream.write(TEXT);
  stream.end();
  pair.run(50);
  assert.deepEqual(Buffer.from(pair.received), TEXT);
  assert.deepEqual(pair.told, ["n1 connect", "n2 end", "n2 close", "n1 end", "n1 close"]);
});

test("SimStreams: what is sent into a cut waits, and arrives when it is over", () => {
  const pair = new Pair();
  const stream = pair.dial();
  pair.run(10);
  pair.streams.block("n1", "n2");
  stream.write(TEXT);
  pair.run(1000);
  assert.equal(pair.received.length, 0);
  pair.streams.unblock("n1", "n2");
  pair.run(1000);
  assert.deepEqual(Buffer.from(pair.received), TEXT);
  assert.ok(pair.coverage.count("streamsResumed") > 0);
});

test("SimStreams: a half-open connection takes bytes in silence for ever", () => {
  const pair = new Pair({ windowBytes: 300 });
  const stream = pair.dial();
  pair.run(10);
  pair.streams.down("n2", false);
  assert.equal(pair.streams.halfOpenCount, 1);
  stream.write(TEXT);
  pair.run(60_000);
  assert.deepEqual(pair.told, ["n1 connect"]);
  assert.equal(stream.writableLength, TEXT.length - 300);
  // The machine is back, and does not know the connection.
  pair.streams.up("n2");
  pair.run(1000);
  assert.deepEqual(pair.told, ["n1 connect", "n1 socket ECONNRESET", "n1 close"]);
  assert.equal(pair.streams.halfOpenCount, 0);
});

test("SimStreams: nobody there refuses, and a machine without power says nothing", () => {
  const pair = new Pair();
  pair.dial(2);
  pair.run(10);
  assert.deepEqual(pair.told, ["n1 socket ECONNREFUSED", "n1 close"]);
  pair.streams.down("n2", false);
  const waiting = pair.dial();
  pair.run(10_000);
  assert.equal(waiting.connecting, true);
  assert.equal(pair.told.length, 2);
  assert.ok(pair.coverage.count("connectionsDropped") > 0);
});

test("SimStreams: a paused process is connected to, and hears of it when it goes on", () => {
  const pair = new Pair();
  pair.listener.pause();
  const stream = pair.dial();
  stream.write(TEXT);
  pair.run(100);
  assert.equal(stream.connecting, false);
  assert.equal(pair.accepted, null);
  pair.listener.resume();
  pair.run(100);
  assert.deepEqual(Buffer.from(pair.received), TEXT);
});

test("SimStreams: sockets above a server's limit are closed without a word", () => {
  const pair = new Pair({}, 1);
  pair.dial();
  pair.run(10);
  const second = pair.dial();
  pair.run(10);
  assert.equal(second.destroyed, true);
  assert.deepEqual(pair.told, ["n1 connect", "n1 connect", "n1 end", "n1 close"]);
});
