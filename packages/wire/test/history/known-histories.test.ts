import assert from "node:assert/strict";
import { test } from "node:test";

import { checkHistory, formatVerdict } from "@quorate/wire/history";
import type { HistoryHeader, Operation, Verdict, Violation } from "@quorate/wire/history";

/**
 * A history as pictures in papers show it: `client call return operation`, a line each. `return`
 * is `?` where nobody knows, and `x` where the operation surely failed. Operations: `get k v`
 * (`-`: nothing), `put k v`, `del k`, `cas k old new ok|no`, and objects as JSON.
 */
function read(text: string): Operation[] {
  return text
    .trim()
    .split("\n")
    .map((line): Operation => {
      const [client = "", call = "", end = "", ...words] = line.trim().split(/\s+/u);
      const { op, result } = readWords(words);
      const base = { client, call: Number(call), op };
      if (end === "?") return { ...base, outcome: "info" } as Operation;
      if (end.endsWith("x")) {
        return { ...base, outcome: "fail", return: Number(end.slice(0, -1)) } as Operation;
      }
      return { ...base, outcome: "ok", return: Number(end), result } as Operation;
    });
}

function readWords(words: readonly string[]): { readonly op: object; readonly result: object } {
  const [kind = "", key = "", first = "", second = "", third = ""] = words;
  switch (kind) {
    case "get":
      return { op: { kind, key }, result: { value: first === "-" ? null : first } };
    case "put":
      return { op: { kind, key, value: first }, result: {} };
    case "del":
      return { op: { kind: "delete", key }, result: {} };
    case "cas": {
      const expect = first === "-" ? null : first;
      return { op: { kind, key, expect, value: second }, result: { applied: third === "ok" } };
    }
    default: {
      const [op, result] = JSON.parse(words.join(" ")) as [object, object];
      return { op, result };
    }
  }
}

function check(text: string, header: HistoryHeader = { history: 1 }): Verdict {
  return checkHistory({ header, operations: read(text) });
}

function violation(verdict: Verdict): Violation {
  assert.equal(verdict.kind, "violation", formatVerdict(verdict));
  return verdict as Violation;
}

interface Known {
  readonly name: string;
  readonly history: string;
  readonly isGood: boolean;
}

