import type { TextSink } from "./printer.ts";

const INTERVAL_MS = 250;
const CLEAR = "\r\u001B[K";

/** One line at a terminal that is written over and over; nowhere else is anything written. */
export class ProgressLine {
  readonly #sink: TextSink;
  readonly #isShown: boolean;
  #text: () => string = () => "";
  #timer: NodeJS.Timeout | null = null;

  constructor(sink: TextSink, isQuiet: boolean) {
    this.#sink = sink;
    this.#isShown = sink.isTTY === true && !isQuiet;
  }

  /** Shows what `text` says, now and every quarter of a second. */
  show(text: () => string): void {
    if (!this.#isShown) return;
    this.#text = text;
    this.#draw();
    this.#timer ??= setInterval(() => this.#draw(), INTERVAL_MS).unref();
  }

  /** Takes the line away, writes something that stays, and shows the line again below. */
  above(write: () => void): void {
    if (this.#timer !== null) this.#sink.write(CLEAR);
    write();
    if (this.#timer !== null) this.#draw();
  }

  /** Takes the line away for good. */
  end(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#sink.write(CLEAR);
  }

  #draw(): void {
    this.#sink.write(CLEAR + this.#text());
  }
}
