import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";

import type { HelloRefused } from "@quorate/wire";
import { encodeFrame, HELLO_BODY_MAX_BYTES, PROTOCOL_VERSION } from "@quorate/wire";
import { ConnectionError, dial, type DialOptions, listen, ListenError } from "@quorate/wire/net";
import {
  connectTo,
  helloFrom,
  host,
  messagesUntilEnd,
  rawServer,
  rawSocket,
  Recorder,
} from "./peers.ts";

async function failureOf(address: string, options: Partial<DialOptions> = {}) {
  const handlers = new Recorder();
  const { connected } = dial({
    address,
    hello: helloFrom("tester"),
    connectTimeoutMs: 1000,
    handlers,
    ...options,
  });
  const error: unknown = await connected.then(
    () => assert.fail("it connected"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConnectionError, String(error));
  assert.equal(handlers.closeCount, 0, "no handler is called for a connection that never was");
  return error;
}

test("dial: nobody listens there: refused", async (t) => {
  const { server, address } = await rawServer(t, () => undefined);
  server.close();
  await once(server, "close");
  const error = await failureOf(address);
  assert.equal(error.kind, "refused");
  assert.equal(error.address, address);
});

test("dial: an address that cannot be read is unresolved", async () => {
  assert.equal((await failureOf("n1")).kind, "unresolved");
});

test("dial: a side that takes the connection and says nothing: timeout", async (t) => {
  const { address } = await rawServer(t, (socket) => socket.resume());
  const error = await failureOf(address, { connectTimeoutMs: 80 });
  assert.equal(error.kind, "timeout");
  assert.match(error.message, /connected, but no hello within 80 ms/u);
});

test("dial: a side that closes without a hello: closed", async (t) => {
  const { address } = await rawServer(t, (socket) => socket.resume().end());
  assert.equal((await failureOf(address)).kind, "closed");
});

test("dial: rubbish instead of a hello: protocol", async (t) => {
  const answers = [
    Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"),
    Buffer.from(encodeFrame({ type: "Status", requestId: 1 })),
    Buffer.from([0, 0, 0, 2, 0xc1, 0xc1]),
  ];
  for (const answer of answers) {
    const { address } = await rawServer(t, (socket) => socket.resume().write(answer));
    assert.equal((await failureOf(address)).kind, "protocol");
  }
});

test("dial: another node, cluster or version than asked for: protocol", async (t) => {
  const server = await host(t, { accept: () => helloFrom("n1", { clusterId: "c1" }) });
  const wrongNode = await failureOf(server.address, { hello: helloFrom("t", { to: "n2" }) });
  assert.equal(wrongNode.kind, "protocol");
  const wrongCluster = helloFrom("t", { clusterId: "c2" });
  assert.equal((await failureOf(server.address, { hello: wrongCluster })).kind, "protocol");

  const newer = helloFrom("n1", { protocolVersion: PROTOCOL_VERSION + 1 });
  const other = await host(t, { accept: () => newer });
  assert.equal((await failureOf(other.address)).kind, "protocol");
});

test("dial: cancel gives up an attempt, and does nothing afterwards", async (t) => {
  const { address } = await rawServer(t, (socket) => socket.resume());
  const hello = helloFrom("tester");
  const dialing = dial({ address, hello, connectTimeoutMs: 5000, handlers: new Recorder() });
  dialing.cancel();
  await assert.rejects(dialing.connected, { name: "ConnectionError", kind: "closed" });
  dialing.cancel();
});

test("listen: a refusal reaches the dialer with its code and remedy", async (t) => {
  const refusal: HelloRefused = {
    type: "HelloRefused",
    code: "wrongCluster",
    message: "this is cluster c1",
    remedy: "use its endpoints",
  };
  const server = await host(t, { accept: () => refusal });

  const error = await failureOf(server.address);

  assert.equal(error.kind, "helloRefused");
  assert.deepEqual(error.refusal, refusal);
  const [rejected] = await server.rejected(1);
  assert.equal(rejected?.kind, "helloRefused");
  assert.equal(server.accepted.length, 0);
});

test("listen: another protocol version is refused without asking anybody", async (t) => {
  let asked = 0;
  const server = await host(t, {
    accept: () => {
      asked += 1;
      return helloFrom("n1");
    },
  });
  const hello = helloFrom("old", { protocolVersion: PROTOCOL_VERSION + 1 });
  const error = await failureOf(server.address, { hello });
  assert.equal(error.refusal?.code, "protocolVersion");
  assert.equal(asked, 0);
});

test("listen: a first frame that is no hello is told so, then closed", async (t) => {
  const server = await host(t);
  const firstFrames = [
    Buffer.from(encodeFrame({ type: "Status", requestId: 1 })),
    Buffer.from("GET / HTTP/1.1\r\nHost: n1\r\n\r\n"),
    Buffer.from([0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0, 0, 0, 0]),
    Buffer.from([0, 0, (HELLO_BODY_MAX_BYTES + 1) >> 8, (HELLO_BODY_MAX_BYTES + 1) & 0xff]),
    Buffer.from([0, 0, 0, 2, 0xc1, 0xc1]),
  ];
  for (const frame of firstFrames) {
    const socket = await rawSocket(t, server.listener.port);
    const answered = messagesUntilEnd(socket);
    socket.write(frame);
    const [answer] = await answered;
    assert.equal(answer?.type === "HelloRefused" ? answer.code : answer, "helloExpected");
  }
  assert.equal(server.accepted.length, 0);
  const rejected = await server.rejected(firstFrames.length);
  assert.ok(rejected.every(({ kind }) => kind === "protocol"));
});

test("listen: survives random bytes from many sockets", async (t) => {
  const server = await host(t, { connectionsMax: 300, helloTimeoutMs: 200 });
  const closed: Promise<unknown>[] = [];
  for (let i = 0; i < 200; i += 1) {
    const socket = await rawSocket(t, server.listener.port);
    closed.push(once(socket, "close"));
    socket.resume();
    socket.write(randomBytes(1 + ((i * 37) % 3000)));
  }
  await Promise.all(closed);
  assert.equal(server.accepted.length, 0);
  await connectTo(t, server.address);
});

test("listen: 1,000 sockets that send nothing cost little and are closed in time", async (t) => {
  const server = await host(t, { connectionsMax: 1100, helloTimeoutMs: 1500 });
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const closed: Promise<unknown>[] = [];
  for (let i = 0; i < 1000; i += 1) {
    const socket = connect({ host: "127.0.0.1", port: server.listener.port });
    socket.on("error", () => undefined);
    t.after(() => socket.destroy());
    closed.push(once(socket, "close"));
    socket.resume();
  }
  await connectTo(t, server.address);
  const grownMiB = (process.memoryUsage().rss - before) / 2 ** 20;

  await Promise.all(closed);

  t.diagnostic(`1,000 silent sockets, both ends in this process: ${grownMiB.toFixed(1)} MiB`);
  assert.ok(grownMiB < 100, `${grownMiB} MiB`);
  const rejected = await server.rejected(1000);
  assert.equal(rejected.length, 1000);
  assert.ok(rejected.every(({ kind }) => kind === "timeout"));
  assert.equal(server.listener.connections.size, 1);
});

test("listen: the socket above the limit is told so, and a place that is freed is used", async (t) => {
  const server = await host(t, { connectionsMax: 2 });
  const first = await connectTo(t, server.address);
  await connectTo(t, server.address);

  const error = await failureOf(server.address);
  assert.equal(error.refusal?.code, "tooManyConnections");

  const gone = server.first().recorder.closed;
  first.connection.close();
  await gone;
  await connectTo(t, server.address);
});

test("dial: knows that the connection was taken, also when it has been given up", async (t) => {
  const { address } = await rawServer(t, () => undefined);
  const dialing = dial({
    address,
    hello: helloFrom("tester"),
    connectTimeoutMs: 50,
    handlers: new Recorder(),
  });
  assert.equal(dialing.isAccepted(), false, "not yet");
  await assert.rejects(dialing.connected, { kind: "timeout", accepted: true });
  assert.equal(dialing.isAccepted(), true);
});

test("listen: a taken port is a ListenError", async (t) => {
  const server = await host(t);
  const again = listen({
    host: "127.0.0.1",
    port: server.listener.port,
    connectionsMax: 1,
    helloTimeoutMs: 100,
    accept: () => helloFrom("n2"),
    onConnection: () => new Recorder(),
  });
  await assert.rejects(again, (error: unknown) => {
    assert.ok(error instanceof ListenError);
    assert.equal(error.code, "addressInUse");
    return true;
  });
});

test("listen: close ends connections and silent sockets, and frees the port", async (t) => {
  const server = await host(t);
  const { recorder } = await connectTo(t, server.address);
  const silent = await rawSocket(t, server.listener.port);
  silent.resume();
  const silentClosed = once(silent, "close");

  await Promise.all([server.listener.close(), server.listener.close()]);

  assert.equal((await recorder.closed)?.kind, "closed");
  await silentClosed;
  assert.equal((await failureOf(server.address)).kind, "refused");
});
