process.env["TZ"] = "UTC";

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { stripVTControlCharacters } from "node:util";
import type { Permissions } from "../../src/dash/actions.ts";
import { widthOf } from "../../src/dash/format.ts";
import { type DrawingStyle, frameLines } from "../../src/dash/screens/frame.ts";
import type { ScreenModel } from "../../src/dash/screens/overview.ts";
import { selectView } from "../../src/dash/select.ts";
import { INITIAL_UI, type UiState } from "../../src/dash/ui-state.ts";
import { eventOf, SyntheticCluster } from "./synthetic.ts";

const SIZES = [
  [79, 23],
  [80, 24],
  [81, 25],
  [60, 16],
  [40, 8],
  [120, 40],
] as const;

const PLAIN: DrawingStyle = { colours: "none", ascii: false };
const LOCAL: Permissions = { readOnly: false, hasLocalActions: true, isFrozen: false };
const FIVE = ["n1", "n2", "n3", "n4", "n5"];

function modelOf(cluster: SyntheticCluster, ui: Partial<UiState> = {}): ScreenModel {
  const view = selectView(cluster.state, cluster.atMs);
  return {
    view,
    ui: { ...INITIAL_UI, ...ui },
    selected: view.rows[1] ?? null,
    permissions: LOCAL,
    clusterName: "demo",
    hasKeys: true,
  };
}

function runLocally(cluster: SyntheticCluster): void {
  const nodes = cluster.ids.map((id, at) => ({
    id,
    address: `127.0.0.1:700${at + 1}`,
    state: "running" as const,
    pid: 48_000 + at,
  }));
  cluster.input({ kind: "local", nodes });
}

/** Each state that must be told apart, made from what nodes would have sent. */
const STATES: Readonly<Record<string, () => ScreenModel>> = {
  healthy: () => {
    const cluster = new SyntheticCluster(FIVE);
    runLocally(cluster);
    cluster.report();
    cluster.input({
      kind: "link",
      address: "127.0.0.1:7001",
      report: {
        kind: "delta",
        changed: {
          commitIndex: 1044,
          lastLogIndex: 1046,
          logTail: [
            { term: 6, count: 33 },
            { term: 7, count: 15 },
          ],
        },
      },
    });
    cluster.events("n1", [
      eventOf(1, "voted for n2 in term 7"),
      eventOf(2, "", { kind: "committed", details: { firstIndex: 1041, lastIndex: 1045 } }),
    ]);
    cluster.events("n2", [
      eventOf(1, "leads term 7 with 3 of 5 votes (n1 n2 n4), 14 ms", { severity: "good" }),
    ]);
    cluster.pass(5_000);
    return modelOf(cluster);
  },
  election: () => {
    const cluster = new SyntheticCluster(FIVE);
    cluster.report();
    cluster.report(FIVE, {
      role: "follower",
      leaderId: null,
      electionTimerLeft: 0.2,
      currentTerm: 8,
      votedFor: "n3",
    });
    cluster.report(["n3"], { role: "candidate", votesGranted: 2, currentTerm: 8, votedFor: "n3" });
    cluster.report(["n4"], { role: "preCandidate", votesGranted: 1, currentTerm: 7 });
    cluster.pass(1_250);
    return modelOf(cluster);
  },
  down: () => {
    const cluster = new SyntheticCluster(FIVE);
    runLocally(cluster);
    cluster.report();
    cluster.refuse("n5");
    cluster.pass(12_000);
    const message = { severity: "good", text: "killed n5 (pid 48213, SIGKILL)" } as const;
    return modelOf(cluster, { message });
  },
  paused: () => {
    const cluster = new SyntheticCluster(FIVE);
    cluster.report();
    cluster.end("n4", "unreachable", "no answer in time");
    cluster.pass(6_000, ["n3", "n4"]);
    return modelOf(cluster);
  },
  "no-quorum": () => {
    const cluster = new SyntheticCluster(FIVE);
    cluster.report();
    cluster.refuse("n2");
    cluster.refuse("n3");
    cluster.refuse("n5");
    cluster.report(["n1"], {
      role: "candidate",
      votesGranted: 2,
      currentTerm: 12,
      votedFor: "n1",
      leaderId: null,
    });
    cluster.report(["n4"], { role: "follower", currentTerm: 12, votedFor: "n1", leaderId: null });
    cluster.pass(4_000);
    return modelOf(cluster);
  },
  "two-leaders": () => {
    const cluster = new SyntheticCluster(FIVE);
    cluster.report();
    const logTail = [
      { term: 6, count: 33 },
      { term: 7, count: 14 },
      { term: 8, count: 2 },
    ];
    const newTerm = {
      currentTerm: 8,
      votedFor: "n4",
      leaderId: "n4",
      lastLogTerm: 8,
      commitIndex: 1047,
      logTail,
    };
    cluster.report(["n3", "n5"], newTerm);
    cluster.report(["n4"], { ...newTerm, role: "leader", electionTimerLeft: null });
    cluster.pass(1_000);
    return modelOf(cluster);
  },
  unreachable: () => {
    const cluster = new SyntheticCluster(["n1"]);
    cluster.end("n1", "refused", "connection refused");
    return modelOf(cluster);
  },
  asking: () => {
    const model = STATES["healthy"]?.();
    assert.ok(model !== undefined);
    const question = "kill n2 with SIGKILL, the leader? leaves 4/5 up: 1 more loss is safe";
    const asked = { fault: { kind: "kill", nodeId: "n2" }, question } as const;
    return { ...model, ui: { ...INITIAL_UI, mode: "confirm", asked } };
  },
  writing: () => {
    const model = STATES["healthy"]?.();
    assert.ok(model !== undefined);
    return { ...model, ui: { ...INITIAL_UI, mode: "write", draft: "hello=world" } };
  },
  help: () => {
    const model = STATES["healthy"]?.();
    assert.ok(model !== undefined);
    return { ...model, ui: { ...INITIAL_UI, mode: "help" } };
  },
};

