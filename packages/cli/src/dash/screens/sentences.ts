import { span, truncate, widthOf } from "../format.ts";
import type { ClusterView, NodeRow } from "../select.ts";

/** The cluster in words, for screens too small for a table and for readers of screens. */
export function sentences(view: ClusterView): readonly string[] {
  return [summary(view), ...view.rows.flatMap(troubleOf)];
}

function summary(view: ClusterView): string {
  switch (view.health) {
    case "connecting":
      return "connecting.";
    case "unreachable":
      return "no node answers.";
    default: {
      const leader =
        view.leaderId === null
          ? `no leader for ${(view.noLeaderForMs / 1000).toFixed(1)} s`
          : `leader ${view.leaderId}`;
      const commit = Math.max(0, ...view.rows.map((row) => row.status?.commitIndex ?? 0));
      const quorum = view.health === "noQuorum" ? ` (no quorum: ${view.quorum} needed)` : "";
      return (
        `${leader}, term ${view.term}, ${view.up}/${view.voters} up${quorum}, ` +
        `commit ${commit}.`
      );
    }
  }
}

function troubleOf(row: NodeRow): readonly string[] {
  const time = row.forMs === null ? "" : ` for ${span(row.forMs)}`;
  switch (row.condition) {
    case "leader":
    case "follower":
    case "learner":
      return [];
    case "staging":
      return [`${row.id} catches up and votes then.`];
    case "leaving":
      return [`${row.id} leaves the cluster.`];
    case "retired":
      return [`${row.id} was removed: quorate remove-node ${row.id}.`];
    case "staleLeader":
      return [`${row.id} still calls itself leader of term ${row.status?.currentTerm ?? 0}.`];
    case "preCandidate":
    case "candidate":
      return [`${row.id} asks for votes.`];
    default:
      return [`${row.id} ${row.condition}${time}.`];
  }
}

/** `texts` wrapped at spaces to `columns`, at most `rows` lines. */
export function wrapWords(
  texts: readonly string[],
  size: { readonly columns: number; readonly rows: number },
): readonly string[] {
  const lines: string[] = [];
  for (const text of texts) {
    let line = "";
    for (const word of text.split(" ")) {
      const longer = line === "" ? word : `${line} ${word}`;
      if (widthOf(longer) > size.columns && line !== "") {
        lines.push(line);
        line = word;
      } else {
        line = longer;
      }
    }
    lines.push(line);
  }
  return lines.slice(0, size.rows).map((line) => truncate(line, size.columns));
}
