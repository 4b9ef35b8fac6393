import { once } from "node:events";
import { createServer } from "node:net";
import { LineFaults } from "./line-faults.ts";
import type { ChaosNetwork, ImpairedLinks, Impairment, Plug } from "./network.ts";
import type { Link } from "./partitions.ts";

const HOST = "127.0.0.1";

/** All nodes on loopback, on ports that nobody had a moment ago; the daemons cut their own lines. */
export class LoopbackNetwork implements ChaosNetwork {
  readonly mechanism = "fault requests to the daemons";
  readonly #why: string;
  readonly #lines = new LineFaults();

  /** @param why there are no network namespaces. */
  constructor(why: string) {
    this.#why = why;
  }

  impossible(kind: Impairment["kind"]): string | null {
    return kind === "reset" ? this.#why : null;
  }

  async plug(id: string): Promise<Plug> {
    const server = createServer().listen(0, HOST);
    await once(server, "listening");
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error("no port");
    await once(server.close(), "close");
    const address = `${HOST}:${bound.port}`;
    this.#lines.add(id, address);
    return { address, commandPrefix: [] };
  }

  impair(links: readonly Link[], how: Impairment): Promise<ImpairedLinks> {
    return this.#lines.impair(links, how);
  }
}
