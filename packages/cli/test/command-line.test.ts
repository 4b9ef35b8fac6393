import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { runCommandLine } from "../src/command-line.ts";
import { addAllCommands } from "../src/commands/index.ts";
import { temporaryFolder } from "./temporary-folder.ts";

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process, in a state folder of its own, without a terminal. */
async function quorate(
  context: TestContext,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  const code = await runCommandLine(
    args,
    {
      stdin: Readable.from([]),
      stdout: { write: (chunk) => (stdout += String(chunk)) },
      stderr: { write: (chunk) => (stderr += String(chunk)) },
      environment: { XDG_STATE_HOME: temporaryFolder(context), ...environment },
      interrupts: { claim: () => new AbortController().signal, leaveToCommand: () => undefined },
    },
    addAllCommands,
  );
  return { code, stdout, stderr };
}

/** A loopback port on which nothing ever listens: the one of tcpmux. */
const NOBODY = "127.0.0.1:1";

test("usage: no command prints the overview with its groups and examples, exit 0", async (context) => {
  const { code, stdout, stderr } = await quorate(context, []);
  assert.deepEqual([code, stderr], [0, ""]);
  for (const heading of ["Local cluster", "Keys:", "Cluster:", "Global options:", "Examples:"]) {
    assert.ok(stdout.includes(heading), heading);
  }
});

test("verify: an unknown fault and a bad figure are usage, told before anything is done, exit 2", async (context) => {
  const wrong = await quorate(context, ["verify", "--faults", "kill,flood"]);
  assert.equal(wrong.code, 2);
  assert.match(
    wrong.stderr,
    /"flood" is no fault\n {2}why: {2}faults: kill, pause, partition; or none/u,
  );
  assert.equal((await quorate(context, ["verify", "--clients", "0"])).code, 2);
  assert.equal((await quorate(context, ["verify", "--duration", "soon"])).code, 2);
  assert.equal((await quorate(context, ["verify", "--endpoints", NOBODY])).code, 4);
  assert.equal((await quorate(context, ["partition", "n1", "--endpoints", NOBODY])).code, 4);
});

test("usage: every command has help with examples, exit 0", async (context) => {
  const names =
    "up down ps kill stop start restart pause resume partition heal verify logs put get del status dash add-node remove-node member";
  for (const name of [...names.split(" "), "move-leader", "check-history"]) {
    const { code, stdout } = await quorate(context, [name, "--help"]);
    assert.equal(code, 0, name);
    assert.match(stdout, new RegExp(`Examples:\\n  quorate ${name}`, "u"));
    assert.equal(stdout.match(/^Global options:$/gmu)?.length, 1, name);
    assert.doesNotMatch(stdout, /Global Options|default: false|default: \d{4}/u);
    assert.deepEqual(await quorate(context, ["help", name]), { code, stdout, stderr: "" });
  }
});

test("usage: help exit-codes prints the table", async (context) => {
  const { code, stdout } = await quorate(context, ["help", "exit-codes"]);
  assert.equal(code, 0);
  assert.match(stdout, / {4}5 {2}nodes are there.*nothing was applied/u);
  const json = await quorate(context, ["help", "exit-codes", "-o", "json"]);
  const document = JSON.parse(json.stdout) as { exitCodes: { name: string; code: number }[] };
  assert.equal(document.exitCodes.find(({ name }) => name === "outcomeUnknown")?.code, 6);
});

