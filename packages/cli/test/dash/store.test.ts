import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { NodeEvent } from "@quorate/wire";
import fc from "fast-check";
import type { FeedLine } from "../../src/dash/event-feed.ts";
import { type ClusterState, emptyCluster, type LinkReport, reduce } from "../../src/dash/store.ts";
import { addressOf, eventOf, NOON, statusOf, SyntheticCluster } from "./synthetic.ts";

const THREE = ["n1", "n2", "n3"];

function feedOf(cluster: SyntheticCluster): readonly string[] {
  return cluster.state.feed.map(({ subject, text }) => `${subject ?? "all"} ${text}`);
}

function verdictOf(cluster: SyntheticCluster, id: string): string | undefined {
  return cluster.state.links.get(addressOf(id))?.verdict;
}

describe("store: events of before", () => {
  it("stand at the time that the nodes give them, before what was heard later", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    cluster.refuse("n3");
    cluster.events(
      "n2",
      [
        eventOf(8, "won the election", { wallMs: NOON - 7_000 }),
        eventOf(9, "lost a vote", { wallMs: NOON - 2_000 }),
      ],
      true,
    );
    cluster.events("n1", [eventOf(4, "voted for n2", { wallMs: NOON - 8_000 })], true);
    cluster.events("n1", [eventOf(5, "heard n2")]);
    const expected = ["n1 voted for n2", "n2 won the election", "n2 lost a vote"];
    const later = ["n3 process gone (connection refused)", "n1 heard n2"];
    assert.deepEqual(feedOf(cluster), [...expected, ...later]);
    assert.equal(cluster.state.feed[0]?.atMs, NOON - 8_000);
  });

  it("commits are left out, and what is older than half a day; repeats fold", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    const details = { firstIndex: 1, lastIndex: 9 };
    cluster.events(
      "n1",
      [
        eventOf(1, "started", { wallMs: NOON - 13 * 3_600_000 }),
        eventOf(2, "committed 1–9", { kind: "committed", wallMs: NOON - 5_000, details }),
        eventOf(3, "refused n3", { wallMs: NOON - 3_000 }),
        eventOf(4, "refused n3", { wallMs: NOON - 2_500 }),
      ],
      true,
    );
    assert.deepEqual(feedOf(cluster), ["n1 refused n3"]);
    assert.equal(cluster.state.feed[0]?.times, 2);
  });

  it("a clock that is ahead puts nothing into the future", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    cluster.events("n1", [eventOf(1, "started", { wallMs: NOON + 60_000 })], true);
    assert.equal(cluster.state.feed[0]?.atMs, NOON);
  });
});

describe("store: what is known of a node", () => {
  it("is live from its first state on", () => {
    const cluster = new SyntheticCluster(THREE);
    assert.equal(verdictOf(cluster, "n1"), "connecting");
    cluster.report(["n1"]);
    assert.equal(verdictOf(cluster, "n1"), "live");
  });

  it("a delta changes only the fields it names", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    const report: LinkReport = { kind: "delta", changed: { commitIndex: 1046 } };
    cluster.input({ kind: "link", address: addressOf("n1"), report });
    const expected = { ...statusOf("n1", THREE), commitIndex: 1046 };
    assert.deepEqual(cluster.state.links.get(addressOf("n1"))?.status, expected);
  });

  it("a delta before any state is not taken for a state", () => {
    const cluster = new SyntheticCluster(THREE);
    const report: LinkReport = { kind: "delta", changed: { commitIndex: 9 } };
    cluster.input({ kind: "link", address: addressOf("n1"), report });
    assert.equal(cluster.state.links.get(addressOf("n1"))?.status, null);
  });

  it("a report of a kind from the future changes nothing", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    const before = cluster.state;
    const report = { kind: "weather" } as unknown as LinkReport;
    cluster.input({ kind: "link", address: addressOf("n1"), report });
    assert.deepEqual(cluster.state, before);
  });

  it("a cut connection alone does not say that the process is gone", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    cluster.end("n3", "connecting", "the connection was cut");
    assert.equal(verdictOf(cluster, "n3"), "connecting");
    assert.deepEqual(feedOf(cluster), []);
  });

  it("a refused connection says so, once", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    cluster.refuse("n3");
    cluster.end("n3", "refused", "connection refused");
    cluster.end("n3", "connecting", "the connection was cut");
    assert.equal(verdictOf(cluster, "n3"), "refused");
    assert.deepEqual(feedOf(cluster), ["n3 process gone (connection refused)"]);
  });

  it("without a tick for 1.5 s it is silent, and not before", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    cluster.pass(1_250, ["n3"]);
    assert.equal(verdictOf(cluster, "n3"), "live");
    cluster.pass(250, ["n3"]);
    assert.equal(verdictOf(cluster, "n3"), "silent");
    assert.deepEqual(feedOf(cluster), ["n3 connected but silent for 1.5 s: paused or stuck"]);
  });

  it("a tick after silence brings it back with what it had", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    cluster.pass(3_000, ["n3"]);
    cluster.input({ kind: "link", address: addressOf("n3"), report: { kind: "tick" } });
    assert.equal(verdictOf(cluster, "n3"), "live");
    assert.equal(feedOf(cluster).at(-1), "n3 back after 3 s");
  });

  it("an unreachable node is told with who heard it last", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    const peers = statusOf("n1", THREE).peers.map((peer) => ({ ...peer, lastContactMs: 4_100 }));
    const report: LinkReport = { kind: "delta", changed: { peers } };
    cluster.input({ kind: "link", address: addressOf("n1"), report });
    cluster.input({ kind: "link", address: addressOf("n2"), report });
    cluster.end("n3", "unreachable", "no answer in time");
    const said = feedOf(cluster).at(-1);
    assert.equal(said, "n3 unreachable (no answer in time); n1 last heard it 4.1 s ago");
  });

  it("a new bootId is a restart, told with how far it is behind", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    cluster.refuse("n3");
    cluster.pass(12_000);
    cluster.report(["n3"], { bootId: "boot-2", lastLogIndex: 982 });
    assert.equal(feedOf(cluster).at(-1), "n3 back after 12 s (restarted); 63 entries behind");
  });
});