function assertFits(lines: readonly string[], columns: number, rows: number): void {
  assert.ok(lines.length <= rows, `${lines.length} lines in ${rows} rows`);
  for (const line of lines) {
    const width = widthOf(stripVTControlCharacters(line));
    assert.ok(width <= columns, `${width} columns in ${columns}: ${line}`);
  }
}

describe("frame: golden pictures", () => {
  for (const [name, model] of Object.entries(STATES)) {
    it(`draws ${name} on every size as it was approved`, (t) => {
      const pictures = SIZES.map(([columns, rows]) => {
        const lines = frameLines(model(), { columns, rows }, PLAIN);
        assertFits(lines, columns, rows);
        return [`${columns}x${rows}`, ...lines.map((line) => line.trimEnd())].join("\n");
      });
      const path = join(import.meta.dirname, "frames", `${name}.txt`);
      t.assert.fileSnapshot(`${pictures.join("\n\n")}\n`, path, { serializers: [String] });
    });
  }
});

describe("frame: every style says the same", () => {
  for (const [name, model] of Object.entries(STATES)) {
    it(`${name}: colours add nothing that words do not say`, () => {
      for (const [columns, rows] of SIZES) {
        const size = { columns, rows };
        const plain = frameLines(model(), size, PLAIN);
        for (const colours of ["16", "256"] as const) {
          const coloured = frameLines(model(), size, { colours, ascii: false });
          assertFits(coloured, columns, rows);
          assert.deepEqual(coloured.map(stripVTControlCharacters), plain);
          assert.notDeepEqual(coloured.length > 8 ? coloured : ["x"], plain);
        }
      }
    });

    it(`${name}: ASCII keeps every column`, () => {
      for (const [columns, rows] of SIZES) {
        const plain = frameLines(model(), { columns, rows }, PLAIN);
        const ascii = frameLines(model(), { columns, rows }, { colours: "none", ascii: true });
        assert.match(ascii.join("\n"), /^[\n -~]*$/u);
        assert.deepEqual(ascii.map(widthOf), plain.map(widthOf));
      }
    });
  }

  it("no-colour frames have no escape sequence at all, not even bold", () => {
    for (const model of Object.values(STATES)) {
      const text = frameLines(model(), { columns: 120, rows: 40 }, PLAIN).join("\n");
      assert.ok(!text.includes("\u001B"));
    }
  });

  it("ASCII tells the conditions apart that glyphs tell apart", () => {
    const style: DrawingStyle = { colours: "none", ascii: true };
    const glyphs = new Set<string>();
    for (const name of ["healthy", "election", "down", "paused", "two-leaders"]) {
      const model = STATES[name]?.();
      assert.ok(model !== undefined);
      for (const line of frameLines(model, { columns: 80, rows: 24 }, style)) {
        const match = /^[ >] n\d +(?<glyph>\S) (?<word>LEADER|\w+)/u.exec(line);
        if (match?.groups !== undefined) {
          glyphs.add(`${match.groups["glyph"]} ${match.groups["word"]}`);
        }
      }
    }
    assert.deepEqual([...glyphs].toSorted(), [
      "* LEADER",
      "* leader",
      "= silent",
      "? lost",
      "c cand",
      "c pre",
      "o follower",
      "x down",
    ]);
  });
});

describe("frame: any size", () => {
  it("fits from 1x1 to 200x60", () => {
    for (const model of Object.values(STATES)) {
      for (let columns = 1; columns <= 200; columns += 7) {
        for (let rows = 1; rows <= 60; rows += 5) {
          assertFits(frameLines(model(), { columns, rows }, PLAIN), columns, rows);
        }
      }
    }
  });

  it("more nodes than rows: the leader and the selected stay in sight", () => {
    const ids = Array.from({ length: 9 }, (_, at) => `n${at + 1}`);
    const cluster = new SyntheticCluster(ids);
    cluster.report();
    const model = modelOf(cluster);
    const selected = model.view.rows[8] ?? null;
    const size = { columns: 80, rows: 16 };
    const lines = frameLines({ ...model, selected }, size, PLAIN);
    assert.ok(lines.some((line) => line.includes("★ LEADER")));
    assert.ok(lines.some((line) => line.startsWith("▸ n9")));
    assert.ok(!lines.some((line) => line.includes(" n1 ")));
  });

  it("what a node or a user sends cannot move the cursor", () => {
    const cluster = new SyntheticCluster(["n1", "n2"]);
    cluster.report();
    cluster.events("n1", [eventOf(1, "evil \u001B[2J\u009B31m\u202Etext\r\n")]);
    const text = "wrote \u001B]0;title\u0007";
    const model = modelOf(cluster, { message: { severity: "good", text } });
    const lines = frameLines(model, { columns: 80, rows: 24 }, PLAIN);
    assert.match(lines.join("\n"), /evil \?\[2J\?31m\?text\?\?/u);
    assert.doesNotMatch(lines.join(""), /[\p{Cc}\p{Cf}]/u);
  });
});
