import assert from "node:assert/strict";
import { test } from "node:test";
import { SimProcess, SimScheduler } from "@quorate/node/testing";

function drain(scheduler: SimScheduler): void {
  while (scheduler.runNext());
}

test("SimScheduler: runs by time, and by order of scheduling within one", () => {
  const scheduler = new SimScheduler();
  const ran: string[] = [];
  for (const [delayUs, name] of [
    [30, "c"],
    [10, "a"],
    [30, "d"],
    [20, "b"],
    [30, "e"],
  ] as const) {
    scheduler.schedule(delayUs, () => ran.push(`${name}@${scheduler.nowUs}`));
  }
  drain(scheduler);
  assert.deepEqual(ran, ["a@10", "b@20", "c@30", "d@30", "e@30"]);
});

test("SimScheduler: a heap of many events comes out sorted, cancelled ones not at all", () => {
  const scheduler = new SimScheduler();
  const ran: number[] = [];
  for (let number = 0; number < 500; number++) {
    const delayUs = (number * 7919) % 101;
    const event = scheduler.schedule(delayUs, () => ran.push(delayUs));
    if (number % 10 === 0) event.cancel();
  }
  drain(scheduler);
  assert.equal(ran.length, 450);
  assert.deepEqual(
    ran,
    ran.toSorted((a, b) => a - b),
  );
});

test("SimProcess: resumed, it runs late timers, then messages, then what was put off", () => {
  const scheduler = new SimScheduler();
  const ran: string[] = [];
  const process = new SimProcess(scheduler, 1, () => {});
  process.after(5, () => ran.push("timer"));
  scheduler.schedule(1_000, () => {
    process.deliver(() => ran.push("message before the timer was due"));
  });
  process.soon(() => ran.push("put off"));
  process.pause();
  scheduler.schedule(50_000, () => {
    assert.deepEqual(ran, []);
    process.resume();
  });
  drain(scheduler);
  assert.deepEqual(ran, ["timer", "message before the timer was due", "put off"]);
});

test("SimProcess: dead, it runs nothing; a cancelled timer never fires", () => {
  const scheduler = new SimScheduler();
  const ran: string[] = [];
  const process = new SimProcess(scheduler, 1, () => {});
  process.after(1, () => ran.push("cancelled")).cancel();
  const late = process.after(1, () => ran.push("cancelled while paused"));
  process.pause();
  scheduler.schedule(2_000, () => {
    late.cancel();
    process.resume();
  });
  drain(scheduler);
  process.soon(() => ran.push("soon"));
  process.deliver(() => ran.push("message"));
  assert.deepEqual(ran, ["message"]);
  process.kill();
  drain(scheduler);
  process.deliver(() => ran.push("message to the dead"));
  assert.deepEqual(ran, ["message"]);
});

test("SimProcess: a clock that runs fast shows more time and fires sooner", () => {
  const scheduler = new SimScheduler();
  const process = new SimProcess(scheduler, 2, () => {});
  let firedUs = 0;
  process.after(10, () => {
    firedUs = scheduler.nowUs;
  });
  drain(scheduler);
  assert.equal(firedUs, 5_000);
  assert.equal(process.nowMs(), 10);
});
