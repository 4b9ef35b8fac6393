import type { Dashboard } from "./dashboard.ts";
import type { DashOptions } from "./index.ts";
import { PlainLog } from "./plain.ts";
import { type DrawingStyle, frameLines } from "./screens/frame.ts";
import { type DashSession, nowMs } from "./session.ts";
import { colourDepthOf } from "./widgets/paint.ts";

/** `--once` waits this long for nodes that give no answer at all. */
const ONCE_WAIT_MS = 1_500;

const ONCE_ROWS = 24;

const EXIT_UNREACHABLE = 4;

/** What ends a run, as the number to add to 128. */
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** One frame, when every node has answered or is known not to. */
export async function runOnce(session: DashSession, options: DashOptions): Promise<number> {
  const { dashboard } = session;
  const settled = Promise.withResolvers<void>();
  const timer = setTimeout(() => settled.resolve(), ONCE_WAIT_MS);
  const stop = dashboard.onChange(() => {
    if (dashboard.model().view.isSettled && havePast(dashboard)) {
      settled.resolve();
    }
  });
  await session.open();
  await settled.promise;
  stop();
  clearTimeout(timer);
  const { stdout } = options;
  const columns = stdout.columns ?? positiveInteger(options.env["COLUMNS"]) ?? 80;
  const rows = Math.max(ONCE_ROWS, dashboard.model().view.rows.length + 12);
  const lines = frameLines(dashboard.model(), { columns, rows }, styleOf(options, stdout.isTTY));
  const last = lines.findLastIndex((line) => line.trim() !== "");
  await write(
    stdout,
    `${lines
      .slice(0, last + 1)
      .map((line) => line.trimEnd())
      .join("\n")}\n`,
  );
  const anyLive = [...dashboard.cluster.links.values()].some(({ verdict }) => verdict === "live");
  return anyLive ? 0 : EXIT_UNREACHABLE;
}

/** Whether every live node has told what happened before: the least is that it was started. */
function havePast({ cluster }: Dashboard): boolean {
  const live = [...cluster.links.values()].filter(({ verdict }) => verdict === "live");
  return live.every(({ lastSequence }) => lastSequence > 0);
}

/** Lines of text until a signal, or until nobody reads them. */
export async function runPlain(session: DashSession, options: DashOptions): Promise<number> {
  const { stdout, ascii } = options;
  const closed = Promise.withResolvers<number>();
  const onError = () => closed.resolve(0);
  stdout.once("error", onError);
  const log = new PlainLog({
    dashboard: session.dashboard,
    ascii,
    write: (line) => stdout.write(`${line}\n`),
    nowMs,
  });
  const stop = session.dashboard.onChange(() => log.update());
  using signals = listenToSignals();
  await session.open();
  const code = await Promise.race([signals.code, closed.promise]);
  stop();
  stdout.off("error", onError);
  // Whoever reads lines ends them with Ctrl-C: that is no failure.
  return code === 128 + SIGNALS.SIGINT ? 0 : code;
}

/** The screen, until the user leaves, a signal or a fault of the dashboard. */
export async function runInk(session: DashSession, options: DashOptions): Promise<number> {
  const { stdin, stdout, stderr, onFrame } = options;
  const { drawWithInk } = await importInProduction();
  using signals = listenToSignals();
  const terminalGone = Promise.withResolvers<number>();
  const onError = () => terminalGone.resolve(128 + SIGNALS.SIGHUP);
  stdout.once("error", onError);
  await session.open();
  const ending = Promise.race([session.quit.then(() => 0), signals.code, terminalGone.promise]);
  try {
    await drawWithInk({
      dashboard: session.dashboard,
      style: styleOf(options, true),
      framesPerSecond: Math.min(30, Math.max(1, options.fps)),
      hasKeys: stdin.isTTY,
      stdin,
      stdout,
      stderr,
      ended: ending.then((code) => {
        if (code === FAULT) throw signals.fault;
      }),
      onFrame: onFrame ?? (() => undefined),
    });
  } catch (error) {
    stderr.write(`error: the dashboard failed; the nodes keep running\n`);
    stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return 1;
  } finally {
    stdout.off("error", onError);
  }
  await write(stdout, farewell(options));
  return await ending;
}

function farewell({ stopCommand }: DashOptions): string {
  const stop = stopCommand === null ? "" : ` Stop them with: ${stopCommand}`;
  return `The nodes keep running.${stop}\n`;
}

/** React and its renderer decide when they load whether they are a development build. */
async function importInProduction(): Promise<typeof import("./ink-screen.ts")> {
  const before = process.env["NODE_ENV"];
  process.env["NODE_ENV"] = "production";
  try {
    return await import("./ink-screen.ts");
  } finally {
    if (before === undefined) {
      delete process.env["NODE_ENV"];
    } else {
      process.env["NODE_ENV"] = before;
    }
  }
}

const FAULT = 70;

interface SignalListener extends Disposable {
  /** Resolves with the exit code that the first signal means, or with {@link FAULT}. */
  readonly code: Promise<number>;
  /** What was thrown outside every component. */
  readonly fault: unknown;
}

/** Takes signals, and errors that nobody caught, until disposed: the screen must be restored. */
function listenToSignals(): SignalListener {
  const { promise, resolve } = Promise.withResolvers<number>();
  let fault: unknown = null;
  const onFault = (error: unknown) => {
    fault = error;
    resolve(FAULT);
  };
  const handlers = Object.entries(SIGNALS).map(
    ([signal, number]) => [signal, () => resolve(128 + number)] as const,
  );
  for (const [signal, handler] of handlers) {
    process.on(signal, handler);
  }
  process.on("uncaughtException", onFault);
  process.on("unhandledRejection", onFault);
  return {
    code: promise,
    get fault() {
      return fault;
    },
    [Symbol.dispose]: () => {
      for (const [signal, handler] of handlers) {
        process.off(signal, handler);
      }
      process.off("uncaughtException", onFault);
      process.off("unhandledRejection", onFault);
    },
  };
}

function styleOf(options: DashOptions, isTerminal: boolean): DrawingStyle {
  const colourless = options.noColor || !isTerminal;
  return {
    colours: colourless ? "none" : colourDepthOf(options.env),
    ascii: options.ascii || !isUnicodeLocale(options.env),
  };
}

/** A locale that is set and is not UTF-8 gets ASCII; one that is not set says nothing. */
function isUnicodeLocale(env: DashOptions["env"]): boolean {
  const set = [env["LC_ALL"], env["LC_CTYPE"], env["LANG"]];
  const locale = set.find((value) => value !== undefined && value !== "") ?? "";
  return locale === "" || /utf-?8/iu.test(locale) || !locale.includes(".");
}

function positiveInteger(text: string | undefined): number | null {
  const number = Number(text);
  return Number.isSafeInteger(number) && number > 0 ? number : null;
}

function write(stream: NodeJS.WritableStream, text: string): Promise<void> {
  return new Promise((resolve) => {
    stream.write(text, () => resolve());
  });
}