describe("store: events", () => {
  it("an event that is sent again after a resume is shown once", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    const events = [eventOf(1, "voted for n2 in term 7"), eventOf(2, "saw term 8")];
    cluster.events("n1", events);
    cluster.pass(2_000);
    cluster.events("n1", [...events, eventOf(3, "saw term 9")]);
    assert.deepEqual(feedOf(cluster), [
      "n1 voted for n2 in term 7",
      "n1 saw term 8",
      "n1 saw term 9",
    ]);
  });

  it("a restarted process counts its events anew", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    cluster.events("n1", [eventOf(9, "voted for n2 in term 7")]);
    cluster.report(["n1"], { bootId: "boot-2" });
    cluster.events("n1", [eventOf(1, "started")]);
    assert.equal(feedOf(cluster).at(-1), "n1 started");
  });

  it("commits of all nodes fold into one line a second", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    for (const [sequence, to] of [1, 2, 3, 4].entries()) {
      for (const id of THREE) {
        const details = { firstIndex: 1_040 + to, lastIndex: 1_040 + to };
        cluster.events(id, [eventOf(sequence + 1, "committed", { kind: "committed", details })]);
      }
    }
    assert.deepEqual(feedOf(cluster), ["all committed 1041–1044 (4 entries)"]);
    cluster.pass(1_000);
    const details = { firstIndex: 1_045, lastIndex: 1_045 };
    cluster.events("n1", [eventOf(9, "committed", { kind: "committed", details })]);
    assert.equal(feedOf(cluster).at(-1), "all committed 1045");
  });

  it("what a slower node tells again of commits does not reach back into earlier lines", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    const commit = (id: string, firstIndex: number, lastIndex: number) => {
      const details = { firstIndex, lastIndex };
      cluster.events(id, [eventOf(lastIndex, "", { kind: "committed", details })]);
    };
    commit("n2", 1, 100);
    cluster.pass(1_000);
    commit("n2", 101, 200);
    commit("n1", 50, 210);
    const said = ["all committed 1–100 (100 entries)", "all committed 101–210 (110 entries)"];
    assert.deepEqual(feedOf(cluster), said);
  });

  it("repeats within a second become ×n", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    cluster.events("n1", [eventOf(1, "refused n3"), eventOf(2, "refused n3")]);
    cluster.events("n2", [eventOf(1, "refused n3")]);
    const counted = cluster.state.feed.map(({ subject, times }) => [subject, times]);
    assert.deepEqual(counted, [
      ["n1", 2],
      ["n2", 1],
    ]);
  });

  it("a gap tells how many were lost", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    const report: LinkReport = { kind: "gap", lost: 7 };
    cluster.input({ kind: "link", address: addressOf("n1"), report });
    assert.deepEqual(feedOf(cluster), ["n1 7 events were not delivered"]);
  });

  it("the feed is bounded", () => {
    const cluster = new SyntheticCluster(["n1"]);
    cluster.report();
    cluster.events(
      "n1",
      Array.from({ length: 5_000 }, (_, at) => eventOf(at + 1, `event ${at}`)),
    );
    assert.equal(cluster.state.feed.length, 500);
    assert.equal(cluster.state.feed.at(-1)?.text, "event 4999");
  });
});

