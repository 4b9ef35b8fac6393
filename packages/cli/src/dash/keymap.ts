/** What the keyboard is used for at the moment. */
export type Mode = "browse" | "confirm" | "write" | "help";

/** What a key asks for. */
export type KeyAction =
  | "selectPrevious"
  | "selectNext"
  | "kill"
  | "killLeader"
  | "startOrRestart"
  | "pauseOrResume"
  | "write"
  | "freeze"
  | "help"
  | "quit"
  | "confirm"
  | "cancel"
  | "submit"
  | "erase";

/** One line of the table from which keys are dispatched, the footer drawn and the help written. */
export interface Binding {
  /** Names as {@link keyName} gives them; the first is the one that is shown. */
  readonly keys: readonly string[];
  readonly action: KeyAction;
  /** For the footer; null: only in the help. */
  readonly footer: string | null;
  /** A sentence for the help. */
  readonly help: string;
  /** Whether it changes a node or the store: off in read-only mode and while frozen. */
  readonly changes: boolean;
}

function binding(
  keys: readonly string[],
  action: KeyAction,
  words: { readonly footer: string | null; readonly help: string },
  changes = false,
): Binding {
  return { keys, action, ...words, changes };
}

/** Every key of the dashboard. Keys of a mode that are not listed do nothing in it. */
export const KEYMAP: Readonly<Record<Mode, readonly Binding[]>> = {
  browse: [
    binding(["up", "k"], "selectPrevious", { footer: "", help: "select the node above" }),
    binding(["down", "j"], "selectNext", { footer: "node", help: "select the node below" }),
    binding(
      ["x"],
      "kill",
      { footer: "kill", help: "kill the selected node with SIGKILL (asks first)" },
      true,
    ),
    binding(
      ["X"],
      "killLeader",
      { footer: "kill leader", help: "kill the leader with SIGKILL (asks first)" },
      true,
    ),
    binding(
      ["r"],
      "startOrRestart",
      { footer: "restart", help: "start the selected node, or restart it if it runs (asks first)" },
      true,
    ),
    binding(
      ["p"],
      "pauseOrResume",
      { footer: "pause", help: "pause the selected node (SIGSTOP), or resume it" },
      true,
    ),
    binding(["w"], "write", { footer: "write", help: "write a key: type key=value, Enter" }, true),
    binding(["space"], "freeze", { footer: "freeze", help: "freeze the screen, or go on live" }),
    binding(["?"], "help", { footer: "help", help: "show or leave this page" }),
    binding(["q", "ctrl+c"], "quit", { footer: "quit", help: "leave; the nodes keep running" }),
  ],
  confirm: [
    binding(["y"], "confirm", { footer: "yes", help: "do it" }),
    binding(["n", "escape", "ctrl+c", "q", "enter"], "cancel", {
      footer: "no",
      help: "do nothing",
    }),
  ],
  write: [
    binding(["enter"], "submit", { footer: "write it", help: "send the write" }),
    binding(["escape", "ctrl+c"], "cancel", { footer: "cancel", help: "write nothing" }),
    binding(["backspace"], "erase", { footer: null, help: "erase the last character" }),
  ],
  help: [
    binding(["escape", "?", "q", "enter", "space"], "cancel", {
      footer: "back",
      help: "back to the nodes",
    }),
    binding(["ctrl+c"], "quit", { footer: null, help: "leave; the nodes keep running" }),
  ],
};

/** The binding of `key` in `mode`, or null. */
export function bindingOf(mode: Mode, key: string): Binding | null {
  return KEYMAP[mode].find(({ keys }) => keys.includes(key)) ?? null;
}

/** How a key is written on the screen. */
export function keyLabel(key: string): string {
  return KEY_LABELS[key] ?? key;
}

const KEY_LABELS: Readonly<Record<string, string>> = {
  up: "↑",
  down: "↓",
  enter: "Enter",
  escape: "Esc",
  "ctrl+c": "Ctrl-C",
  backspace: "Backspace",
};

/** The facts of a key press that Ink reports and the dashboard uses. */
export interface PressedKey {
  readonly upArrow: boolean;
  readonly downArrow: boolean;
  readonly return: boolean;
  readonly escape: boolean;
  readonly ctrl: boolean;
  readonly meta: boolean;
  readonly tab: boolean;
  readonly backspace: boolean;
  readonly delete: boolean;
}

/** The name of a special key, or null where `input` is text. */
export function specialKeyName(input: string, key: PressedKey): string | null {
  if (key.upArrow) {
    return "up";
  }
  if (key.downArrow) {
    return "down";
  }
  if (key.return) {
    return "enter";
  }
  if (key.escape) {
    return "escape";
  }
  if (key.backspace || key.delete) {
    return "backspace";
  }
  if (key.ctrl) {
    return `ctrl+${input}`;
  }
  return key.meta || key.tab ? "unused" : null;
}

/** The name of a typed character as the table has it. */
export function characterKeyName(character: string): string {
  return character === " " ? "space" : character;
}
