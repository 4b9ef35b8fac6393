import type { NodeId } from "@quorate/wire";
import {
  changesRefused,
  isFaultAction,
  parseAssignment,
  planFault,
  runFault,
  type FaultAction,
  type Permissions,
} from "./actions.ts";
import { graphemesOf } from "./format.ts";
import {
  bindingOf,
  characterKeyName,
  type KeyAction,
  type PressedKey,
  specialKeyName,
} from "./keymap.ts";
import type { LocalActions } from "./local-actions.ts";
import type { ScreenModel } from "./screens/overview.ts";
import { type ClusterView, type NodeRow, selectView } from "./select.ts";
import { type ClusterState, type DashInput, emptyCluster, reduce } from "./store.ts";
import { type Fault, INITIAL_UI, type StatusMessage, type UiState } from "./ui-state.ts";

/** Longest key=value that the prompt takes: beyond it, `quorate put` reads from a file. */
const DRAFT_MAX_LENGTH = 4_096;

/** What the dashboard's state needs from its surroundings. */
export interface DashboardOptions {
  readonly clusterName: string;
  readonly readOnly: boolean;
  readonly hasKeys: boolean;
  /** Null: no node can be signalled from here. */
  readonly localActions: LocalActions | null;
  /** Sends a write and says what came of it; never rejects. */
  readonly write: (key: string, value: string) => Promise<StatusMessage>;
  readonly nowMs: () => number;
  /** Called when the user asks to leave. */
  readonly onQuit: () => void;
}

/**
 * What is known of the cluster and what the keyboard did to the screen, without a screen: the
 * streams dispatch into it, keys are pressed on it, and a screen draws its {@link model}.
 */
export class Dashboard {
  readonly #options: DashboardOptions;
  readonly #listeners: Set<() => void> = new Set();
  #cluster: ClusterState;
  #ui: UiState = INITIAL_UI;
  #version = 0;

  constructor(options: DashboardOptions) {
    this.#options = options;
    this.#cluster = emptyCluster(options.nowMs());
  }

  /** Changes with everything that can change a frame. */
  get version(): number {
    return this.#version;
  }

  get cluster(): ClusterState {
    return this.#cluster;
  }

  /** `listener` is called after every change; the returned function ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  dispatch(input: DashInput): void {
    this.#cluster = reduce(this.#cluster, input, this.#options.nowMs());
    this.#changed();
  }

  /** What to draw now; while frozen, what was to be drawn then. */
  model(): ScreenModel {
    const view = this.#view();
    return {
      view,
      ui: this.#ui,
      selected: this.#selectedRow(view),
      permissions: this.#permissions(),
      clusterName: this.#options.clusterName,
      hasKeys: this.#options.hasKeys,
    };
  }

  /** Takes what Ink reports of a key press, or of text that was pasted. */
  press(input: string, key: PressedKey): void {
    const special = specialKeyName(input, key);
    if (special !== null) {
      this.#pressKey(special);
      return;
    }
    for (const character of input) {
      if (this.#ui.mode === "write" && character !== "\r" && character !== "\n") {
        this.#type(character);
      } else {
        this.#pressKey(character === "\r" ? "enter" : characterKeyName(character));
      }
    }
  }

  /** Looks again which processes this machine runs. Never rejects. */
  async refreshLocal(): Promise<void> {
    const { localActions } = this.#options;
    if (localActions === null) {
      return;
    }
    try {
      this.dispatch({ kind: "local", nodes: await localActions.list() });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#say({ severity: "bad", text: `the local cluster cannot be read: ${why}` });
    }
  }

  #view(): ClusterView {
    const { frozen } = this.#ui;
    return frozen === null
      ? selectView(this.#cluster, this.#options.nowMs())
      : selectView(frozen.cluster, frozen.atMs);
  }

