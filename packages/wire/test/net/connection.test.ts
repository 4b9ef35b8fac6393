import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import type { PutRequest, WireMessage } from "@quorate/wire";
import { encodeFrame } from "@quorate/wire";
import { systemStack } from "@quorate/wire/net";
import { connectTo, helloFrom, host, rawServer, rawSocket } from "./peers.ts";

function put(requestId: number, valueBytes = 1): PutRequest {
  return {
    type: "Put",
    requestId,
    key: Uint8Array.of(107),
    value: new Uint8Array(valueBytes).fill(requestId),
    ifRevision: null,
    session: null,
  };
}

function requestIds(messages: readonly WireMessage[]): number[] {
  return messages.map((message) => ("requestId" in message ? message.requestId : -1));
}

test("Connection: carries messages both ways, in order, small and large mixed", async (t) => {
  const server = await host(t);
  const { connection, recorder } = await connectTo(t, server.address);
  const sent = Array.from({ length: 300 }, (_, i) => put(i + 1, i % 10 === 0 ? 100_000 : 20));

  for (const message of sent) connection.send(message);

  const entry = server.first();
  const received = await entry.recorder.received(sent.length);
  assert.deepEqual(
    requestIds(received),
    sent.map(({ requestId }) => requestId),
  );
  assert.deepEqual(received[10], sent[10]);
  entry.connection.send({ type: "Status", requestId: 9 });
  assert.deepEqual(await recorder.received(1), [{ type: "Status", requestId: 9 }]);
});

test("Connection: knows the other side's hello and address", async (t) => {
  const server = await host(t, { accept: () => helloFrom("n7") });
  const { connection } = await connectTo(t, server.address);
  assert.equal(connection.remoteHello.from, "n7");
  assert.equal(connection.remoteAddress, server.address);
  assert.equal(server.first().connection.remoteHello.from, "tester");
});

test("Connection: what is sent in one turn arrives in one read", async (t) => {
  const server = await host(t);
  const { connection } = await connectTo(t, server.address);
  const entry = server.first();
  const batchesBefore = entry.recorder.batchCount;
  for (let id = 1; id <= 20; id += 1) connection.send(put(id));
  assert.ok(connection.queuedBytes > 0, "nothing is written before the turn ends");

  await entry.recorder.received(20);
  await new Promise(setImmediate);

  assert.equal(entry.recorder.batchCount - batchesBefore, 1);
});

test("Connection: flush hands everything to the socket within the turn", async (t) => {
  const server = await host(t);
  const { connection } = await connectTo(t, server.address);
  connection.send(put(1));
  connection.flush();
  assert.equal(connection.queuedBytes, 0);
});

test("Connection: takes frames in any chunking", async (t) => {
  const server = await host(t);
  const socket = await rawSocket(t, server.listener.port);
  socket.setNoDelay(true);
  const bytes = Buffer.concat([helloFrom("slow"), put(1, 300), put(2)].map((m) => encodeFrame(m)));
  const accepted = server.nextAccepted();

  for (const byte of bytes) {
    socket.write(Uint8Array.of(byte));
    await new Promise(setImmediate);
  }

  const { recorder } = await accepted;
  assert.deepEqual(await recorder.received(2), [put(1, 300), put(2)]);
});

test("Connection: close lets what was sent before arrive, and tells both sides once", async (t) => {
  const server = await host(t);
  const { connection, recorder } = await connectTo(t, server.address);
  for (let id = 1; id <= 50; id += 1) connection.send(put(id, 50_000));

  connection.close();
  connection.send(put(51));

  const entry = server.first();
  assert.equal(await recorder.closed, null);
  assert.equal((await entry.recorder.closed)?.kind, "closed");
  assert.equal(entry.recorder.messages.length, 50);
  assert.equal(recorder.closeCount, 1);
  assert.equal(connection.isOpen, false);
});

test("Connection: close ends a connection that is not being read, without a wait", async (t) => {
  const server = await host(t);
  const { connection, recorder } = await connectTo(t, server.address);
  connection.pauseReading();
  server.first().connection.send(put(1, 100_000));
  server.first().connection.flush();
  const begun = performance.now();

  connection.close();

  assert.equal(await recorder.closed, null);
  assert.ok(performance.now() - begun < 900, "the other side's end was read");
  assert.equal(recorder.messages.length, 0, "nothing is handed over after close");
});

