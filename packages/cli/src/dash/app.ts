import { Box, Text, useInput, useWindowSize } from "ink";
import { createElement, memo, type ReactElement, useRef, useSyncExternalStore } from "react";
import type { Dashboard } from "./dashboard.ts";
import type { FrameScheduler } from "./frame-scheduler.ts";
import { type DrawingStyle, frameLines } from "./screens/frame.ts";

/** What the root component draws from. */
export interface AppProps {
  readonly dashboard: Dashboard;
  readonly scheduler: FrameScheduler;
  readonly style: DrawingStyle;
  readonly hasKeys: boolean;
  readonly onFrame: (frame: number) => void;
}

/** The whole screen: one text a line, so that unchanged lines cost nothing. */
export function App(props: AppProps): ReactElement {
  const { dashboard, scheduler, style, hasKeys, onFrame } = props;
  useSyncExternalStore(scheduler.subscribe, scheduler.frame);
  const size = useWindowSize();
  const frames = useRef(0);
  frames.current += 1;
  onFrame(frames.current);
  // A Windows console scrolls when its last cell is written.
  const rows = process.platform === "win32" ? size.rows - 1 : size.rows;
  const lines = frameLines(dashboard.model(), { columns: size.columns, rows }, style);
  const keys = hasKeys ? createElement(Keys, { key: "keys", dashboard }) : null;
  return createElement(
    Box,
    { flexDirection: "column", width: size.columns, height: rows, overflow: "hidden" },
    ...lines.map((text, at) => createElement(Line, { key: at, text })),
    keys,
  );
}

const Line = memo(function Line({ text }: { readonly text: string }): ReactElement {
  return createElement(Text, { wrap: "truncate" }, text === "" ? " " : text);
});

/** Listens to the keyboard; only mounted on a terminal, where raw mode works. */
function Keys({ dashboard }: { readonly dashboard: Dashboard }): null {
  useInput((input, key) => dashboard.press(input, key));
  return null;
}
