/** A dashboard that breaks while it draws: `node crashing-dash.ts <address>`. */
import { runDash } from "../../src/dash/index.ts";

process.exitCode = await runDash({
  endpoints: process.argv.slice(2),
  clusterName: "demo",
  localActions: null,
  stopCommand: null,
  once: false,
  plain: false,
  ascii: false,
  noColor: false,
  fps: 10,
  readOnly: false,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  onFrame: (frame) => {
    if (frame > 5) {
      throw new Error("a fault of this test");
    }
  },
});
