import assert from "node:assert/strict";
import { test } from "node:test";
import { InvariantViolation } from "../../src/testing/invariant-violation.ts";
import { appendReply } from "../raft/server-under-test.ts";
import { ScenarioCluster } from "./scenario-cluster.ts";
import { ScenarioRun } from "./scenario-commands.ts";
import { formatScenario, parseScenario } from "./scenario-file.ts";

const SOURCE = `# A title (Raft §5.2)
# More about it.

add-nodes
  n1 log=1
campaign n1
----
n1 says something

# A comment.
`;

test("A scenario's file: commands with what belongs to them, and what they print", () => {
  const scenario = parseScenario(SOURCE);
  assert.equal(scenario.title, "A title (Raft §5.2)");
  const [block] = scenario.parts.filter((part) => part.kind === "block");
  assert(block !== undefined);
  assert.deepEqual(block.commands, [["add-nodes", "  n1 log=1"], ["campaign n1"]]);
  assert.deepEqual(block.expected, ["n1 says something"]);
  assert.equal(formatScenario(scenario, new Map()), SOURCE);
  const printed = new Map([[block, ["another thing"]]]);
  assert.equal(
    formatScenario(scenario, printed),
    SOURCE.replace("n1 says something", "another thing"),
  );
});

test("A scenario's file: without title, separator or command it is refused, with the line", () => {
  assert.throws(() => parseScenario("add-nodes n1\n----\n"), /line 1: .*comment/u);
  assert.throws(() => parseScenario("# T\n\nadd-nodes n1\n"), /line 3: commands without/u);
  assert.throws(() => parseScenario("# T\n\n  n1\n----\n"), /line 3: indented/u);
});

test("A scenario's commands: what is misspelt or missing is an error, never nothing", () => {
  const run = new ScenarioRun();
  assert.throws(() => run.run([["tick n1"]]), /first command .* is add-nodes/u);
  run.run([["add-nodes n1 n2 n3"]]);
  for (const [line, problem] of [
    ["tik n1", /there is no command tik/u],
    ["tick n9", /there is no n9/u],
    ["tick n1 often", /often is no number/u],
    ["win", /a server is missing/u],
    ["deliver #1", /no message #1/u],
    ["persist n1", /n1 writes nothing/u],
    ["replay late", /no message was kept as late/u],
  ] as const) {
    assert.throws(() => run.run([[line]]), problem, line);
  }
});

test("A scenario's cluster: a broken guarantee ends the scenario, also where nothing is printed", () => {
  const voter = { role: "voter", log: [], currentTerm: 0, votedFor: null } as const;
  const members = ["n1", "n2", "n3"].map((id) => ({ ...voter, id }));
  const cluster = new ScenarioCluster(members, {});
  cluster.elect("n1");
  cluster.isolate("n1");
  cluster.server("n1").step((core) => core.propose(new Uint8Array(1)));
  // Nobody has entry 2: an acknowledgement of it is a lie, and so is what the leader believes of it.
  const lie = appendReply({ term: 1, prevLogIndex: 1, matchIndex: 2 });
  assert.throws(
    () => cluster.server("n1").step((core) => core.receive("n2", lie)),
    (error) => error instanceof InvariantViolation,
  );
});