const KNOWN: readonly Known[] = [
  {
    name: "Herlihy & Wing 1990, register of H4: concurrent writes in either order",
    isGood: true,
    history: `
      A 0 10 put x 0
      B 5 15 put x 1
      A 20 25 get x 0
      A 26 30 get x 0`,
  },
  {
    name: "Herlihy & Wing 1990, register: the two readers order the writes differently",
    isGood: false,
    history: `
      A 0 10 put x 0
      B 5 15 put x 1
      A 20 25 get x 1
      C 26 30 get x 0`,
  },
  {
    name: "Herlihy & Wing 1990: a pending write that was seen has taken effect",
    isGood: true,
    history: `
      A 0 5 put x 0
      B 6 ? put x 1
      A 10 12 get x 1
      C 13 15 get x 1`,
  },
  {
    name: "Herlihy & Wing 1990: a pending write that was seen cannot be unseen",
    isGood: false,
    history: `
      A 0 5 put x 0
      B 6 ? put x 1
      A 10 12 get x 1
      C 13 15 get x 0`,
  },
  {
    name: "Gibbons & Korach 1997: forward zones that overlap",
    isGood: false,
    history: `
      A 0 5 put x 1
      B 3 8 put x 2
      C 10 12 get x 1
      D 13 15 get x 2
      C 16 18 get x 1`,
  },
  {
    name: "Gibbons & Korach 1997: a backward zone within a forward one",
    isGood: false,
    history: `
      A 0 5 put x 1
      B 7 9 put x 2
      C 11 14 get x 1`,
  },
  {
    name: "Gibbons & Korach 1997: a backward zone that only reaches into a forward one",
    isGood: true,
    history: `
      A 0 5 put x 1
      B 4 9 put x 2
      C 11 14 get x 1`,
  },
  {
    name: "Gibbons & Korach 1997: a read that ends before its write begins",
    isGood: false,
    history: `
      A 0 5 put x 1
      C 6 7 get x 2
      B 8 9 put x 2`,
  },
  {
    name: "stale read: a follower that missed the last write",
    isGood: false,
    history: `
      A 0 5 put x old
      A 6 9 put x new
      B 10 12 get x old`,
  },
  {
    name: "stale read of nothing, after a write was acknowledged",
    isGood: false,
    history: `
      A 0 5 put x 1
      B 6 7 get x -`,
  },
  {
    name: "non-monotonic reads: new, then old, while the write is under way",
    isGood: false,
    history: `
      A 0 5 put x old
      A 6 90 put x new
      B 10 20 get x new
      C 30 40 get x old`,
  },
  {
    name: "lost update: both compare-and-sets from one value succeed",
    isGood: false,
    history: `
      A 0 5 put x 0
      A 6 20 cas x 0 1 ok
      B 7 21 cas x 0 2 ok`,
  },
  {
    name: "compare-and-set: one of two wins, the loser sees it",
    isGood: true,
    history: `
      A 0 5 put x 0
      A 6 20 cas x 0 1 ok
      B 7 21 cas x 0 2 no
      B 22 25 get x 1`,
  },
  {
    name: "compare-and-set: it fails though the value is what it wants all the time",
    isGood: false,
    history: `
      A 0 5 put x 0
      B 7 21 cas x 0 2 no
      B 22 25 get x 0`,
  },
  {
    name: "compare-and-set of unknown end that must have taken effect",
    isGood: true,
    history: `
      A 0 5 put x 0
      B 7 ? cas x 0 1
      C 9 ? cas x 1 2
      A 30 35 get x 2`,
  },
  {
    name: "dirty write: a write that surely failed is read",
    isGood: false,
    history: `
      A 0 5 put x 1
      B 6 9x put x 2
      C 10 12 get x 2`,
  },
  {
    name: "a write of unknown end may take effect long after",
    isGood: true,
    history: `
      A 0 ? put x late
      B 5 9 put x 1
      C 10 12 get x 1
      C 20 22 get x late`,
  },
  {
    name: "a write of unknown end takes effect once",
    isGood: false,
    history: `
      A 0 ? put x late
      C 10 12 get x late
      B 13 15 put x 1
      C 16 18 get x 1
      C 20 22 get x late`,
  },
  {
    name: "deleted: resurrected by a lagging node",
    isGood: false,
    history: `
      A 0 5 put x 1
      A 6 9 del x
      B 10 12 get x -
      C 13 15 get x 1`,
  },
  {
    name: "porcupine kv: gets that overlap a put see either side of it",
    isGood: true,
    history: `
      A 0 5 put x 1
      B 6 30 put x 2
      C 7 12 get x 1
      D 8 20 get x 2
      C 21 25 get x 2`,
  },
  {
    name: "porcupine kv: locality, each key is right and the keys are independent",
    isGood: true,
    history: `
      A 0 10 put x 1
      B 0 10 put y 1
      C 1 9 get x 1
      C 11 20 get y 1
      D 1 9 get y -
      D 11 20 get x 1`,
  },
  {
    name: "Jepsen register: a cas between two reads of the old value",
    isGood: false,
    history: `
      A 0 5 put x 3
      B 6 9 cas x 3 4 ok
      C 7 8 get x 3
      A 10 12 get x 4
      C 13 14 get x 3`,
  },
  {
    name: "Jepsen register: values come again, and that is no stale read",
    isGood: true,
    history: `
      A 0 5 put x 3
      B 6 9 put x 4
      A 10 12 get x 4
      B 13 15 put x 3
      C 16 18 get x 3`,
  },
  {
    name: "write skew: both transactions saw the other's key unset",
    isGood: false,
    history: `
      A 0 10 [{"kind":"txn","compares":[{"key":"x","value":null}],"success":[{"kind":"put","key":"y","value":"1"}],"failure":[]},{"succeeded":true}]
      B 0 10 [{"kind":"txn","compares":[{"key":"y","value":null}],"success":[{"kind":"put","key":"x","value":"1"}],"failure":[]},{"succeeded":true}]`,
  },
  {
    name: "transactions: one of the two saw the other's key",
    isGood: true,
    history: `
      A 0 10 [{"kind":"txn","compares":[{"key":"x","value":null}],"success":[{"kind":"put","key":"y","value":"1"}],"failure":[]},{"succeeded":true}]
      B 0 10 [{"kind":"txn","compares":[{"key":"y","value":null}],"success":[{"kind":"put","key":"x","value":"1"}],"failure":[]},{"succeeded":false}]`,
  },
  {
    name: "fractured read: half of a transaction is seen",
    isGood: false,
    history: `
      A 0 10 [{"kind":"txn","compares":[],"success":[{"kind":"put","key":"x","value":"1"},{"kind":"put","key":"y","value":"1"}],"failure":[]},{"succeeded":true}]
      B 20 30 [{"kind":"txn","compares":[],"success":[{"kind":"get","key":"x"},{"kind":"get","key":"y"}],"failure":[]},{"succeeded":true,"results":[{"value":"1"},{"value":null}]}]`,
  },
  {
    name: "range: leaves out a key that was there all the time",
    isGood: false,
    history: `
      A 0 10 put a 1
      A 11 20 put b 1
      B 21 30 [{"kind":"range","from":"a","to":"c"},{"entries":[{"key":"b","value":"1"}]}]`,
  },
  {
    name: "range: shows two keys that were never there at one time",
    isGood: false,
    history: `
      A 0 10 put a 1
      A 11 20 del a
      A 21 30 put b 1
      B 5 40 [{"kind":"range","from":"a","to":null},{"entries":[{"key":"a","value":"1"},{"key":"b","value":"1"}]}]`,
  },
  {
    name: "range: its limit cuts, and what is behind it is not looked at",
    isGood: true,
    history: `
      A 0 10 put a 1
      A 11 20 put b 1
      B 21 30 [{"kind":"range","from":"a","to":null,"limit":1},{"entries":[{"key":"a","value":"1"}]}]`,
  },
  {
    name: "range: keys out of order",
    isGood: false,
    history: `
      A 0 10 put a 1
      A 11 20 put b 1
      B 21 30 [{"kind":"range","from":"a","to":null},{"entries":[{"key":"b","value":"1"},{"key":"a","value":"1"}]}]`,
  },
  {
    name: "revisions: a conditional put at a revision that is over",
    isGood: false,
    history: `
      A 0 5 [{"kind":"put","key":"x","value":"1"},{"revision":1}]
      A 6 9 [{"kind":"put","key":"x","value":"2"},{"revision":2}]
      B 10 15 [{"kind":"put","key":"x","value":"3","ifRevision":1},{"revision":3}]`,
  },
  {
    name: "revisions: an equal value of another revision is another write's",
    isGood: false,
    history: `
      A 0 5 [{"kind":"put","key":"x","value":"1"},{"revision":1}]
      A 6 9 [{"kind":"put","key":"x","value":"1"},{"revision":2}]
      B 10 15 [{"kind":"get","key":"x"},{"value":"1","revision":1}]`,
  },
];

