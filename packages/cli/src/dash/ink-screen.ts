import { render } from "ink";
import { createElement } from "react";
import { App } from "./app.ts";
import type { Dashboard } from "./dashboard.ts";
import { FrameScheduler } from "./frame-scheduler.ts";
import type { DrawingStyle } from "./screens/frame.ts";

/** A terminal, and how to draw on it. */
export interface InkScreenOptions {
  readonly dashboard: Dashboard;
  readonly style: DrawingStyle;
  readonly framesPerSecond: number;
  readonly hasKeys: boolean;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Resolves when the dashboard shall end. */
  readonly ended: Promise<void>;
  readonly onFrame: (frame: number) => void;
}

/**
 * Draws on the alternate screen until `ended`; the terminal is as before when this settles.
 *
 * @throws what a component threw.
 */
export async function drawWithInk(options: InkScreenOptions): Promise<void> {
  const { dashboard, style, hasKeys, stdin, stdout, stderr, onFrame } = options;
  const scheduler = new FrameScheduler(options.framesPerSecond);
  const stopListening = dashboard.onChange(() => scheduler.request());
  const app = createElement(App, { dashboard, scheduler, style, hasKeys, onFrame });
  const screen = render(app, {
    stdin,
    stdout,
    stderr,
    // Ink would draw nothing where CI is set, even on a real terminal.
    interactive: true,
    alternateScreen: true,
    incrementalRendering: true,
    maxFps: options.framesPerSecond,
    patchConsole: false,
    exitOnCtrlC: false,
  });
  try {
    const gone = screen.waitUntilExit();
    await Promise.race([options.ended, gone]);
    screen.unmount();
    await gone;
  } finally {
    stopListening();
    scheduler.stop();
    screen.cleanup();
  }
}