describe("store: the cluster", () => {
  it("says that quorum is lost and back, but not while it is still connecting", () => {
    const cluster = new SyntheticCluster(THREE);
    for (const id of THREE) {
      cluster.report([id]);
    }
    assert.deepEqual(feedOf(cluster), []);
    cluster.refuse("n3");
    cluster.refuse("n2");
    assert.ok(feedOf(cluster).includes("all quorum lost: 1 of 3 answer, 2 needed"));
    cluster.report(["n2"]);
    assert.ok(feedOf(cluster).includes("all quorum is back: 2 of 3 answer, 2 needed"));
  });

  it("says once that there is no leader, after a second without one", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    cluster.report(THREE, { role: "follower", leaderId: null, electionTimerLeft: 0.4 });
    cluster.pass(3_000);
    const said = feedOf(cluster).filter((text) => text.includes("no leader"));
    assert.deepEqual(said, ["all no leader for 1.0 s; writes are waiting"]);
  });

  it("of two leaders, the one of the higher term leads (Raft §5.1)", () => {
    const cluster = new SyntheticCluster(THREE);
    cluster.report();
    cluster.report(["n3"], { role: "leader", currentTerm: 8, votedFor: "n3", leaderId: "n3" });
    assert.equal(cluster.state.vitals.leaderId, "n3");
    assert.equal(cluster.state.vitals.term, 8);
  });

  it("counters that start again after a restart are no negative rate", () => {
    const cluster = new SyntheticCluster(["n1"]);
    cluster.report(["n1"], { writesApplied: 1_000 });
    cluster.pass(500);
    cluster.report(["n1"], { writesApplied: 1_100 });
    cluster.pass(500);
    cluster.report(["n1"], { writesApplied: 3, bootId: "boot-2" });
    cluster.pass(500);
    const rates = cluster.state.samples.map((sample) => sample.writesPerSecond);
    assert.deepEqual(rates, [null, 200, null]);
  });
});

describe("store: any trace", () => {
  const event = fc.record({
    kind: fc.constant("events" as const),
    texts: fc.array(fc.string(), { maxLength: 4 }),
  });
  const step = fc.oneof(
    event,
    fc.record({ kind: fc.constant("delta" as const), commitIndex: fc.nat(2_000) }),
    fc.record({ kind: fc.constant("tick" as const) }),
    fc.record({ kind: fc.constant("gap" as const), lost: fc.nat(100) }),
    fc.record({ kind: fc.constant("cut" as const) }),
    fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(3_000) }),
  );

  function replay(trace: readonly unknown[]): SyntheticCluster {
    const cluster = new SyntheticCluster(THREE);
    let sequence = 0;
    cluster.report();
    for (const part of trace as readonly Step[]) {
      if (part.kind === "events") {
        const events: NodeEvent[] = part.texts.map((text) => eventOf((sequence += 1), text));
        cluster.events("n1", events);
      } else if (part.kind === "cut") {
        cluster.refuse("n1");
      } else if (part.kind === "wait") {
        cluster.pass(part.ms, ["n1"]);
      } else {
        const report: LinkReport =
          part.kind === "delta"
            ? { kind: "delta", changed: { commitIndex: part.commitIndex } }
            : part.kind === "gap"
              ? { kind: "gap", lost: part.lost }
              : { kind: "tick" };
        cluster.input({ kind: "link", address: addressOf("n1"), report });
      }
    }
    return cluster;
  }

  type Step =
    | { readonly kind: "events"; readonly texts: readonly string[] }
    | { readonly kind: "delta"; readonly commitIndex: number }
    | { readonly kind: "tick" | "cut" }
    | { readonly kind: "gap"; readonly lost: number }
    | { readonly kind: "wait"; readonly ms: number };

  it("any prefix, a gap and a new state know the same as that state alone", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (trace) => {
        const cluster = replay(trace);
        const report: LinkReport = { kind: "gap", lost: 3 };
        cluster.input({ kind: "link", address: addressOf("n1"), report });
        cluster.report();
        const direct = new SyntheticCluster(THREE, cluster.atMs);
        direct.report();
        assert.deepEqual(knowledge(cluster.state), knowledge(direct.state));
      }),
    );
  });

  it("the same inputs give the same state, and none is changed in place", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (trace) => {
        const first = replay(trace);
        const frozen = structuredClone(first.state);
        assert.deepEqual(replay(trace).state, frozen);
        first.pass(5_000);
        assert.deepEqual(replay(trace).state, frozen);
      }),
    );
  });

  it("feed lines are numbered upwards without a gap", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (trace) => {
        const numbers = replay(trace).state.feed.map((line: FeedLine) => line.number);
        const expected = numbers.map((_, at) => (numbers[0] ?? 0) + at);
        assert.deepEqual(numbers, expected);
      }),
    );
  });
});

function knowledge(state: ClusterState): unknown {
  const links = [...state.links.values()].map(({ status, verdict }) => ({ status, verdict }));
  return { links, vitals: state.vitals };
}

describe("store: the empty cluster", () => {
  it("knows nothing and says nothing", () => {
    const state = reduce(emptyCluster(NOON), { kind: "clock" }, NOON + 10_000);
    assert.equal(state.vitals.known, false);
    assert.deepEqual(state.feed, []);
  });
});
