import { faultRefused, changesRefused, isFaultAction, type Permissions } from "../actions.ts";
import { fit, graphemesOf, printable, truncate, widthOf } from "../format.ts";
import { type Binding, KEYMAP, keyLabel } from "../keymap.ts";
import type { ClusterView, NodeRow } from "../select.ts";
import type { UiState } from "../ui-state.ts";
import { severityGlyph, severityTone } from "./event-lines.ts";
import type { Paint } from "./paint.ts";

/** What the footer needs to know besides the keys. */
export interface FooterFacts {
  readonly ui: UiState;
  readonly view: ClusterView;
  readonly selected: NodeRow | null;
  readonly permissions: Permissions;
}

/** The keys of the present mode; those that would do nothing now stand in parentheses. */
export function footerLines(
  facts: FooterFacts,
  size: { readonly columns: number; readonly rows: number },
  paint: Paint,
): readonly string[] {
  const items = footerItems(facts);
  let lines = wrapItems(items, size.columns);
  // How to leave and where the rest is explained must stay.
  for (let drop = items.length - 3; drop >= 0 && lines.length > size.rows; drop -= 1) {
    items.splice(drop, 1);
    lines = wrapItems(items, size.columns);
  }
  return lines
    .slice(0, size.rows)
    .map((line) =>
      line.map(({ text, isOff }) => ` ${paint.tone(isOff ? "dim" : "plain", text)}`).join(" "),
    );
}

interface FooterItem {
  readonly text: string;
  readonly isOff: boolean;
}

function wrapItems(items: readonly FooterItem[], columns: number): readonly FooterItem[][] {
  const lines: FooterItem[][] = [[]];
  let width = 0;
  for (const item of items) {
    const itemWidth = widthOf(item.text) + 2;
    if (width > 0 && width + itemWidth > columns) {
      lines.push([]);
      width = 0;
    }
    lines.at(-1)?.push(item);
    width += itemWidth;
  }
  return lines;
}

function footerItems(facts: FooterFacts): FooterItem[] {
  let label = "";
  return KEYMAP[facts.ui.mode].flatMap((binding) => {
    label += keyLabel(binding.keys[0] ?? "");
    if (binding.footer === null || binding.footer === "") {
      label = binding.footer === null ? "" : label;
      return [];
    }
    const word = wordOf(binding, facts);
    const text = `${label} ${word}`;
    label = "";
    const isOff = isDisabled(binding, facts);
    return [{ text: isOff ? `(${text})` : text, isOff }];
  });
}

/** `r` and `p` do the opposite for a node that is stopped or paused. */
function wordOf(binding: Binding, { selected, ui }: FooterFacts): string {
  if (binding.action === "startOrRestart" && selected?.local?.state === "stopped") {
    return "start";
  }
  if (binding.action === "pauseOrResume" && selected?.local?.state === "paused") {
    return "resume";
  }
  if (binding.action === "freeze" && ui.frozen !== null) {
    return "live";
  }
  return binding.footer ?? "";
}

function isDisabled(binding: Binding, facts: FooterFacts): boolean {
  const { action, changes } = binding;
  if (!isFaultAction(action)) {
    return changes && changesRefused(facts.permissions) !== null;
  }
  const target =
    action === "killLeader"
      ? (facts.view.rows.find((row) => row.condition === "leader") ?? null)
      : facts.selected;
  return faultRefused(action, target, facts.permissions) !== null;
}

/** Below this not even the prompt fits. */
const STATUS_MIN_COLUMNS = 24;

/** The line that asks, takes what is typed, and tells results. */
export function statusLine(ui: UiState, columns: number, paint: Paint): string {
  if (columns < STATUS_MIN_COLUMNS) {
    return "";
  }
  if (ui.mode === "write") {
    const prompt = " write key=value: ";
    const room = columns - prompt.length - 1;
    return `${paint.tone("bold", prompt)}${tail(printable(ui.draft), room)}█`;
  }
  if (ui.mode === "confirm" && ui.asked !== null) {
    const keys = "  y/n";
    const question = truncate(` ? ${printable(ui.asked.question)}`, columns - keys.length);
    return paint.tone("warning", question + keys);
  }
  if (ui.message === null) {
    return "";
  }
  const text = fit(printable(ui.message.text), columns - 3).trimEnd();
  const glyph = paint.tone(severityTone(ui.message.severity), severityGlyph(ui.message.severity));
  return ` ${glyph} ${text}`;
}

/** The end of `text`: what is being typed stays in sight. */
function tail(text: string, columns: number): string {
  if (widthOf(text) <= columns) {
    return text;
  }
  const characters = [...graphemesOf(text)];
  while (characters.length > 0 && widthOf(characters.join("")) > columns - 1) {
    characters.shift();
  }
  return `…${characters.join("")}`;
}