const DRAWN = `not linearizable: key x (shown by the lifetimes of its values)
No order of these 3 operations respects real time and explains every answer. As far as this order fits: put x = old → ok; get x → new; then x holds new; C's get x → old has no place.

     client  operation         call  return
  A  A       put x = old → ok     0       5  ├────┤
  ·  A       put x = new → ok     6      90            ├────────────────────────┤
  B  B       get x → new         10      20                 ├────┤
✗ C  C       get x → old         30      40                           ├────┤
· wrote what is read here: it may stand anywhere in time's order, or nowhere`;

for (const { name, history, isGood } of KNOWN) {
  test(`${isGood ? "linearizable" : "a violation"}: ${name}`, () => {
    const verdict = check(history);
    assert.equal(verdict.kind, isGood ? "linearizable" : "violation", formatVerdict(verdict));
  });
}

test("window: a stale read is reported with the one write that makes it stale", () => {
  const quiet = Array.from({ length: 200 }, (_, at) => `A ${at * 10} ${at * 10 + 5} put x v${at}`);
  const reads = Array.from(
    { length: 200 },
    (_, at) => `B ${at * 10 + 6} ${at * 10 + 9} get x v${at === 150 ? 140 : at}`,
  );
  const found = violation(check([...quiet, ...reads].join("\n")));
  assert.ok(found.window.length <= 3, formatVerdict(found));
  const { culprit } = found;
  assert.ok(culprit?.op.kind === "get" && found.window.includes(culprit));
  assert.equal(culprit.call, 1506);
});

test("window: of five operations the three that contradict each other are shown, drawn", () => {
  const verdict = check(`
    A 0 5 put x old
    A 6 90 put x new
    B 10 20 get x new
    C 30 40 get x old
    D 12 41 get x new`);
  assert.equal(formatVerdict(verdict), DRAWN);
});

test("void: nothing completed, a client that overlaps itself, a store that was not empty", () => {
  const reasons = [
    ["A 0 ? put x 1", "empty"],
    ["A 0 9 put x 1\nA 5 12 put x 2", "overlap"],
    ["A 0 9 get x 1\nB 5 12 put x 2", "dirtyStart"],
  ] as const;
  for (const [history, reason] of reasons) {
    const verdict = check(history);
    assert.ok(verdict.kind === "void" && verdict.reason === reason, formatVerdict(verdict));
  }
});

test("void: two writes under one log position", () => {
  const operations = read("A 0 9 put x 1\nB 0 9 put y 1").map(
    (operation) => ({ ...operation, index: 7 }) as Operation,
  );
  const verdict = checkHistory({ header: { history: 1 }, operations });
  assert.ok(verdict.kind === "void" && verdict.reason === "duplicate");
  const { kind } = checkHistory({ header: { history: 1 }, operations }, { usePositions: false });
  assert.equal(kind, "linearizable");
});

test("start: what the header says the store held may be read", () => {
  const header: HistoryHeader = { history: 1, initial: [{ key: "x", value: "0", revision: 4 }] };
  assert.equal(
    check("A 0 9 get x 0\nA 10 12 put x 1\nA 13 15 get x 1", header).kind,
    "linearizable",
  );
  violation(check("A 0 9 put x 1\nA 10 12 get x 0", header));
  violation(check("A 0 9 get x -", header));
});