  #selectedRow(view: ClusterView): NodeRow | null {
    const { selectedId } = this.#ui;
    return view.rows.find((row) => row.id === selectedId) ?? view.rows[0] ?? null;
  }

  #permissions(): Permissions {
    return {
      readOnly: this.#options.readOnly,
      hasLocalActions: this.#options.localActions !== null,
      isFrozen: this.#ui.frozen !== null,
    };
  }

  #pressKey(name: string): void {
    const found = bindingOf(this.#ui.mode, name);
    if (found === null) {
      // Anything but yes is no: a question must never be answered by accident.
      if (this.#ui.mode === "confirm") {
        this.#cancel();
      }
      return;
    }
    this.#act(found.action, found.changes);
  }

  #act(action: KeyAction, changes: boolean): void {
    const refused = changes ? changesRefused(this.#permissions()) : null;
    if (refused !== null) {
      this.#say({ severity: "warning", text: refused });
    } else if (isFaultAction(action)) {
      this.#startFault(action);
    } else {
      this.#change(action);
    }
  }

  #change(action: Exclude<KeyAction, FaultAction>): void {
    switch (action) {
      case "selectPrevious":
        return this.#select(-1);
      case "selectNext":
        return this.#select(1);
      case "write":
        return this.#setUi({ mode: "write", draft: "", message: null });
      case "freeze":
        return this.#toggleFreeze();
      case "help":
        return this.#setUi({ mode: "help" });
      case "quit":
        return this.#options.onQuit();
      case "confirm":
        return this.#confirm();
      case "cancel":
        return this.#cancel();
      case "submit":
        return this.#submit();
      case "erase":
        return this.#setUi({ draft: graphemesOf(this.#ui.draft).slice(0, -1).join("") });
    }
  }

  #select(step: 1 | -1): void {
    const { rows } = this.#view();
    const selected = this.#selectedRow(this.#view());
    const at = rows.findIndex((row) => row.id === selected?.id);
    const next = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
    this.#setUi({ selectedId: next?.id ?? null });
  }

  #toggleFreeze(): void {
    const frozen =
      this.#ui.frozen === null ? { atMs: this.#options.nowMs(), cluster: this.#cluster } : null;
    this.#setUi({ frozen, message: null });
  }

  /** Judges by the last look at the processes; whoever signals them looks again. */
  #startFault(action: FaultAction): void {
    const view = this.#view();
    const row =
      action === "killLeader"
        ? (view.rows.find(({ condition }) => condition === "leader") ?? null)
        : this.#selectedRow(view);
    const plan = planFault(action, row, view, this.#permissions());
    switch (plan.kind) {
      case "refuse":
        return this.#say({ severity: "warning", text: plan.why });
      case "ask":
        return this.#setUi({ mode: "confirm", asked: plan, message: null });
      case "run":
        void this.#run(plan.fault);
    }
  }

  #confirm(): void {
    const fault = this.#ui.asked?.fault ?? null;
    this.#setUi({ mode: "browse", asked: null });
    if (fault !== null) {
      void this.#run(fault);
    }
  }

  async #run(fault: Fault): Promise<void> {
    const { localActions } = this.#options;
    if (localActions === null) {
      return;
    }
    this.#say({ severity: "info", text: `${PRESENT[fault.kind]} ${fault.nodeId} …` });
    const message = await runFault(fault, localActions);
    if (message.severity === "good") {
      this.#tell(fault.nodeId, `you ${PAST[fault.kind]} it`);
    }
    this.#say(message);
    await this.refreshLocal();
  }

  #submit(): void {
    const { draft } = this.#ui;
    const assignment = parseAssignment(draft);
    this.#setUi({ mode: "browse", draft: "" });
    if (assignment === null) {
      this.#say({ severity: "warning", text: "nothing written: type key=value" });
      return;
    }
    this.#say({ severity: "info", text: `writing ${assignment.key} …` });
    void this.#options
      .write(assignment.key, assignment.value)
      .then((message) => this.#say(message));
  }

  #cancel(): void {
    const wasAsking = this.#ui.mode === "confirm" || this.#ui.mode === "write";
    const message: StatusMessage | null = wasAsking
      ? { severity: "info", text: "nothing was done" }
      : this.#ui.message;
    this.#setUi({ mode: "browse", asked: null, draft: "", message });
  }

  #type(character: string): void {
    if (this.#ui.draft.length < DRAFT_MAX_LENGTH) {
      this.#setUi({ draft: this.#ui.draft + character });
    }
  }

  #tell(subject: NodeId, text: string): void {
    this.dispatch({ kind: "note", note: { subject, severity: "info", text } });
  }

  #say(message: StatusMessage): void {
    this.#setUi({ message });
  }

  #setUi(changes: Partial<UiState>): void {
    this.#ui = { ...this.#ui, ...changes };
    this.#changed();
  }

  #changed(): void {
    this.#version += 1;
    for (const listener of this.#listeners) {
      listener();
    }
  }
}

const PRESENT: Readonly<Record<Fault["kind"], string>> = {
  kill: "killing",
  start: "starting",
  restart: "restarting",
  pause: "pausing",
  resume: "resuming",
};

const PAST: Readonly<Record<Fault["kind"], string>> = {
  kill: "killed",
  start: "started",
  restart: "restarted",
  pause: "paused",
  resume: "resumed",
};
