import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { test } from "node:test";
import type { Hello, LinkFault, NodeId, PreVote, RaftMessage } from "@quorate/wire";
import { configurationOf } from "@quorate/wire";
import type { Listener } from "@quorate/wire/net";
import { listen } from "@quorate/wire/net";
import type { TransportHandlers } from "../../src/ports/transport.ts";
import { systemClock } from "../../src/server/system-clock.ts";
import { systemRandom } from "../../src/server/system-random.ts";
import type { PeerLinkLimits } from "../../src/transport/peer-link.ts";
import { PEER_LINK_DEFAULTS, TcpTransport } from "../../src/transport/tcp-transport.ts";
import { eventually, freePorts } from "../server/local-servers.ts";
import { clientHello, RawClient } from "../server/raw-client.ts";

function helloOf(from: NodeId, to: NodeId | null, bootId = "boot"): Hello {
  const peer = { role: "peer", incarnation: `i-${from}`, advertiseAddress: null } as const;
  return clientHello({ ...peer, clusterId: "test", from, to, bootId });
}

function preVote(term: number): PreVote {
  return { type: "PreVote", term, candidateId: "n1", lastLogIndex: 0, lastLogTerm: 0 };
}

/** One end: a transport and its listener, and what the transport told. */
class End implements TransportHandlers {
  readonly told: string[] = [];
  readonly received: RaftMessage[] = [];
  readonly transport: TcpTransport;
  listener: Listener | null = null;

  constructor(
    id: NodeId,
    peers: readonly { id: NodeId; address: string }[],
    limits: Partial<PeerLinkLimits> = {},
  ) {
    this.transport = new TcpTransport({
      peers,
      helloTo: (peer, bulk) => ({ ...helloOf(id, peer), capabilities: bulk ? ["bulk"] : [] }),
      limits: {
        ...PEER_LINK_DEFAULTS,
        connectTimeoutMs: 100,
        pingIntervalMs: 40,
        silenceMs: 400,
        queueMaxBytes: 64 * 1024,
        farewellMs: 200,
        ...limits,
      },
      clock: systemClock,
      random: systemRandom,
      onRefused: (peer, { code }) => this.told.push(`${peer} refuses: ${code}`),
    });
  }

  async listen(id: NodeId, port: number, refuse = false): Promise<void> {
    this.listener = await listen({
      host: "127.0.0.1",
      port,
      connectionsMax: 10,
      helloTimeoutMs: 2000,
      accept: async (hello) => {
        if (this.transport.isCutOff(hello.from)) await new Promise(() => undefined);
        return refuse
          ? { type: "HelloRefused", code: "notMember", message: "no member", remedy: "join" }
          : helloOf(id, null);
      },
      onConnection: (connection) => this.transport.accept(connection),
    });
  }

  onMessage(from: NodeId, message: RaftMessage): void {
    this.told.push(`${from} ${message.type} ${message.term}`);
    this.received.push(message);
  }

  onBatchEnd(): void {
    this.told.push("batch");
  }

  onPeerConnected(peer: NodeId): void {
    this.told.push(`${peer} connected`);
  }

  onPeerDown(peer: NodeId, refused: boolean): void {
    this.told.push(`${peer} ${refused ? "gone" : "down"}`);
  }

  async close(): Promise<void> {
    await this.transport.close();
    await this.listener?.close();
  }

  async until(what: string): Promise<void> {
    await eventually(() => (this.told.includes(what) ? true : undefined));
  }
}

/** What `direction` of the line to `peer` does to messages. */
function fault(
  peer: NodeId,
  direction: LinkFault["direction"],
  change: Partial<LinkFault> = {},
): LinkFault {
  return { peer, direction, dropRate: 1, delayMs: 0, ...change };
}

async function connectedPair(t: TestContext): Promise<{ n1: End; n2: End; port: number }> {
  const [port1, port2] = await freePorts(2);
  assert.ok(port1 !== undefined && port2 !== undefined);
  const n1 = new End("n1", [{ id: "n2", address: `127.0.0.1:${port2}` }]);
  const n2 = new End("n2", [{ id: "n1", address: `127.0.0.1:${port1}` }]);
  t.after(() => n1.close());
  t.after(() => n2.close());
  await n1.listen("n1", port1);
  await n2.listen("n2", port2);
  n1.transport.start(n1);
  n2.transport.start(n2);
  await Promise.all([n1.until("n2 connected"), n2.until("n1 connected")]);
  return { n1, n2, port: port2 };
}

test("TcpTransport: what is sent in a turn arrives as one batch", async (t) => {
  const { n1, n2 } = await connectedPair(t);
  n2.told.length = 0;
  for (const term of [1, 2, 3]) n1.transport.send("n2", preVote(term));
  n1.transport.send("n9", preVote(4));
  n1.transport.flush();
  await n2.until("batch");
  assert.deepEqual(n2.told, ["n1 PreVote 1", "n1 PreVote 2", "n1 PreVote 3", "batch"]);
  const { connected, lastContactMs } = n2.transport.contact("n1");
  assert.equal(connected, true);
  assert.ok(lastContactMs !== null && lastContactMs < 5000);
});

