import { EventEmitter } from "node:events";
import { PassThrough, Writable } from "node:stream";
import xterm from "@xterm/headless";

/** A terminal in memory: what is written to `stdout` is on its screen, and keys come from it. */
export class MemoryTerminal {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly stdin: NodeJS.ReadStream;
  #errors = "";
  readonly #screen: xterm.Terminal;
  readonly #written: EventEmitter = new EventEmitter();
  readonly #keys: PassThrough;

  constructor(columns: number, rows: number, isTTY = true) {
    this.#screen = new xterm.Terminal({
      cols: columns,
      rows,
      allowProposedApi: true,
      // As the line discipline of a real terminal does.
      convertEol: true,
    });
    this.stdout = this.#outputStream((text) => {
      this.#screen.write(text, () => this.#written.emit("written"));
    }, isTTY);
    this.stderr = this.#outputStream((text) => {
      this.#errors += text;
      this.#written.emit("written");
    }, isTTY);
    this.#keys = new PassThrough();
    this.stdin = Object.assign(this.#keys, {
      isTTY,
      setRawMode: () => this.#keys,
      ref: () => this.#keys,
      unref: () => this.#keys,
    }) as unknown as NodeJS.ReadStream;
  }

  get errors(): string {
    return this.#errors;
  }

  get isAlternate(): boolean {
    return this.#screen.buffer.active.type === "alternate";
  }

  get isCursorShown(): boolean {
    return !(this.#screen as unknown as CoreTerminal)._core.coreService.isCursorHidden;
  }

  /** The lines on the screen, without what is blank at their ends. */
  lines(): readonly string[] {
    const buffer = this.#screen.buffer.active;
    return Array.from(
      { length: this.#screen.rows },
      (_, row) => buffer.getLine(buffer.viewportY + row)?.translateToString(true) ?? "",
    );
  }

  text(): string {
    return this.lines().join("\n");
  }

  /** Resolves when all that was written is on the screen. */
  settled(): Promise<void> {
    return new Promise((resolve) => this.#screen.write("", resolve));
  }

  press(keys: string): void {
    this.#keys.write(keys);
  }

  resize(columns: number, rows: number): void {
    this.#screen.resize(columns, rows);
    Object.assign(this.stdout, { columns, rows });
    this.stdout.emit("resize");
  }

  /** Resolves when the screen or the errors show `pattern`; rejects after five seconds. */
  async shows(pattern: RegExp): Promise<void> {
    const deadline = AbortSignal.timeout(5_000);
    while (!pattern.test(`${this.text()}\n${this.#errors}`)) {
      await new Promise<void>((resolve, reject) => {
        const onAbort = () => {
          reject(new Error(`the screen never showed ${pattern}:\n${this.text()}\n${this.#errors}`));
        };
        if (deadline.aborted) {
          onAbort();
        }
        deadline.addEventListener("abort", onAbort, { once: true });
        this.#written.once("written", () => {
          deadline.removeEventListener("abort", onAbort);
          resolve();
        });
      });
    }
  }

  #outputStream(take: (text: string) => void, isTTY: boolean): NodeJS.WriteStream {
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        take(chunk.toString("utf8"));
        done();
      },
    });
    const { cols: columns, rows } = this.#screen;
    const size = isTTY ? { columns, rows } : {};
    return Object.assign(stream, { isTTY, ...size }) as unknown as NodeJS.WriteStream;
  }
}

/** The one fact about the cursor that the public interface of xterm leaves out. */
interface CoreTerminal {
  readonly _core: { readonly coreService: { readonly isCursorHidden: boolean } };
}
