import type { Link } from "./partitions.ts";

/** What happens to what goes over impaired links. */
export type Impairment =
  | { readonly kind: "drop" }
  /** Connections are reset by what looks like the other side. */
  | { readonly kind: "reset" }
  | { readonly kind: "loss"; readonly percent: number }
  | { readonly kind: "delay"; readonly ms: number };

/** Links that are impaired now. */
export interface ImpairedLinks {
  /** Ends it; resolves to what was seen of its effect, or null: nothing was. */
  heal(): Promise<string | null>;
}

/** Where a node is reached, and what its command line must begin with to be there. */
export interface Plug {
  readonly address: string;
  readonly commandPrefix: readonly string[];
}

/** How the nodes of a rig are connected, and how that is broken. */
export interface ChaosNetwork {
  /** Shown in the report. */
  readonly mechanism: string;
  /** Why links cannot be impaired in this way; null: they can. */
  impossible(kind: Impairment["kind"]): string | null;
  /** A place for one more node. */
  plug(id: string): Promise<Plug>;
  impair(links: readonly Link[], how: Impairment): Promise<ImpairedLinks>;
}