test("TcpTransport: a peer whose process is gone is down, then refused, at once", async (t) => {
  const { n1, n2 } = await connectedPair(t);
  const beganMs = performance.now();
  await n2.close();
  await n1.until("n2 gone");
  assert.ok(performance.now() - beganMs < 1000);
  assert.deepEqual(
    n1.told.filter((line) => line.startsWith("n2 ")),
    ["n2 connected", "n2 down", "n2 gone"],
  );
  n1.transport.send("n2", preVote(1));
  assert.equal(n1.transport.contact("n2").connected, false);
});

test("TcpTransport: a peer that comes back is found again, at once when it calls", async (t) => {
  const { n1, n2, port } = await connectedPair(t);
  await n2.close();
  await n1.until("n2 gone");
  n1.told.length = 0;
  const address = `127.0.0.1:${n1.listener?.port ?? 0}`;
  const back = new End("n2", [{ id: "n1", address }]);
  t.after(() => back.close());
  await back.listen("n2", port);
  back.transport.start(back);
  await n1.until("n2 connected");
  n1.transport.send("n2", preVote(5));
  await back.until("n1 PreVote 5");
});

test("TcpTransport: a newer connection of a peer replaces the older one", async (t) => {
  const [port] = await freePorts(1);
  assert.ok(port !== undefined);
  const n2 = new End("n2", []);
  t.after(() => n2.close());
  await n2.listen("n2", port);
  n2.transport.start(n2);
  const older = await RawClient.connect(`127.0.0.1:${port}`, helloOf("n1", "n2", "boot-1"));
  older.connection.send(preVote(1));
  await n2.until("n1 PreVote 1");
  const newer = await RawClient.connect(`127.0.0.1:${port}`, helloOf("n1", "n2", "boot-2"));
  older.connection.send(preVote(2));
  newer.connection.send(preVote(3));
  await n2.until("n1 PreVote 3");
  await older.until(() => older.closed ?? undefined);
  assert.deepEqual(
    n2.received.map(({ term }) => term),
    [1, 3],
  );
  newer.close();
});

test("TcpTransport: messages for a peer that does not read are dropped, not kept", async (t) => {
  const { n1, n2 } = await connectedPair(t);
  const data = new Uint8Array(60 * 1024);
  const entry = { index: 1, term: 1, kind: "command", data } as const;
  for (let sent = 0; sent < 100; sent += 1) {
    n1.transport.send("n2", {
      type: "AppendEntries",
      term: 1,
      leaderId: "n1",
      prevLogIndex: 0,
      prevLogTerm: 0,
      entries: [entry],
      leaderCommit: 0,
      round: sent,
    });
  }
  await n2.until("batch");
  await eventually(() => (n2.received.length >= 2 ? true : undefined));
  assert.equal(n2.received.length, 2);
});

test("TcpTransport: a client's message from a peer ends that connection", async (t) => {
  const { n2 } = await connectedPair(t);
  const peer = await RawClient.connect(`127.0.0.1:${n2.listener?.port ?? 0}`, helloOf("n1", "n2"));
  peer.send({ type: "Status" });
  await peer.until(() => peer.closed ?? undefined);
  assert.equal(n2.received.length, 0);
});

test("TcpTransport: a refused hello is told once, with its code", async (t) => {
  const [port1, port2] = await freePorts(2);
  assert.ok(port1 !== undefined && port2 !== undefined);
  const n1 = new End("n1", [{ id: "n2", address: `127.0.0.1:${port2}` }]);
  const n2 = new End("n2", []);
  t.after(() => n1.close());
  t.after(() => n2.close());
  await n2.listen("n2", port2, true);
  n1.transport.start(n1);
  await n1.until("n2 refuses: notMember");
  assert.deepEqual(n1.told, ["n2 refuses: notMember"]);
});

test("TcpTransport: a peer that moves is dialed where the members say, and where it says itself", async (t) => {
  const { n1, n2 } = await connectedPair(t);
  const [port] = await freePorts(1);
  assert.ok(port !== undefined);
  const moved = new End("n2", []);
  t.after(() => moved.close());
  await moved.listen("n2", port);
  moved.transport.start(moved);
  n1.transport.setPeers([{ id: "n2", address: `127.0.0.1:${port}` }], []);
  await eventually(() => (n1.transport.contact("n2").connected ? true : undefined));
  n1.transport.send("n2", preVote(7));
  await moved.until("n1 PreVote 7");
  assert.equal(n2.received.length, 0);
  const back = { advertiseAddress: `127.0.0.1:${n2.listener?.port ?? 0}` };
  const caller = await RawClient.connect(`127.0.0.1:${n1.listener?.port ?? 0}`, {
    ...helloOf("n2", "n1", "boot-2"),
    ...back,
  });
  await eventually(() => (n1.transport.contact("n2").connected ? true : undefined));
  n1.transport.send("n2", preVote(8));
  await n2.until("n1 PreVote 8");
  caller.close();
});

