const PROGRESS_INTERVAL_MS = 250;
const CLEAR_LINE = "\r\u001b[K";

/** One line on a terminal that is written over and over; nothing anywhere else. */
export class ProgressLine {
  readonly #stream = process.stderr;
  #timer: NodeJS.Timeout | null = null;

  show(line: () => string): void {
    this.clear();
    if (!this.#stream.isTTY) return;
    this.#timer = setInterval(() => {
      this.#stream.write(`${CLEAR_LINE}${line().slice(0, this.#stream.columns - 1)}`);
    }, PROGRESS_INTERVAL_MS);
  }

  clear(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#stream.write(CLEAR_LINE);
  }

  /** Above the line. */
  print(text: string): void {
    this.#stream.write(`${this.#timer === null ? "" : CLEAR_LINE}${text}\n`);
  }
}
