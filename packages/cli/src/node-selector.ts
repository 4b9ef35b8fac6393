import type { NodeId, Role } from "@quorate/wire";

import { CommandError } from "./errors.ts";
import type { LocalNodeState } from "./local-cluster/local-cluster.ts";

/** What a selector looks at. */
export interface SelectableNode {
  readonly id: NodeId;
  readonly state: LocalNodeState;
  /** Null: the node does not answer. */
  readonly role: Role | null;
}

interface Selection {
  readonly selectors: readonly string[];
  readonly nodes: readonly SelectableNode[];
  /** States that the command can act on; selectors other than names choose among these. */
  readonly states: readonly LocalNodeState[];
  /** A whole number from 0 to below `count`. */
  readonly pick: (count: number) => number;
}

const WORDS = ["leader", "follower", "random", "all"] as const;

/** Whether a selector needs to know who leads. */
export function needsRoles(selectors: readonly string[]): boolean {
  return selectors.some((selector) => selector === "leader" || selector === "follower");
}

/**
 * The nodes that the selectors name, each once, in the order of the selectors. `leader`,
 * `follower` and `random` take one node that no earlier selector took.
 *
 * @throws CommandError `notFound` where a selector fits no node.
 */
export function selectNodes(selection: Selection): NodeId[] {
  const chosen: NodeId[] = [];
  for (const selector of selection.selectors) {
    for (const id of chooseOne(selector, selection, chosen)) {
      if (!chosen.includes(id)) chosen.push(id);
    }
  }
  return chosen;
}

function chooseOne(selector: string, selection: Selection, chosen: readonly NodeId[]): NodeId[] {
  if (selection.nodes.some((node) => node.id === selector)) return [selector];
  const able = selection.nodes.filter((node) => selection.states.includes(node.state));
  const free = able.filter((node) => !chosen.includes(node.id));
  switch (selector) {
    case "all":
      return able.map((node) => node.id);
    case "leader":
      return firstOf(free, "leader");
    case "follower":
      return firstOf(free, "follower");
    case "random":
      return [orNotFound(free[selection.pick(free.length)], `no node is ${selection.states[0]}`)];
    default:
      throw unknownNode(selector, selection.nodes);
  }
}

function firstOf(nodes: readonly SelectableNode[], role: Role): NodeId[] {
  const found = nodes.find((node) => node.role === role);
  return [orNotFound(found, `no node says that it is a ${role} now`)];
}

function orNotFound(node: SelectableNode | undefined, what: string): NodeId {
  if (node !== undefined) return node.id;
  throw new CommandError("notFound", what, { try: ["quorate status", "quorate ps"] });
}

function unknownNode(selector: string, nodes: readonly SelectableNode[]): CommandError {
  const ids = nodes.map((node) => node.id);
  return new CommandError("notFound", `there is no node "${selector}"`, {
    why: [`nodes: ${ids.join(", ")}; or ${WORDS.join(", ")}`],
    try: ["quorate ps"],
  });
}
