import type { NodeId, SessionOperation, Term } from "@quorate/wire";
import { encodeCommand } from "../../src/kv/command-codec.ts";
import type { KvCommand } from "../../src/kv/kv-command.ts";
import type { RaftConfig } from "../../src/raft/index.ts";
import { targetOf, TICKS } from "../raft/server-under-test.ts";
import { CommandLine } from "./command-line.ts";
import { entryText, messageText } from "./message-text.ts";
import type { ClusterMember, Posted } from "./scenario-cluster.ts";
import { ScenarioCluster } from "./scenario-cluster.ts";

type Command = (cluster: ScenarioCluster, line: CommandLine) => void;

/** What the commands of README.md do. */
const COMMANDS: Readonly<Record<string, Command>> = {
  tick: (cluster, line) => {
    const id = line.word(0, "a server");
    for (let left = line.parse(line.words[1] ?? "1"); left > 0; left -= 1) {
      for (const one of id === "all" ? cluster.ids : [id]) {
        if (cluster.server(one).isUp) cluster.server(one).step((core) => core.tick());
      }
    }
  },
  silence: (cluster, line) => {
    for (const id of line.words) {
      const server = cluster.server(id);
      for (let left = TICKS.electionTicks; left > 0; left -= 1) server.step((core) => core.tick());
    }
  },
  run: (cluster, line) => {
    const ids = line.words.slice(1);
    cluster.run(line.parse(line.word(0, "a number of ticks")), ids.length > 0 ? ids : cluster.ids);
  },
  campaign: (cluster, line) => {
    cluster.campaign(line.word(0, "a server"));
  },
  win: (cluster, line) => {
    cluster.win(line.word(0, "a server"));
  },
  elect: (cluster, line) => {
    cluster.elect(line.word(0, "a server"));
  },
  stabilize: (cluster, line) => {
    const delivered = cluster.settle();
    if (line.has("count")) cluster.say(`${delivered} messages`);
  },
  "deliver-all": (cluster) => {
    cluster.settle(true);
  },
  deliver: (cluster, line) => {
    for (const posted of takeMessages(cluster, line)) cluster.deliver(posted, true);
  },
  drop: (cluster, line) => {
    for (const posted of takeMessages(cluster, line))
      cluster.say(`${postedText(posted)} (dropped)`);
  },
  duplicate: (cluster, line) => {
    const wanted = findMessages(cluster, line.words);
    cluster.network.push(...wanted);
    for (const posted of wanted) cluster.say(`${postedText(posted)} (twice)`);
  },
  network: (cluster) => {
    for (const [at, posted] of cluster.network.entries()) {
      cluster.say(`#${at + 1} ${postedText(posted)}`);
    }
  },
  block: (cluster, line) => {
    for (const word of line.words) {
      const [from = "", to = ""] = word.split(/<?->/u);
      for (const a of from.split(",")) {
        for (const b of to.split(",")) {
          cluster.block(cluster.server(a).id, cluster.server(b).id);
          if (word.includes("<->")) cluster.block(b, a);
        }
      }
    }
  },
  isolate: (cluster, line) => {
    cluster.isolate(...line.words);
  },
  heal: (cluster) => {
    cluster.heal();
  },
  "slow-disk": (cluster, line) => {
    for (const id of line.words) cluster.server(id).isDiskSlow = true;
  },
  "fast-disk": (cluster, line) => {
    for (const id of line.words) {
      cluster.server(id).isDiskSlow = false;
      cluster.server(id).step(() => undefined);
    }
  },
  persist: (cluster, line) => {
    for (const id of line.words) cluster.server(id).finishWrite();
  },
  crash: (cluster, line) => {
    const survives = line.has("written");
    for (const id of line.words) if (id !== "written") cluster.server(id).crash(survives);
  },
  restart: (cluster, line) => {
    for (const id of line.words) cluster.server(id).start();
  },
  damage: (cluster, line) => {
    const { disk } = cluster.server(line.word(0, "a server"));
    disk.damage(line.parse(line.word(1, "an index")));
  },
  "peer-down": (cluster, line) => {
    const [id, peer] = [line.word(0, "a server"), line.word(1, "its peer")];
    cluster.server(id).step((core) => core.peerDown(peer));
  },
  propose: (cluster, line) => {
    const [key = "", value] = line.word(1, "key=value").split("=");
    const bytes = Buffer.from(key);
    propose(
      cluster,
      line,
      value === undefined
        ? { kind: "delete", key: bytes }
        : { kind: "put", key: bytes, value: Buffer.from(value) },
    );
  },
  "open-session": (cluster, line) => {
    propose(cluster, line, { kind: "openSession", ttlMs: line.number("ttl") ?? 1000 });
  },
  get: (cluster, line) => {
    const [id, key] = [line.word(0, "a server"), line.word(1, "a key")];
    const found = cluster.server(id).machine.get(Buffer.from(key));
    const value = found === null ? "nothing" : Buffer.from(found.value).toString();
    cluster.say(`${id} holds ${key}: ${value}`);
  },
  "change-members": (cluster, line) => {
    changeMembers(cluster, line);
  },
  transfer: (cluster, line) => {
    const id = line.word(0, "a server");
    const target = line.words[1] ?? null;
    const result = cluster.server(id).step((core) => core.transferLeadership(target));
    if (result.kind === "refused") cluster.say(`${id} refuses: ${result.reason}`);
    if (result.kind === "notLeader") cluster.say(`${id} does not lead`);
  },
  read: (cluster, line) => {
    cluster.read(line.word(0, "a server"));
  },
  snapshot: (cluster, line) => {
    for (const id of line.words) cluster.server(id).takeSnapshot();
  },
  "send-snapshot": (cluster, line) => {
    cluster.server(line.word(0, "a server")).sendSnapshot(line.word(1, "a follower"));
  },
  status: (cluster, line) => {
    for (const id of line.words.length > 0 ? line.words : cluster.ids) {
      cluster.say(cluster.status(id));
    }
  },
  log: (cluster, line) => {
    for (const id of line.words) {
      const { core } = cluster.server(id);
      const { firstLogIndex, lastLogIndex } = core.view();
      const entries = [];
      for (let index = firstLogIndex; index <= lastLogIndex; index += 1) {
        const entry = core.entryAt(index);
        if (entry !== null) entries.push(entryText(entry));
      }
      cluster.say(`${id}: ${entries.join(", ")}`);
    }
  },
  progress: (cluster, line) => {
    for (const peer of cluster.server(line.word(0, "a leader")).core.view().peers) {
      const { id, matchIndex, nextIndex, state, isDeparting } = peer;
      const flight = peer.inFlightMessages > 0 ? `, ${peer.inFlightMessages} in flight` : "";
      const silence = peer.recentlyActive ? "" : ", silent";
      const leaves = isDeparting ? ", leaving" : "";
      const places = `matchIndex ${matchIndex}, nextIndex ${nextIndex}`;
      cluster.say(`${id}: ${places}, ${state}${flight}${silence}${leaves}`);
    }
  },
};

