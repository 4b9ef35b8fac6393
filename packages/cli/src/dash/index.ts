import type { LocalActions } from "./local-actions.ts";
import { DashSession } from "./session.ts";
import { runInk, runOnce, runPlain } from "./run.ts";

export type { LocalActionResult, LocalActions, LocalNode } from "./local-actions.ts";

/** How the dashboard is shown and what it may do. */
export interface DashOptions {
  /** `host:port` of at least one node; the others are found from their member lists. */
  readonly endpoints: readonly string[];
  /** As people call the cluster: "demo". */
  readonly clusterName: string;
  /** Null: no node of this cluster runs here, so that none can be killed or started. */
  readonly localActions: LocalActions | null;
  /** The command that stops the nodes, told on leaving; null where there is none. */
  readonly stopCommand: string | null;
  /** Print one frame and end. */
  readonly once: boolean;
  /** Lines of text instead of a screen. */
  readonly plain: boolean;
  /** Only ASCII characters. */
  readonly ascii: boolean;
  readonly noColor: boolean;
  /** Frames a second, 1 to 30. */
  readonly fps: number;
  /** No key changes anything. */
  readonly readOnly: boolean;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Called with the number of each frame while it is drawn. What it throws ends the dashboard. */
  readonly onFrame?: (frame: number) => void;
}

/**
 * Shows a cluster live until the user leaves, and resolves with the exit code: 0 left, 4 no node
 * answered (`once`), 1 a fault of the dashboard, 143 SIGTERM, 129 SIGHUP, 130 SIGINT. The terminal
 * is then as it was. The nodes are never stopped by leaving.
 */
export async function runDash(options: DashOptions): Promise<number> {
  const why = options.once ? null : whyPlain(options);
  // Lines of text are written as things happen: what was before them would come too late.
  const session = new DashSession(options, why === null);
  try {
    if (options.once) {
      return await runOnce(session, options);
    }
    if (why === null) {
      return await runInk(session, options);
    }
    if (why !== "") {
      options.stderr.write(`note: ${why}: printing events as lines\n`);
    }
    return await runPlain(session, options);
  } finally {
    await session.close();
  }
}

/** Why there is no screen: a reason to tell, "" where it was asked for, null where there is one. */
function whyPlain({ plain, stdout, env }: DashOptions): string | null {
  if (plain || env["INK_SCREEN_READER"] === "true") {
    return "";
  }
  if (stdout.isTTY !== true) {
    return "the output is not a terminal";
  }
  return env["TERM"] === "dumb" ? "the terminal cannot move its cursor (TERM=dumb)" : null;
}