test("Connection: a peer that resets is an error value, not an event", async (t) => {
  const server = await host(t);
  const socket = await rawSocket(t, server.listener.port);
  const accepted = server.nextAccepted();
  socket.write(encodeFrame(helloFrom("rude")));
  const { connection, recorder } = await accepted;

  socket.resetAndDestroy();

  assert.equal((await recorder.closed)?.kind, "reset");
  connection.send(put(1));
  connection.flush();
  connection.close();
});

test("Connection: pauseReading holds messages back, resumeReading lets them come", async (t) => {
  const server = await host(t);
  const { connection, recorder } = await connectTo(t, server.address);
  const entry = server.first();
  entry.connection.pauseReading();
  for (let id = 1; id <= 3; id += 1) connection.send(put(id));
  connection.flush();

  // The other direction still works, and takes longer than the puts on their way here.
  entry.connection.send({ type: "Status", requestId: 7 });
  await recorder.received(1);
  assert.equal(entry.recorder.messages.length, 0);

  entry.connection.resumeReading();
  assert.deepEqual(requestIds(await entry.recorder.received(3)), [1, 2, 3]);
});

test("Connection: a side that never reads is dropped once its queue is over the limit", async (t) => {
  const server = await host(t, { queueMaxBytes: 1_000_000 });
  const socket = await rawSocket(t, server.listener.port);
  socket.pause();
  const accepted = server.nextAccepted();
  socket.write(encodeFrame(helloFrom("deaf")));
  const { connection, recorder } = await accepted;

  let sentBytes = 0;
  while (connection.isOpen && sentBytes < 200_000_000) {
    connection.send(put(1, 100_000));
    sentBytes += 100_000;
    assert.ok(connection.queuedBytes < 1_200_000);
    await new Promise(setImmediate);
  }

  assert.equal((await recorder.closed)?.kind, "overflow");
  assert.equal(connection.queuedBytes, 0);
});

test("Connection: a side that asks without reading is not read, then dropped", async (t) => {
  const server = await host(t, { keepAlive: { intervalMs: 40, silenceMs: 200 } });
  const socket = await rawSocket(t, server.listener.port);
  socket.pause();
  const accepted = server.nextAccepted();
  socket.write(encodeFrame(helloFrom("greedy")));
  const { connection, recorder } = await accepted;
  recorder.onMessage = () => connection.send(put(1, 1_000_000));
  const question = encodeFrame({ type: "Status", requestId: 1 });

  let peakBytes = 0;
  const asking = setInterval(() => {
    for (let i = 0; i < 10; i += 1) socket.write(question);
    peakBytes = Math.max(peakBytes, connection.queuedBytes);
  }, 5);
  const error = await recorder.closed;
  clearInterval(asking);

  assert.equal(error?.kind, "overflow");
  assert.ok(peakBytes < 16_000_000, `${peakBytes} bytes waited`);
});

test("Connection: a second hello breaks the protocol", async (t) => {
  const server = await host(t);
  const { connection, recorder } = await connectTo(t, server.address);
  connection.send(helloFrom("again"));
  assert.equal((await server.first().recorder.closed)?.kind, "protocol");
  assert.equal((await recorder.closed)?.kind, "closed");
});

test("NetworkStack: hears of what breaks the protocol, and of nothing else", async (t) => {
  const heard: Error[] = [];
  const stack = { ...systemStack, onViolation: (error: Error): void => void heard.push(error) };
  const server = await host(t, { stack });
  const first = await connectTo(t, server.address);
  first.connection.close();
  await server.first().recorder.closed;
  assert.deepEqual(heard, []);
  const { connection } = await connectTo(t, server.address);
  const accepted = server.accepted[1];
  assert.ok(accepted !== undefined);
  connection.send(helloFrom("again"));
  const closed = await accepted.recorder.closed;
  assert.deepEqual(heard, [closed]);
});

test("Connection: rubbish after the hello closes it as a fault of the other side", async (t) => {
  const server = await host(t);
  const rubbish = [
    Uint8Array.of(0, 0, 0, 0),
    Uint8Array.of(0xff, 0xff, 0xff, 0xff),
    Uint8Array.of(0, 0, 0, 3, 0xc1, 0xc1, 0xc1),
    encodeFrame(put(1)).fill(0xa5, 6),
  ];
  for (const bytes of rubbish) {
    const socket = await rawSocket(t, server.listener.port);
    const accepted = server.nextAccepted();
    socket.write(encodeFrame(helloFrom("vandal")));
    const { recorder } = await accepted;
    socket.write(bytes);
    assert.equal((await recorder.closed)?.kind, "protocol");
    assert.equal(recorder.messages.length, 0);
  }
});