/** A scenario's cluster and the messages that it keeps by name, between commands. */
export class ScenarioRun {
  #cluster: ScenarioCluster | null = null;
  readonly #kept = new Map<string, Posted>();

  /** Runs commands, each with the lines indented below it; says what they printed. */
  run(commands: readonly (readonly string[])[]): readonly string[] {
    for (const lines of commands) this.#runOne(new CommandLine(lines));
    return this.#cluster?.takeLines() ?? [];
  }

  #runOne(line: CommandLine): void {
    if (line.name === "add-nodes") {
      this.#cluster = new ScenarioCluster(membersOf(line), configOf(line));
      return;
    }
    const cluster = this.#cluster;
    if (cluster === null) throw new SyntaxError("the first command of a scenario is add-nodes");
    if (line.name === "keep") this.#keep(cluster, line);
    else if (line.name === "replay") this.#replay(cluster, line);
    else {
      const command = COMMANDS[line.name];
      if (command === undefined) throw new SyntaxError(`there is no command ${line.name}`);
      command(cluster, line);
    }
  }

  /** `keep NAME FILTER`: copies a message, to be delivered whenever it is wanted. */
  #keep(cluster: ScenarioCluster, line: CommandLine): void {
    const [posted] = findMessages(cluster, line.words.slice(1));
    if (posted === undefined) throw new Error(`there is nothing to keep`);
    this.#kept.set(line.word(0, "a name"), posted);
  }

  #replay(cluster: ScenarioCluster, line: CommandLine): void {
    for (const name of line.words) {
      const posted = this.#kept.get(name);
      if (posted === undefined) throw new Error(`no message was kept as ${name}`);
      cluster.deliver(posted, true);
    }
  }
}

