import { simulate, SeededRandom, Coverage } from "@quorate/node/testing";
import { drawPlan } from "../../src/testing/simulation-plan.ts";
const [from, count] = process.argv.slice(2).map(Number) as [number, number];
let n = 0; let ms=0; const cov = new Coverage(); const t0=process.cpuUsage().user;
for (let s = from; n < count; s++) {
  if (!drawPlan(new SeededRandom(`seed ${s}`).fork("plan")).usesSqlite) continue;
  n++;
  const c0=process.cpuUsage().user;
  const r = await simulate(s, {});
  ms+=r.simulatedMs; cov.merge(r.coverage);
  if (process.argv[4]) console.log(s, Math.round((process.cpuUsage().user-c0)/1000), "ms cpu", Math.round(r.simulatedMs), "sim", r.coverage.count("restarts"), r.eventCount);
  if (r.failure !== null) { console.log(s, r.failure.invariant, r.failure.message.slice(0,3000)); console.log(r.failure.lastEvents.slice(-12).map((l: string)=>l.slice(0,200)).join("\n")); if (r.failure.cause instanceof Error) console.log(r.failure.cause.stack); break; }
  const again = n % 5 === 0 ? await simulate(s, {}) : r;
  if (again.traceHash !== r.traceHash) console.log("UNEQUAL", s);
}
console.log(n, "runs", ms/1000, "s simulated", (process.cpuUsage().user-t0)/1e6, "s cpu", JSON.stringify(cov));
