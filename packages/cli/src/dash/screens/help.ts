import { fit, truncate } from "../format.ts";
import { type Binding, KEYMAP, keyLabel } from "../keymap.ts";
import type { Paint } from "../widgets/paint.ts";
import { rule } from "../widgets/rule.ts";

/** Every key, and what the signs on the screen mean. */
export function helpLines(
  size: { readonly columns: number; readonly rows: number },
  paint: Paint,
): readonly string[] {
  const lines = [
    rule("Keys", "Esc leaves this page", size.columns, paint),
    ...KEYMAP.browse.map(keyLine),
    rule("Nodes", "", size.columns, paint),
    ...NODE_SIGNS,
    rule("Log: a column an entry, a colour a term", "", size.columns, paint),
    ...LOG_SIGNS,
  ];
  return lines.slice(0, size.rows).map((line) => (line.startsWith(" ") ? cut(line, size) : line));
}

function cut(line: string, size: { readonly columns: number }): string {
  return truncate(line, size.columns);
}

function keyLine({ keys, help }: Binding): string {
  return ` ${fit(keys.map(keyLabel).join(" "), 10)} ${help}`;
}

const NODE_SIGNS = [
  " ★ LEADER  ● follower  ◇ learner  ◐ asks for votes (pre: before it asks for real)",
  " ✗ down: nothing listens there  ‖ silent: connected, no sign of life  ? lost: no answer",
  " A figure with ? is from before contact was lost.  ♥ the leader's heartbeat",
];

const LOG_SIGNS = [
  " 7 committed, term 7 (last digit)   ⁷ not committed   · missing   ░ not reported",
  " ! not the leader's entry: it will be replaced   c commit  m match  n next  * c and m",
];
