import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { LocalQuorate } from "./local-quorate.ts";
import { HAS_TMUX, Tmux } from "./tmux.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/quorate.js", import.meta.url));
const skip = HAS_TMUX ? false : "tmux is not installed: no terminal to draw on";
const STANDARD = [80, 24] as const;

interface Dash {
  readonly quorate: LocalQuorate;
  readonly terminal: Tmux;
}

/** A cluster of three real nodes, and `quorate dash` in a real terminal. */
async function startDash(context: TestContext, ...flags: readonly string[]): Promise<Dash> {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up();
  const [columns, rows] = STANDARD;
  const terminal = Tmux.start(context, [process.execPath, PROGRAM, "dash", ...flags], {
    columns,
    rows,
    environment: { XDG_STATE_HOME: quorate.stateHome },
  });
  await terminal.shows(/✓ HEALTHY {2}3\/3 up {2}1 loss safe/u);
  return { quorate, terminal };
}

async function leaderOf(quorate: LocalQuorate): Promise<string> {
  const { leader } = await quorate.status();
  assert.ok(leader !== null);
  return leader;
}

async function assertRestored(terminal: Tmux, exitCode: number): Promise<void> {
  await terminal.shows(new RegExp(`^exit code ${exitCode}$`, "mu"));
  assert.deepEqual(terminal.pane(), { isAlternate: false, isCursorShown: true });
}

test(
  "dash: shows a leader; after its SIGKILL that it is down and who leads, within 3 s",
  {
    skip,
  },
  async (context) => {
    const { quorate, terminal } = await startDash(context);
    assert.equal(terminal.pane().isAlternate, true);
    const killed = await leaderOf(quorate);
    await terminal.shows(new RegExp(`${killed} +★ LEADER`, "u"));
    process.kill(quorate.runFile(killed).pid, "SIGKILL");
    const others = ["n1", "n2", "n3"].filter((id) => id !== killed).join("|");
    const downMs = await terminal.shows(new RegExp(`${killed} +✗ down`, "u"), 3_000);
    const leaderMs = await terminal.shows(new RegExp(`(?:${others}) +★ LEADER`, "u"), 3_000);
    assert.ok(downMs + leaderMs < 3_000);
    context.diagnostic(
      `down after ${Math.round(downMs)} ms, leader ${Math.round(leaderMs)} ms later`,
    );
    await terminal.shows(/! DEGRADED {2}2\/3 up {2}no loss safe/u);
    await terminal.shows(new RegExp(`✗ ${killed} {2}process gone \\(connection refused\\)`, "u"));
    await terminal.shows(/✓ n\d {2}leads term \d+ with 2 of 3 votes/u);
  },
);

test(
  "dash: x and y kill a node, r starts it, p pauses and resumes it, w writes",
  {
    skip,
  },
  async (context) => {
    const { quorate, terminal } = await startDash(context);
    terminal.press("j", "j");
    await terminal.shows(/▸ n3/u);
    const { pid } = quorate.runFile("n3");
    terminal.press("x");
    await terminal.shows(/kill n3 with SIGKILL.*leaves 2\/3 up: no more loss is safe/u);
    terminal.press("y");
    await terminal.shows(new RegExp(`✓ killed n3 \\(pid ${pid}, SIGKILL\\)`, "u"));
    await terminal.shows(/n3 +✗ down/u);
    terminal.press("r");
    await terminal.shows(/✓ started n3/u, 20_000);
    await terminal.shows(/✓ HEALTHY {2}3\/3 up/u);
    assert.notEqual(quorate.runFile("n3").pid, pid);
    terminal.press("p");
    await terminal.shows(/✓ paused n3/u);
    await terminal.shows(/n3 +‖ (?:paused|silent)/u);
    terminal.press("p");
    await terminal.shows(/✓ resumed n3/u);
    await terminal.shows(/✓ HEALTHY {2}3\/3 up/u);
    terminal.press("w");
    await terminal.shows(/write key=value:/u);
    terminal.type("greeting=hello=world");
    terminal.press("Enter");
    await terminal.shows(/✓ wrote greeting \(revision 1, /u);
    assert.equal(await quorate.succeed("get", "greeting"), "hello=world\n");
  },
);

test(
  "dash: redraws at every size, and q restores the terminal, nodes running",
  {
    skip,
  },
  async (context) => {
    const { quorate, terminal } = await startDash(context);
    terminal.resize(120, 40);
    await terminal.shows(/Replicated log/u);
    terminal.resize(60, 16);
    await terminal.shows(/^ ✓ HEALTHY[^\n]*\n─ Nodes ─+$/mu);
    terminal.resize(40, 8);
    await terminal.shows(/^leader n\d, term \d+, 3\/3 up/u);
    terminal.resize(...STANDARD);
    await terminal.shows(/n\d +★ LEADER/u);
    terminal.press("q");
    await assertRestored(terminal, 0);
    assert.match(terminal.text(), /The nodes keep running\. Stop them with: quorate down/u);
    assert.equal(quorate.livingProcesses().length, 3);
  },
);

test(
  "dash: SIGTERM in the middle of the prompt restores the terminal, exit code 143",
  {
    skip,
  },
  async (context) => {
    const { terminal } = await startDash(context);
    terminal.press("w");
    terminal.type("half=a");
    await terminal.shows(/write key=value: half=a/u);
    process.kill(terminal.pid, "SIGTERM");
    await assertRestored(terminal, 143);
  },
);

test(
  "dash: an error while drawing restores the terminal and is told",
  { skip },
  async (context) => {
    const quorate = await LocalQuorate.prepare(context);
    await quorate.up();
    const program = fileURLToPath(new URL("./crashing-dash.ts", import.meta.url));
    const address = `127.0.0.1:${quorate.basePort}`;
    const command = [process.execPath, "--conditions=@quorate/source", program, address];
    const terminal = Tmux.start(context, command, { columns: 100, rows: 30, environment: {} });
    await assertRestored(terminal, 1);
    assert.match(terminal.text(), /the dashboard failed; the nodes keep running/u);
    assert.match(terminal.text(), /a fault of this test/u);
  },
);

test("dash: --once draws the same off a terminal, with a node down, and exits 0", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  await quorate.up();
  await quorate.succeed("kill", "n3");
  const frame = await quorate.succeed("dash", "--once");
  assert.match(
    frame,
    /^ demo {2}! DEGRADED {2}2\/3 up {2}no loss safe {2}leader n[12] {2}term \d+/u,
  );
  assert.match(frame, /n3 +✗ down/u);
  assert.ok(!frame.includes("\u001B"));
  assert.ok(frame.split("\n").every((line) => line.length <= 80));
});

test("dash: --once without any node exits 4", async (context) => {
  const quorate = await LocalQuorate.prepare(context);
  const address = `127.0.0.1:${quorate.basePort}`;
  const { stdout } = await quorate.fail(4, "--endpoints", address, "dash", "--once");
  assert.match(stdout, new RegExp(`✗ ${address} {2}connection refused`, "u"));
});
