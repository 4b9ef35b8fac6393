#!/usr/bin/env node
// Runs under any Node that knows modules: an old one must be told, not crash in an import.
import module from "node:module";

const NODE_MAJOR_MIN = 24;

if (Number(process.versions.node.split(".")[0]) < NODE_MAJOR_MIN) {
  process.stderr.write(
    `error: quorate needs Node.js ${NODE_MAJOR_MIN} or newer, this is ${process.version}\n` +
      "  try:  npx quorate …   (from the project's folder: with its own Node.js)\n",
  );
  process.exitCode = 1;
} else {
  module.enableCompileCache();
  await import("../dist/main.js");
}
