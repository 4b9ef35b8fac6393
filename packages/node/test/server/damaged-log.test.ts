import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import Database from "better-sqlite3";
import { createLogger } from "../../src/server/log.ts";
import { startServer } from "../../src/server/server.ts";
import { leaderOf, localConfigs } from "./local-servers.ts";

test("server: a start that cuts a damaged log says so in its own log", async (t) => {
  const [made] = await localConfigs(t, 1);
  assert.ok(made !== undefined);
  const first = await startServer(made);
  await leaderOf([first]);
  await first.stop();

  const database = new Database(join(made.dataDirectory, "raft.db"));
  const { changes } = database
    .prepare("UPDATE log SET checksum = checksum + 1 WHERE idx = (SELECT max(idx) FROM log)")
    .run();
  database.close();
  assert.equal(changes, 1);

  const logFile = join(made.dataDirectory, "..", "n1.log");
  const config = { ...made, bootstrap: false, logFile };
  const again = await startServer(config, { log: createLogger(config) });
  await again.stop();
  const lines = readFileSync(logFile, "utf8").trim().split("\n");
  const warnings = lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ level, code }) => level === "warn" && code === "damaged");
  assert.equal(warnings.length, 1, lines.join("\n"));
  assert.match(
    String(warnings[0]?.["msg"]),
    /n1 was damaged: entry 1 does not match its checksum/u,
  );
});
