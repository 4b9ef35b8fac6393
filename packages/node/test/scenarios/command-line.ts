/** One command of a scenario: words, and options written `name=value`. */
export class CommandLine {
  readonly name: string;
  /** Indented lines below the command. */
  readonly below: readonly string[];
  readonly words: readonly string[];
  readonly #options: Map<string, string>;

  constructor([line = "", ...below]: readonly string[]) {
    const [name = "", ...rest] = line.trim().split(/\s+/u);
    this.name = name;
    this.below = below;
    this.words = rest.filter((word) => !isOption(word));
    this.#options = new Map(rest.filter(isOption).map(splitOption));
  }

  /** The word at this place; throws where there is none. */
  word(at: number, what: string): string {
    const word = this.words[at];
    if (word === undefined) throw new SyntaxError(`${this.name}: ${what} is missing`);
    return word;
  }

  has(word: string): boolean {
    return this.words.includes(word);
  }

  text(option: string): string | null {
    return this.#options.get(option) ?? null;
  }

  number(option: string): number | null {
    const text = this.text(option);
    return text === null ? null : this.parse(text);
  }

  /** A list with commas; empty: no element. */
  list(option: string): readonly string[] | null {
    return (
      this.text(option)
        ?.split(",")
        .filter((part) => part !== "") ?? null
    );
  }

  parse(text: string): number {
    const value = Number(text);
    if (!Number.isInteger(value)) throw new SyntaxError(`${this.name}: ${text} is no number`);
    return value;
  }
}

/** `x=1` as an argument of propose is written as two options never are: its name is not known. */
function isOption(word: string): boolean {
  return /^(log|term|voted|role|voters|learners|staging|expected|session|serial|acked|at|ttl|trailing|lease|batch)=/u.test(
    word,
  );
}

function splitOption(word: string): [string, string] {
  const at = word.indexOf("=");
  return [word.slice(0, at), word.slice(at + 1)];
}