const WRONG: readonly (readonly [readonly string[], RegExp, RegExp])[] = [
  [["sttaus"], /unknown command 'sttaus'/u, /quorate status/u],
  [["get", "k", "--vale-only"], /unknown option '--vale-only'/u, /--value-only/u],
  [["get"], /missing required argument 'key'/u, /quorate get --help/u],
  [["get", "k", "extra"], /too many arguments/u, /quorate get --help/u],
  [["get", "k", "--consistency", "maybe"], /argument 'maybe' is invalid/u, /get --help/u],
  [["get", "k", "--timeout", "5"], /"5" is not a duration/u, /500ms/u],
  [["get", "k", "-o", "xml"], /"xml" is not an output format/u, /-o json/u],
  [["get", "k", "--endpoints", "nowhere"], /--endpoints: "nowhere" is not host:port/u, /7001/u],
  [["up", "-n", "0"], /-n: "0" is not a whole number from 1 to 99/u, /from/u],
  [["up", "--name", "a/b"], /"a\/b" cannot be the name of a cluster/u, /--name demo/u],
  [["put", "", "v"], /a key has at least one byte/u, /quorate put/u],
  [["put", "k", "v", "--if-rev", "0"], /--if-rev: "0" is not a whole number/u, /from 1/u],
  [["put", "k", "v", "--if-rev", "3", "--if-absent"], /cannot both hold/u, /no revision/u],
  [["get", "k", "--max-staleness", "5"], /"5" is not a duration/u, /500ms/u],
  [["member", "add", "n4", "nowhere"], /"nowhere" is not host:port/u, /127\.0\.0\.1:7004/u],
  [["member", "remove", "-n4"], /unknown option '-n4'/u, /--help/u],
  [["member", "promote", "n 4"], /"n 4" cannot be the name of a node/u, /member list/u],
  [["member", "replace", "n3", "n4"], /a new name and its address, or neither/u, /n4 127/u],
  [["member", "replace", "n3", "--dry-run"], /takes only --force/u, /member list/u],
  [
    ["member", "add", "n4", "h:1", "--if-config", "x"],
    /--if-config: "x" is not a whole/u,
    /from 0/u,
  ],
  [["member", "frobnicate"], /unknown command 'frobnicate'|too many arguments/u, /--help/u],
  [["kill"], /kill: which node\?/u, /quorate kill leader/u],
  [["kill", "n1", "-s", "NOPE"], /"NOPE" is not a signal/u, /-s KILL/u],
  [["dash", "-o", "table", "--fps", "0"], /--fps: "0" is not a whole number/u, /from 1 to 30/u],
  [["help", "nothing"], /there is no help on "nothing"/u, /help exit-codes/u],
];

for (const [args, what, remedy] of WRONG) {
  test(`usage: ${args.join(" ")} exits 2 and says what to try`, async (context) => {
    const { code, stdout, stderr } = await quorate(context, args);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, what);
    assert.match(stderr, remedy);
    assert.match(stderr, /^error: /u);
  });
}

test("usage: a wrong flag is told in JSON when JSON was asked for", async (context) => {
  const { code, stderr } = await quorate(context, ["-o", "json", "get", "k", "--nope"]);
  assert.equal(code, 2);
  const error = JSON.parse(stderr) as { code: string; exitCode: number; what: string };
  assert.deepEqual([error.code, error.exitCode], ["usage", 2]);
  assert.match(error.what, /--nope/u);
});

test("usage: dash has no JSON, and says what has", async (context) => {
  const { code, stdout, stderr } = await quorate(context, ["dash", "--once", "-o", "json"]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.deepEqual((JSON.parse(stderr) as { try: string[] }).try, ["quorate status -o json"]);
});

test("unreachable: exit 4 names the rule that chose the endpoints", async (context) => {
  const flagged = await quorate(context, ["get", "k", "--endpoints", NOBODY, "--timeout", "300ms"]);
  assert.equal(flagged.code, 4);
  assert.match(flagged.stderr, /endpoints: from --endpoints/u);
  assert.match(flagged.stderr, /refused/u);
  const environment = { QUORATE_ENDPOINTS: NOBODY, QUORATE_TIMEOUT: "300ms" };
  const inherited = await quorate(context, ["put", "k", "v"], environment);
  assert.equal(inherited.code, 4);
  assert.match(inherited.stderr, /endpoints: from QUORATE_ENDPOINTS/u);
});

test("unreachable: status prints its table and exits 4", async (context) => {
  const args = ["status", "--endpoints", NOBODY, "-o", "json"];
  const { code, stdout, stderr } = await quorate(context, args);
  assert.equal(code, 4);
  const report = JSON.parse(stdout) as { health: string; members: { health: string }[] };
  assert.equal(report.health, "unreachable");
  assert.deepEqual(
    report.members.map(({ health }) => health),
    ["down"],
  );
  assert.equal((JSON.parse(stderr) as { exitCode: number }).exitCode, 4);
});

test("status: waiting in vain is exit 8", async (context) => {
  const args = ["status", "--wait", "leader", "--endpoints", NOBODY, "--timeout", "200ms"];
  const { code, stderr } = await quorate(context, args);
  assert.equal(code, 8);
  assert.match(stderr, /not leader after 200 ms/u);
});

test("local commands: without a cluster exit 3 and the way to one; down and ps exit 0", async (context) => {
  for (const args of [["kill", "n1"], ["start"], ["stop", "all"], ["pause", "n1"], ["logs"]]) {
    const { code, stderr } = await quorate(context, args);
    assert.equal(code, 3, args.join(" "));
    assert.match(stderr, /there is no local cluster[^]*quorate up/u);
  }
  assert.equal((await quorate(context, ["down"])).code, 0);
  assert.equal((await quorate(context, ["ps"])).code, 0);
  assert.equal((await quorate(context, ["down", "--name", "nosuch"])).code, 3);
});
