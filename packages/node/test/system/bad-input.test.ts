import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { encodeFrame, VALUE_MAX_BYTES } from "@quorate/wire";
import { freePorts } from "../server/local-servers.ts";
import { bytes, numbered, clientHello, RawClient } from "../server/raw-client.ts";
import { Daemon, daemonFlags } from "./daemon.ts";

const MEBIBYTE = 1024 * 1024;

/** What all of this may add to the daemon's largest resident size: real attacks cost gigabytes. */
const GROWTH_MAX_BYTES = 192 * MEBIBYTE;

interface Target {
  readonly daemon: Daemon;
  readonly port: number;
  readonly address: string;
}

async function startTarget(t: TestContext): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), "quorate-bad-input-"));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const [port] = await freePorts(1);
  assert.ok(port !== undefined);
  const address = `127.0.0.1:${port}`;
  const daemon = new Daemon(t, [...daemonFlags("n1", folder, `n1=${address}`), "--bootstrap"]);
  await daemon.logged(({ event }) => event === "electionWon");
  return { daemon, port, address };
}

/** `VmHWM` (the most ever) or `VmRSS` (now), where the system tells; null elsewhere. */
function memoryOf(pid: number, field: "VmHWM" | "VmRSS"): number | null {
  if (process.platform !== "linux") return null;
  const line = new RegExp(`^${field}:\\s+(\\d+) kB$`, "mu");
  const match = line.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return match === null ? null : Number(match[1]) * 1024;
}

function mebibytes(sizeBytes: number | null): string {
  return sizeBytes === null ? "?" : `${Math.round(sizeBytes / MEBIBYTE)} MiB`;
}

function assertGrowth(t: TestContext, { daemon }: Target, before: number | null): void {
  const most = memoryOf(daemon.pid, "VmHWM");
  const now = memoryOf(daemon.pid, "VmRSS");
  t.diagnostic(
    `resident: ${mebibytes(before)} before, ${mebibytes(most)} most, ${mebibytes(now)} after`,
  );
  if (before === null || most === null) return;
  assert.ok(most - before < GROWTH_MAX_BYTES, `grew by ${mebibytes(most - before)}`);
}

/** A connection without any protocol. Errors of the socket are its end. */
async function openSocket(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

async function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (socket.closed) return;
  await new Promise<void>((resolve) => {
    socket.once("close", () => {
      resolve();
    });
  });
}

/** Proof that the node still serves: a write and a read, and how long they took. */
async function assertServes({ address }: Target, key: string): Promise<number> {
  const beganMs = performance.now();
  const client = await RawClient.connect(address);
  const put = await client.ask({ type: "Put", key: bytes(key), value: bytes(key) });
  assert.equal(put.type, "PutReply");
  const get = await client.ask({ type: "Get", key: bytes(key), consistency: "linearizable" });
  assert.ok(get.type === "GetReply");
  assert.deepEqual(get.found?.value, bytes(key));
  client.close();
  return performance.now() - beganMs;
}

/** Numbers that are the same in every run (mulberry32). */
function seededBytes(seed: number, count: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) | 0;
    const mixed = Math.imul(state ^ (state >>> 15), state | 1);
    return (mixed ^ (mixed >>> 14)) & 0xff;
  });
}

test(
  "bad input: a frame of 4 GiB closes the connection and allocates nothing",
  { timeout: 60_000 },
  async (t) => {
    const target = await startTarget(t);
    const before = memoryOf(target.daemon.pid, "VmRSS");
    const announce = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x93]);
    for (let attempt = 0; attempt < 50; attempt += 1) {
      const socket = await openSocket(target.port);
      if (attempt % 2 === 1) socket.write(encodeFrame(clientHello()));
      socket.write(announce);
      await closed(socket);
    }
    await assertServes(target, "after 4 GiB");
    assertGrowth(t, target, before);
  },
);

test(
  "bad input: random bytes, before and after a hello, close the connection",
  { timeout: 60_000 },
  async (t) => {
    const target = await startTarget(t);
    const before = memoryOf(target.daemon.pid, "VmRSS");
    const attempts = 300;
    for (let seed = 1; seed <= attempts; seed += 1) {
      const socket = await openSocket(target.port);
      if (seed % 2 === 1) socket.write(encodeFrame(clientHello()));
      const noise = seededBytes(seed, 16 + ((seed * 97) % 20_000));
      // Every third is a well-formed frame around the noise: it reaches the decoder of messages.
      if (seed % 3 === 0) {
        const length = Buffer.alloc(4);
        length.writeUInt32BE(noise.length);
        socket.write(length);
      }
      socket.end(noise);
      await closed(socket);
    }
    await assertServes(target, "after noise");
    t.diagnostic(`${attempts} connections of noise`);
    assertGrowth(t, target, before);
  },
);

test(
  "bad input: a client that never reads is not read either, and is let go",
  { timeout: 60_000 },
  async (t) => {
    const target = await startTarget(t);
    const setup = await RawClient.connect(target.address);
    const value = new Uint8Array(VALUE_MAX_BYTES).fill(120);
    const put = await setup.ask({ type: "Put", key: bytes("large"), value });
    assert.equal(put.type, "PutReply");
    setup.close();
    const before = memoryOf(target.daemon.pid, "VmRSS");
    const asked = 2000;
    const frames: Uint8Array[] = [encodeFrame(clientHello())];
    for (let requestId = 1; requestId <= asked; requestId += 1) {
      frames.push(
        encodeFrame(
          numbered({ type: "Get", key: bytes("large"), consistency: "linearizable" }, requestId),
        ),
      );
    }
    const socket = await openSocket(target.port);
    socket.pause();
    const beganMs = performance.now();
    socket.write(Buffer.concat(frames));
    // A socket that is not read learns of its end only by writing.
    const probe = setInterval(() => socket.write(Buffer.alloc(1)), 250);
    t.after(() => {
      clearInterval(probe);
    });
    const gone = new Promise<void>((resolve) => {
      socket.once("close", () => {
        resolve();
      });
    });
    const servedMs = await assertServes(target, "beside one that never reads");
    await gone;
    clearInterval(probe);
    const goneMs = performance.now() - beganMs;
    assert.ok(goneMs > 1000, "it was cut before it had a chance to read");
    t.diagnostic(
      `asked for ${asked} MiB, let go after ${Math.round(goneMs)} ms; ` +
        `another client's put and get took ${Math.round(servedMs)} ms`,
    );
    await assertServes(target, "after one that never read");
    assertGrowth(t, target, before);
  },
);

test(
  "bad input: 1,000 connections that say nothing are closed, and others are served",
  { timeout: 60_000 },
  async (t) => {
    const target = await startTarget(t);
    const before = memoryOf(target.daemon.pid, "VmRSS");
    const sockets = await Promise.all(Array.from({ length: 1000 }, () => openSocket(target.port)));
    const beganMs = performance.now();
    const servedMs = await assertServes(target, "beside a thousand");
    await Promise.all(sockets.map((socket) => closed(socket)));
    const closedMs = performance.now() - beganMs;
    t.diagnostic(
      `all closed after ${Math.round(closedMs)} ms; put and get took ${Math.round(servedMs)} ms`,
    );
    await assertServes(target, "after a thousand");
    assertGrowth(t, target, before);
  },
);