test("TcpTransport: a removed peer can still be told, then it is dropped", async (t) => {
  const { n1, n2 } = await connectedPair(t);
  n1.transport.setPeers([], ["n2"]);
  n1.transport.send("n2", preVote(3));
  await n2.until("n1 PreVote 3");
  await eventually(() => (n1.transport.contact("n2").connected ? undefined : true));
  n1.transport.send("n2", preVote(4));
  await n2.until("n1 down");
  assert.deepEqual(
    n2.received.map(({ term }) => term),
    [3],
  );
});

test("TcpTransport: snapshots travel on a connection of their own, messages go past them", async (t) => {
  const { n1, n2 } = await connectedPair(t);
  const piece: RaftMessage = {
    type: "InstallSnapshot",
    term: 1,
    leaderId: "n1",
    lastIncludedIndex: 9,
    lastIncludedTerm: 1,
    configuration: configurationOf({ voters: ["n1", "n2"] }),
    configurationIndex: 0,
    snapshotId: "s1",
    totalBytes: 5_000_000,
    offset: 0,
    data: new Uint8Array(5_000_000),
    done: true,
  };
  n1.transport.sendBulk("n2", piece);
  await n2.until("n1 InstallSnapshot 1");
  n1.transport.sendBulk("n2", piece);
  n1.transport.send("n2", preVote(2));
  n1.transport.flush();
  await eventually(() => (n2.received.length === 3 ? true : undefined));
  assert.deepEqual(
    n2.received.map(({ type }) => type),
    ["InstallSnapshot", "PreVote", "InstallSnapshot"],
  );
  assert.equal(n2.listener?.connections.size, 2);
});

test("TcpTransport: a line that is cut one way loses what is sent that way, and nothing else", async (t) => {
  const { n1, n2 } = await connectedPair(t);
  n1.transport.setFaults([fault("n2", "to")]);
  n1.transport.send("n2", preVote(1));
  n2.transport.send("n1", preVote(2));
  await n1.until("n2 PreVote 2");
  n1.transport.setFaults([fault("n2", "from")]);
  n2.transport.send("n1", preVote(3));
  n1.transport.send("n2", preVote(4));
  await n2.until("n1 PreVote 4");
  n1.transport.setFaults([]);
  n2.transport.send("n1", preVote(5));
  await n1.until("n2 PreVote 5");
  const terms = (end: End): number[] => end.received.map(({ term }) => term);
  assert.deepEqual(terms(n1), [2, 5]);
  assert.deepEqual(terms(n2), [4]);
});

test("TcpTransport: a cut line falls silent, is given up by both ends, and carries no new connection", async (t) => {
  const { n1, n2 } = await connectedPair(t);
  n1.told.length = 0;
  n2.told.length = 0;
  n1.transport.setFaults([fault("n2", "to"), fault("n2", "from")]);
  assert.equal(n1.transport.isCutOff("n2"), true);
  await Promise.all([n1.until("n2 down"), n2.until("n1 down")]);
  assert.equal(n1.transport.contact("n2").connected, false);
  n1.transport.send("n2", preVote(1));
  n2.transport.send("n1", preVote(2));
  n1.transport.setFaults([]);
  await Promise.all([n1.until("n2 connected"), n2.until("n1 connected")]);
  assert.deepEqual([...n1.received, ...n2.received], []);
});

test("TcpTransport: a line that is cut no more is dialed at once, not when its turn comes", async (t) => {
  const [port] = await freePorts(1);
  assert.ok(port !== undefined);
  const peers = [{ id: "n2", address: `127.0.0.1:${port}` }];
  const n1 = new End("n1", peers, { connectTimeoutMs: 60_000 });
  // It calls nobody: that would wake n1.
  const n2 = new End("n2", []);
  t.after(() => n1.close());
  t.after(() => n2.close());
  await n2.listen("n2", port);
  n2.transport.start(n2);
  n1.transport.start(n1);
  await n1.until("n2 connected");
  n1.transport.setFaults([fault("n2", "to")]);
  // The loss is found by silence, and the next attempt put off for as long as one may take.
  await n1.until("n2 down");
  n1.told.length = 0;
  n1.transport.setFaults([]);
  await n1.until("n2 connected");
  n1.transport.send("n2", preVote(3));
  await n2.until("n1 PreVote 3");
});

test("TcpTransport: a slow line delivers later and in order, a lossy one a part", async (t) => {
  const { n1, n2 } = await connectedPair(t);
  n1.transport.setFaults([fault("n2", "to", { dropRate: 0, delayMs: 60 })]);
  const beganMs = performance.now();
  for (const term of [1, 2, 3]) n1.transport.send("n2", preVote(term));
  await n2.until("n1 PreVote 3");
  assert.ok(performance.now() - beganMs >= 55);
  assert.deepEqual(
    n2.received.map(({ term }) => term),
    [1, 2, 3],
  );
  n1.transport.setFaults([fault("n2", "to", { dropRate: 0.5 })]);
  for (let term = 10; term < 410; term += 1) n1.transport.send("n2", preVote(term));
  n1.transport.setFaults([]);
  n1.transport.send("n2", preVote(1000));
  await n2.until("n1 PreVote 1000");
  const passed = n2.received.length - 4;
  assert.ok(passed > 120 && passed < 280, `${passed} of 400`);
});
