import type { NodeId } from "@quorate/wire";
import { isIdentifier } from "@quorate/wire";
import { parseAddress } from "@quorate/wire/net";
import type { Parsed } from "./parsed.ts";
import { show } from "./parsed.ts";

/** One server of the cluster and where it is reached. */
export interface Member {
  readonly id: NodeId;
  /** `host:port`. */
  readonly address: string;
}

const REMEDY = "every member once, as in n1=127.0.0.1:7001,n2=127.0.0.1:7002";

/** Reads `n1=host:port,n2=host:port`, or from a file also an object of ids to addresses. */
export function parseMembers(raw: unknown): Parsed<readonly Member[]> {
  const pairs = memberPairs(raw);
  if (pairs === null || pairs.length === 0) {
    return fault(`${show(raw)} is not a list of members`);
  }
  const members: Member[] = [];
  for (const [id, address] of pairs) {
    if (!isIdentifier(id)) return fault(`${show(id)} is not the name of a node`);
    if (typeof address !== "string" || parseAddress(address) === null) {
      return fault(`the address of ${id}, ${show(address)}, is not host:port`);
    }
    if (members.some((member) => member.id === id)) return fault(`${id} is named twice`);
    const twin = members.find((member) => member.address === address);
    if (twin !== undefined) return fault(`${twin.id} and ${id} have the same address ${address}`);
    members.push({ id, address });
  }
  return { kind: "value", value: members.toSorted((a, b) => (a.id < b.id ? -1 : 1)) };
}

function memberPairs(raw: unknown): [string, unknown][] | null {
  if (typeof raw === "string") {
    return raw.split(",").map((part) => {
      const at = part.indexOf("=");
      return at === -1 ? [part.trim(), ""] : [part.slice(0, at).trim(), part.slice(at + 1).trim()];
    });
  }
  if (typeof raw === "object" && raw !== null && !Array.isArray(raw)) return Object.entries(raw);
  return null;
}

function fault(problem: string): Parsed<never> {
  return { kind: "fault", problem, remedy: REMEDY };
}