test("positions: an order that contradicts real time is reported as that", () => {
  const [first, second] = read("A 0 9 put x 1\nA 10 19 put y 1");
  const operations = [
    { ...first, index: 5 },
    { ...second, index: 4 },
  ] as Operation[];
  const verdict = violation(checkHistory({ header: { history: 1 }, operations }));
  assert.equal(verdict.problem, "positionAgainstTime");
  assert.match(verdict.explanation, /log position is 5, behind 4/u);
  const { kind } = checkHistory({ header: { history: 1 }, operations }, { usePositions: false });
  assert.equal(kind, "linearizable");
});

test("positions: where they make no order the other tiers decide", () => {
  const operations = read("A 0 20 put x 1\nB 1 20 put x 2\nC 21 25 get x 1").map(
    (operation, at) => ({ ...operation, index: [1, 2, 2][at] }) as Operation,
  );
  const verdict = checkHistory({ header: { history: 1 }, operations });
  assert.ok(verdict.kind === "linearizable" && verdict.tier === "zones", formatVerdict(verdict));
});

test("budget: what cannot be decided in so many steps is unknown, by name", () => {
  const writers = Array.from({ length: 9 }, (_, at) => `W${at} 0 100 cas x v${at} v${at + 1} ok`);
  const verdict = check([...writers, "A 0 100 put x v0"].join("\n"));
  assert.equal(verdict.kind, "linearizable");
  const history = read(writers.join("\n"));
  const limited = checkHistory({ header: { history: 1 }, operations: history }, { stepsMax: 1 });
  assert.equal(limited.kind, "violation", "a value that nobody wrote needs no search");
  const open = read([...writers, "A 0 100 put x v0", "B 101 105 get x v3"].join("\n"));
  const stopped = checkHistory({ header: { history: 1 }, operations: open }, { stepsMax: 5 });
  assert.ok(stopped.kind === "unknown" && stopped.why === "steps", formatVerdict(stopped));
  assert.deepEqual(stopped.keys, ["x"]);
});

test("budget: time is told by the clock that is passed in", () => {
  const writers = Array.from({ length: 9 }, (_, at) => `W${at} 0 100 cas x v${at} v${at + 1} ok`);
  const operations = read([...writers, "A 0 100 put x v0"].join("\n"));
  let now = 0;
  const options = { budgetMs: 10, now: () => (now += 20) };
  const verdict = checkHistory({ header: { history: 1 }, operations }, options);
  assert.ok(verdict.kind === "unknown" && verdict.why === "time", formatVerdict(verdict));
});

test("positions: of a write that its session repeated the repeat's; the revisions make the order", () => {
  const operations = read(`
    A 0 9 [{"kind":"put","key":"x","value":"1"},{"revision":1}]
    B 10 19 [{"kind":"delete","key":"x"},{"revision":2,"deleted":true}]
    C 20 60 [{"kind":"put","key":"x","value":"2"},{"revision":3,"created":true}]
    D 21 29 [{"kind":"put","key":"x","value":"3"},{"revision":4,"created":false}]
    E 40 49 [{"kind":"get","key":"x"},{"value":"3","revision":4}]
    F 61 69 [{"kind":"get","key":"x"},{"value":"3","revision":4}]
    G 70 79 [{"kind":"delete","key":"x","ifRevision":3},{"applied":false}]
    H 80 89 [{"kind":"delete","key":"x"},{"revision":5,"deleted":true}]
    I 90 99 [{"kind":"delete","key":"x"},{"revision":5,"deleted":false}]`);
  const indexes = [1, 2, 5, 4, 4, 5, undefined, 6, 7];
  const positioned = operations.map((operation, at) => {
    const index = indexes[at];
    return index === undefined ? operation : ({ ...operation, index } as Operation);
  });
  const verdict = checkHistory({ header: { history: 1 }, operations: positioned });
  assert.ok(verdict.kind === "linearizable" && verdict.tier === "witness", formatVerdict(verdict));
});

test("unknown: names the operation at which the order of the positions makes no sense", () => {
  const writers = Array.from({ length: 9 }, (_, at) => `W${at} 0 100 cas x v${at} v${at + 1} ok`);
  const operations = read([...writers, "A 0 100 put x v0"].join("\n")).map(
    (operation, at) => ({ ...operation, index: at + 1 }) as Operation,
  );
  const verdict = checkHistory({ header: { history: 1 }, operations }, { stepsMax: 2 });
  assert.equal(verdict.kind, "unknown", formatVerdict(verdict));
  assert.match(formatVerdict(verdict), /makes no sense from W0's "cas x: v0 to v1 → ok" at 0 on/u);
});
