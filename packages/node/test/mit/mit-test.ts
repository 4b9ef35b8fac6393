import { test } from "node:test";

/** The long form runs every test with this many seeds. */
const LONG_SEEDS = 10;

/** A test of the course, under its name; it runs once, or with many seeds in the long form. */
export function mitTest(title: string, run: (seed: string) => Promise<void>): void {
  const seeds = process.env["QUORATE_LONG_TESTS"] === "1" ? LONG_SEEDS : 1;
  const [name = title] = title.split(":");
  test(title, async () => {
    for (let number = 1; number <= seeds; number += 1) {
      try {
        await run(`${name} ${number}`);
      } catch (cause) {
        throw new Error(`${name} fails with seed ${number} of ${seeds}`, { cause });
      }
    }
  });
}
