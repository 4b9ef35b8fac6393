import { LineFaults } from "./line-faults.ts";
import type { ChaosNetwork, ImpairedLinks, Impairment, Plug } from "./network.ts";
import type { Link } from "./partitions.ts";
import { mustRun, runCommand } from "./run-command.ts";

type FirewallRule = Exclude<Impairment, { readonly kind: "delay" }>;

const BRIDGE = "quorate";
const SUBNET = "10.77.0";
const PORT = 7001;
const HOST_PART_MAX = 253;

/**
 * Each node in a network namespace of its own, on one bridge; links are cut by firewall rules at
 * the receiver. For a process inside namespaces of its own (isolation.ts): all of it ends with them.
 */
export class NamespaceNetwork implements ChaosNetwork {
  readonly mechanism = "network namespaces and iptables";
  readonly #hosts = new Map<string, string>();
  /** For what the firewall cannot do: a kernel with netem is rare. */
  readonly #lines = new LineFaults();
  #chains = 0;
  #plugs = 0;

  private constructor() {}

  /** Makes the bridge, with this process on it. */
  static async create(): Promise<NamespaceNetwork> {
    await mustRun("ip", ["link", "add", BRIDGE, "type", "bridge"]);
    await mustRun("ip", ["addr", "add", `${SUBNET}.254/24`, "dev", BRIDGE]);
    await mustRun("ip", ["link", "set", BRIDGE, "up"]);
    return new NamespaceNetwork();
  }

  /** Why there can be none here; null: there can. Tries it, so call it in a namespace to spare. */
  static async impossible(): Promise<string | null> {
    const trials = [
      ["ip", "link", "add", "qtry", "type", "bridge"],
      ["ip", "netns", "add", "qtry"],
      ["ip", "link", "add", "qtry0", "type", "veth", "peer", "name", "eth0", "netns", "qtry"],
      ["iptables", "-w", "-A", "INPUT", "-s", `${SUBNET}.1`, "-j", "DROP"],
      ["iptables", "-w", "-F", "INPUT"],
      ["ip", "netns", "del", "qtry"],
      ["ip", "link", "del", "qtry"],
    ] as const;
    for (const [program, ...args] of trials) {
      const { code, output } = await runCommand(program, args);
      if (code === 0) continue;
      return `${program} ${args.slice(0, 2).join(" ")}: ${output.split("\n")[0] ?? "failed"}`;
    }
    return null;
  }

  impossible(): null {
    return null;
  }

  async plug(id: string): Promise<Plug> {
    this.#plugs += 1;
    const number = this.#plugs;
    if (number > HOST_PART_MAX) throw new Error("the subnet has no address left");
    const host = `${SUBNET}.${number}`;
    const outer = `q${number}`;
    await mustRun("ip", ["netns", "add", id]);
    await mustRun("ip", `link add ${outer} type veth peer name eth0 netns ${id}`.split(" "));
    await mustRun("ip", ["link", "set", outer, "master", BRIDGE, "up"]);
    await mustRun("ip", ["-n", id, "addr", "add", `${host}/24`, "dev", "eth0"]);
    await mustRun("ip", ["-n", id, "link", "set", "eth0", "up"]);
    await mustRun("ip", ["-n", id, "link", "set", "lo", "up"]);
    this.#hosts.set(id, host);
    this.#lines.add(id, `${host}:${PORT}`);
    return { address: `${host}:${PORT}`, commandPrefix: ["nsenter", inside(id)] };
  }

  /** One chain of rules a receiver: several impairments at once do not disturb each other. */
  async impair(links: readonly Link[], how: Impairment): Promise<ImpairedLinks> {
    if (how.kind === "delay") return await this.#lines.impair(links, how);
    this.#chains += 1;
    const chain = `CHAOS${this.#chains}`;
    const receivers = [...new Set(links.map(({ to }) => to))];
    await Promise.all(
      receivers.map((receiver) => {
        const senders = links.filter(({ to }) => to === receiver).map((link) => link.from);
        const rules = senders.flatMap((sender) => this.#rules(chain, sender, how));
        return restore(receiver, [`:${chain} - [0:0]`, ...rules, `-I INPUT -j ${chain}`]);
      }),
    );
    return {
      heal: async () => {
        const counts = await Promise.all(receivers.map((receiver) => packetsHit(receiver, chain)));
        const remove = [`-D INPUT -j ${chain}`, `-F ${chain}`, `-X ${chain}`];
        await Promise.all(receivers.map((receiver) => restore(receiver, remove)));
        const packets = counts.reduce((sum, count) => sum + count, 0);
        const verb = { drop: "dropped", reset: "answered by a reset", loss: "lost" }[how.kind];
        return packets === 0 ? null : `${packets} packets ${verb}`;
      },
    };
  }

  #rules(chain: string, sender: string, how: FirewallRule): string[] {
    const host = this.#hosts.get(sender);
    if (host === undefined) throw new Error(`${sender} is not on the network`);
    const from = `-A ${chain} -s ${host}`;
    switch (how.kind) {
      case "drop":
        return [`${from} -j DROP`];
      case "reset":
        return [`${from} -p tcp -j REJECT --reject-with tcp-reset`];
      case "loss": {
        const probability = (how.percent / 100).toFixed(3);
        return [`${from} -m statistic --mode random --probability ${probability} -j DROP`];
      }
    }
  }
}

/** `nsenter`'s argument for the network of a node. */
function inside(id: string): string {
  return `--net=/run/netns/${id}`;
}

async function restore(id: string, lines: readonly string[]): Promise<void> {
  const input = ["*filter", ...lines, "COMMIT", ""].join("\n");
  await mustRun("nsenter", [inside(id), "iptables-restore", "--noflush", "--wait"], { input });
}

async function packetsHit(id: string, chain: string): Promise<number> {
  const args = [inside(id), "iptables", "-w", "-nvxL", chain];
  const listing = await mustRun("nsenter", args);
  return listing
    .split("\n")
    .slice(2)
    .reduce((sum, line) => sum + Number(line.trim().split(/\s+/u)[0] ?? 0), 0);
}
