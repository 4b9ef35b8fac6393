import type { LinkFault, NodeStatus } from "@quorate/wire";
import { QuorateClient } from "@quorate/wire/client";
import type { ImpairedLinks, Impairment } from "./network.ts";
import type { Link } from "./partitions.ts";

interface Rule extends Link {
  readonly dropRate: number;
  readonly delayMs: number;
}

/** A restarted node has forgotten its faults: they are told again this often. */
const TELL_INTERVAL_MS = 400;
const TTL_MS = 20_000;
const TIMEOUT_MS = 1000;

/** Impaired links by the daemons themselves: no rights are needed. Each is set at its receiver. */
export class LineFaults {
  readonly #addresses = new Map<string, string>();
  readonly #active = new Set<readonly Rule[]>();
  #client: QuorateClient | null = null;
  #timer: NodeJS.Timeout | null = null;

  /** Notes where a node is reached. */
  add(id: string, address: string): void {
    this.#addresses.set(id, address);
  }

  async impair(links: readonly Link[], how: Impairment): Promise<ImpairedLinks> {
    const rules = links.map((link) => ({ ...link, ...strengthOf(how) }));
    this.#active.add(rules);
    this.#timer ??= setInterval(
      () => void this.#tell(receiversOf([...this.#active].flat())),
      TELL_INTERVAL_MS,
    );
    await this.#tell(receiversOf(rules));
    return {
      heal: async () => {
        const seen = await this.#seen(links, how);
        this.#active.delete(rules);
        await this.#tell(receiversOf(rules));
        if (this.#active.size === 0) await this.#stop();
        return seen;
      },
    };
  }

  async #stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await this.#client?.close();
    this.#client = null;
  }

  /** Sets all rules of these nodes. One that is away is told when it is back. */
  async #tell(ids: readonly string[]): Promise<void> {
    const rules = [...this.#active].flat();
    const told = ids.map(async (id) => {
      const own = rules.filter(({ to }) => to === id).map(faultOf);
      const endpoint = this.#addresses.get(id) ?? "";
      await this.#open().setFaults(endpoint, strongest(own), TTL_MS, { timeoutMs: TIMEOUT_MS });
    });
    await Promise.allSettled(told);
  }

  /** What the nodes say of these links. */
  async #seen(links: readonly Link[], how: Impairment): Promise<string | null> {
    const ids = [...new Set(links.flatMap(({ from, to }) => [from, to]))];
    const asked = ids.map((id) =>
      this.#open().status(this.#addresses.get(id) ?? "", { timeoutMs: TIMEOUT_MS }),
    );
    const statuses = (await Promise.allSettled(asked)).flatMap((answer) =>
      answer.status === "fulfilled" ? [answer.value] : [],
    );
    const inForce = links.filter((link) => isInForce(link, statuses)).length;
    if (inForce === 0) return null;
    const found = `${inForce} of ${links.length} lines, as the nodes report`;
    if (how.kind !== "drop") return found;
    return `${found}; ${links.filter((link) => isDown(link, statuses)).length} found down`;
  }

  #open(): QuorateClient {
    this.#client ??= new QuorateClient({
      endpoints: [...this.#addresses.values()],
      clientName: "chaos-lines",
      sessions: false,
    });
    return this.#client;
  }
}

/** Whether the receiver says that it does something to what comes over the link. */
function isInForce({ from, to }: Link, statuses: readonly NodeStatus[]): boolean {
  const receiver = statuses.find(({ nodeId }) => nodeId === to);
  return receiver?.faults.some(({ peer }) => peer === from) ?? false;
}

/** Whether the sender says that it has no connection. */
function isDown({ from, to }: Link, statuses: readonly NodeStatus[]): boolean {
  const sender = statuses.find(({ nodeId }) => nodeId === from);
  return sender?.peers.some(({ id, connected }) => id === to && !connected) ?? false;
}

function strengthOf(how: Impairment): Pick<LinkFault, "dropRate" | "delayMs"> {
  switch (how.kind) {
    case "drop":
    case "reset":
      return { dropRate: 1, delayMs: 0 };
    case "loss":
      return { dropRate: how.percent / 100, delayMs: 0 };
    case "delay":
      return { dropRate: 0, delayMs: how.ms };
  }
}

function faultOf({ from, dropRate, delayMs }: Rule): LinkFault {
  return { peer: from, direction: "from", dropRate, delayMs };
}

/** One rule a peer: where several impair the same link, all that each of them does. */
function strongest(faults: readonly LinkFault[]): LinkFault[] {
  const byPeer = new Map<string, LinkFault>();
  for (const fault of faults) {
    const { dropRate = 0, delayMs = 0 } = byPeer.get(fault.peer) ?? {};
    byPeer.set(fault.peer, {
      ...fault,
      dropRate: Math.max(dropRate, fault.dropRate),
      delayMs: Math.max(delayMs, fault.delayMs),
    });
  }
  return [...byPeer.values()];
}

function receiversOf(links: readonly Link[]): string[] {
  return [...new Set(links.map(({ to }) => to))];
}
