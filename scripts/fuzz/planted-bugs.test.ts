import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameDecoder } from "@quorate/wire";
import { Fuzzer } from "./fuzzer.ts";
import { bodyOf, goldenFrames } from "./recordings.ts";
import type { Finding, Target } from "./target.ts";
import { Broken, hold } from "./target.ts";
import type { Decoder } from "./targets/frames.ts";
import { framesTarget } from "./targets/frames.ts";
import { messagesTarget } from "./targets/wire.ts";
import { countAllocations } from "./allocations.ts";

countAllocations();

const FRAMES = goldenFrames("raft.json");
const EXECUTIONS_MAX = 20_000;
const TURN_MS = 20;

/** What the fuzzer finds within a bounded number of inputs. */
async function firstFinding(target: Target): Promise<Finding> {
  const fuzzer = new Fuzzer(target, "planted");
  while (fuzzer.figures.executions < EXECUTIONS_MAX) {
    const finding = await fuzzer.run(TURN_MS);
    if (finding !== null) return finding;
  }
  return assert.fail(`the bug went unnoticed through ${EXECUTIONS_MAX} inputs`);
}

test("fuzz: a decoder that trusts a length prefix is found, by a few bytes", async () => {
  class TrustingDecoder extends FrameDecoder {
    override push(chunk: Uint8Array, onBody: (body: Uint8Array) => void): void {
      if (chunk.length >= 4) {
        const announced = new DataView(chunk.buffer, chunk.byteOffset).getUint32(0);
        // Room for all of it, before anybody has seen a byte of it.
        void new Uint8Array(announced % 2 ** 27);
      }
      super.push(chunk, onBody);
    }
  }
  const target = framesTarget([FRAMES], () => new TrustingDecoder(16 * 1024));
  const { what, input } = await firstFinding(target);
  assert.match(what, /asks for \d+ bytes where \d+ came/u);
  assert.ok(input.length <= 8, `${input.length} bytes`);
});

test("fuzz: a decoder that drops a frame that is cut between chunks is found", async () => {
  class ForgetfulDecoder implements Decoder {
    push(chunk: Uint8Array, onBody: (body: Uint8Array) => void): void {
      new FrameDecoder(16 * 1024).push(chunk, onBody);
    }
  }
  const { what, input } = await firstFinding(
    framesTarget([FRAMES.slice(0, 3)], () => new ForgetfulDecoder()),
  );
  assert.match(what, /gives 0 frames/u);
  assert.ok(input.length <= 8, `${input.length} bytes`);
});

test("fuzz: a decoder that keeps views of a chunk for too long is found", async () => {
  class ViewingDecoder implements Decoder {
    readonly #decoder = new FrameDecoder(16 * 1024);
    #late: (() => void) | null = null;

    push(chunk: Uint8Array, onBody: (body: Uint8Array) => void): void {
      this.#late?.();
      const bodies: Uint8Array[] = [];
      this.#decoder.push(chunk, (body) => bodies.push(body));
      const last = bodies.pop();
      for (const body of bodies) onBody(body);
      this.#late = last === undefined ? null : () => onBody(last);
    }
  }
  const target = framesTarget([FRAMES], () => new ViewingDecoder());
  assert.match((await firstFinding(target)).what, /frame \d+ has other bytes|gives \d+ frames/u);
});

test("fuzz: an exception that is not meant, a hang and a lie about a message are found", async () => {
  const bodies = FRAMES.map(bodyOf);
  const sound = messagesTarget("messages", bodies);
  const planted: readonly (readonly [RegExp, Target["check"]])[] = [
    [
      /TypeError/u,
      (input) => {
        if (input.length > 3 && input[2] === 0xc0) throw new TypeError("null has no fields");
        return sound.check(input);
      },
    ],
    [
      /takes \d+ ms of 200 ms/u,
      (input) => {
        const busy = process.threadCpuUsage().user;
        while (input.includes(0xdd) && process.threadCpuUsage().user - busy < 250_000);
        return sound.check(input);
      },
    ],
    [
      /Broken: another after a trip/u,
      (input) => {
        const behaviour = sound.check(input);
        const isLarge = typeof behaviour === "string" && / .*L/u.test(behaviour);
        hold(!isLarge, () => "another after a trip");
        return behaviour;
      },
    ],
  ];
  for (const [expected, check] of planted) {
    const finding = await firstFinding({ ...sound, check });
    assert.match(finding.what, expected);
  }
});

test("fuzz: sound inputs that are refused are a finding: nothing was tried otherwise", async () => {
  const target = messagesTarget("messages", [Uint8Array.of(0x91, 0x7f)]);
  const { what } = await firstFinding(target);
  assert.match(what, new RegExp(`${new Broken("").name}: a sound input is refused`, "u"));
});