function configOf(line: CommandLine): Partial<RaftConfig> {
  const trailingEntries = line.number("trailing");
  return {
    ...(trailingEntries === null ? {} : { trailingEntries }),
    ...(line.text("lease") === "yes" ? { leaseReads: true } : {}),
    ...(line.text("batch") === "no" ? { appendEntriesMaxBytes: 1 } : {}),
  };
}

/** Servers named on the line are voters with empty logs; below it they have logs and terms. */
function membersOf(line: CommandLine): ClusterMember[] {
  const described = line.below.map((text) => new CommandLine([text]));
  const plain = line.words.map((id) => new CommandLine([id]));
  return [...plain, ...described].map((one) => {
    const log = (one.list("log") ?? []).flatMap((text) => termsOf(one, text));
    const role = ["learner", "outsider"].find((word) => one.has(word)) ?? "voter";
    return {
      id: one.name,
      role: role as ClusterMember["role"],
      log,
      currentTerm: one.number("term") ?? log.at(-1) ?? 0,
      votedFor: one.text("voted"),
    };
  });
}

/** `3x2`: two entries of term 3. */
function termsOf(line: CommandLine, text: string): Term[] {
  const [term = "", count = "1"] = text.split("x");
  return Array.from({ length: line.parse(count) }, () => line.parse(term));
}

function propose(cluster: ScenarioCluster, line: CommandLine, command: KvCommand): void {
  const id = line.word(0, "a server");
  const sessionId = line.number("session");
  const serial = line.number("serial") ?? 1;
  const ackedBelow = line.number("acked") ?? 1;
  const session: SessionOperation | null =
    sessionId === null ? null : { sessionId, serial, ackedBelow };
  const data = encodeCommand(command, { clusterTimeMs: line.number("at") ?? 0, session });
  const result = cluster.server(id).step((core) => core.propose(data));
  if (result.kind === "notLeader") cluster.say(`${id} refuses: not the leader`);
  if (result.kind === "overloaded") cluster.say(`${id} refuses: overloaded`);
  if (result.kind === "transferring") cluster.say(`${id} refuses: hands over to ${result.target}`);
}

function changeMembers(cluster: ScenarioCluster, line: CommandLine): void {
  const id = line.word(0, "a server");
  const { core } = cluster.server(id);
  const { configuration } = core.view();
  const target = targetOf({
    voters: line.list("voters") ?? configuration.voters,
    learners: [...(line.list("learners") ?? configuration.learners)],
    staging: [...(line.list("staging") ?? [])],
  });
  const options = { expectedIndex: line.number("expected"), force: line.has("force") };
  const result = cluster.server(id).step(() => core.changeMembers(target, options));
  if (result.kind === "refused") cluster.say(`${id} refuses: ${result.code}, ${result.reason}`);
  if (result.kind === "notLeader") cluster.say(`${id} refuses: not the leader`);
}

function takeMessages(cluster: ScenarioCluster, line: CommandLine): readonly Posted[] {
  const wanted = findMessages(cluster, line.words);
  if (wanted.length === 0) cluster.say("no such message");
  cluster.take(wanted);
  return wanted;
}

/**
 * Words that name messages: `#2` the second on the network, `n1->n2` or `n1->*` those of a link,
 * `AppendEntries` those of a type, `first` only the oldest of them. Nothing: every message.
 */
function findMessages(cluster: ScenarioCluster, words: readonly string[]): readonly Posted[] {
  const numbers = words.filter((word) => word.startsWith("#")).map((word) => Number(word.slice(1)));
  if (numbers.length > 0) {
    return numbers.map((number) => {
      const posted = cluster.network[number - 1];
      if (posted === undefined) throw new Error(`there is no message #${number}`);
      return posted;
    });
  }
  const names = words.filter((word) => word !== "first");
  const named = cluster.network.filter((posted) => names.every((word) => isNamed(posted, word)));
  return words.includes("first") ? named.slice(0, 1) : named;
}

function isNamed({ from, to, message }: Posted, word: string): boolean {
  if (!word.includes("->")) return message.type === word;
  const [sender, receiver] = word.split("->");
  const fits = (wanted: string | undefined, id: NodeId): boolean => wanted === "*" || wanted === id;
  return fits(sender, from) && fits(receiver, to);
}

function postedText({ from, to, message }: Posted): string {
  return `${from} -> ${to} ${messageText(message)}`;
}
