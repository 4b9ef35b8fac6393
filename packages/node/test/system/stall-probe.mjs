// Loaded into a daemon with --import: writes the longest stall of its loop to a file, once a
// second and whenever it grows. Plain JavaScript, because it is loaded before everything else.
import { writeFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

const file = process.env["QUORATE_STALL_FILE"];
const INTERVAL_MS = 2;

if (isMainThread && file !== undefined) {
  let last = performance.now();
  let longestMs = 0;
  const started = last;
  setInterval(() => {
    const now = performance.now();
    const stallMs = now - last - INTERVAL_MS;
    last = now;
    if (stallMs <= longestMs) return;
    // What loading the program takes is not what is measured.
    if (now - started < 2000) return;
    longestMs = stallMs;
    writeFileSync(file, longestMs.toFixed(1));
    last = performance.now();
  }, INTERVAL_MS).unref();
}