test("Keep-alive: measures the round trip and answers pings", async (t) => {
  const server = await host(t);
  const { connection } = await connectTo(t, server.address, {
    keepAlive: { intervalMs: 10, silenceMs: 2000 },
  });
  assert.equal(connection.roundTripMs, null);
  while (connection.roundTripMs === null) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(connection.roundTripMs >= 0 && connection.roundTripMs < 1000);
});

test("Keep-alive: notices a side that is connected and says nothing", async (t) => {
  const { address } = await rawServer(t, (socket) => {
    socket.resume();
    socket.write(encodeFrame(helloFrom("n1")));
  });
  const { recorder } = await connectTo(t, address, {
    keepAlive: { intervalMs: 20, silenceMs: 100 },
  });
  assert.equal((await recorder.closed)?.kind, "silent");
});

test("Keep-alive: a stall of this process is not the other side's silence", async (t) => {
  const server = await host(t);
  const { connection, recorder } = await connectTo(t, server.address, {
    keepAlive: { intervalMs: 20, silenceMs: 100 },
  });
  // No ping under way: nothing will wait in the socket when the stall is over.
  while (connection.roundTripMs === null) await new Promise(setImmediate);
  const until = performance.now() + 400;
  while (performance.now() < until);
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(recorder.closeCount, 0);
  assert.equal(connection.isOpen, true);
});

test("Keep-alive: a Ping that a cut lost is asked again when the line is well, on both sides", async (t) => {
  const keepAlive = { intervalMs: 10, silenceMs: 60_000 };
  const server = await host(t, { keepAlive });
  const { connection } = await connectTo(t, server.address, { keepAlive });
  const ends = [connection, server.first().connection];
  for (const lost of [
    { sending: true, receiving: false },
    { sending: false, receiving: true },
  ]) {
    connection.lose(lost);
    // Longer than the interval: each side's next Ping is lost, or its Pong is.
    await new Promise((resolve) => setTimeout(resolve, 40));
    const before = ends.map((end) => end.roundTripMs);
    connection.lose({ sending: false, receiving: false });
    const measured = (end: typeof connection, at: number): boolean => {
      return end.roundTripMs !== before[at];
    };
    const untilMs = performance.now() + 5000;
    while (!ends.every(measured)) {
      assert.ok(performance.now() < untilMs, "an end has not heard of the other");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
});

test("Connection: held in order until the caller has it, even when all comes at once", async (t) => {
  const { address } = await rawServer(t, (socket) => {
    socket.write(Buffer.concat([helloFrom("n1"), put(1), put(2)].map((m) => encodeFrame(m))));
    socket.once("data", () => socket.end());
  });
  const { recorder } = await connectTo(t, address);
  assert.equal(recorder.messages.length, 0, "not before the connection is in hand");
  assert.deepEqual(requestIds(await recorder.received(2)), [1, 2]);
  assert.equal((await recorder.closed)?.kind, "closed");
});

test("Connection: onDrain tells that a grown queue has gone", async (t) => {
  const server = await host(t);
  const socket = await rawSocket(t, server.listener.port);
  socket.pause();
  const accepted = server.nextAccepted();
  socket.write(encodeFrame(helloFrom("late")));
  const { connection, recorder } = await accepted;
  for (let id = 0; id < 100; id += 1) connection.send(put(id, 100_000));
  connection.flush();
  assert.ok(connection.queuedBytes > 0);
  assert.equal(recorder.drainCount, 0);

  const drained = once(socket, "data");
  socket.resume();
  await drained;
  while (connection.queuedBytes > 0) await new Promise(setImmediate);
  await new Promise(setImmediate);

  assert.equal(recorder.drainCount, 1);
});

test("Connection: reading goes on after a backlog, though more is sent all the time", async (t) => {
  const server = await host(t);
  const { connection } = await connectTo(t, server.address);
  const { connection: sending, recorder } = server.first();
  for (let id = 0; id < 40; id += 1) sending.send(put(id, 100_000));
  assert.ok(sending.queuedBytes > 2_000_000, "over the limit above which it does not read");
  let isOver = false;
  const keepSending = (): void => {
    sending.send(put(1));
    if (!isOver) setImmediate(keepSending);
  };
  keepSending();

  connection.send({ type: "Status", requestId: 1 });
  await recorder.received(1);
  isOver = true;

  assert.ok(recorder.drainCount > 0);
});
