/**
 * Loaded before a daemon: its log is written as ever, and synced never. What a daemon does so tells
 * whether a test would notice.
 */
import fs from "node:fs";
import { createRequire, syncBuiltinESMExports } from "node:module";

const SqliteDatabase = createRequire(import.meta.url)("better-sqlite3");
const { pragma } = SqliteDatabase.prototype;

SqliteDatabase.prototype.pragma = function (source, options) {
  if (/^synchronous *=/u.test(source)) return pragma.call(this, "synchronous = OFF", options);
  // Who asks is told what was meant to be.
  return source === "synchronous" ? 1 : pragma.call(this, source, options);
};
fs.fdatasyncSync = () => undefined;
syncBuiltinESMExports();
