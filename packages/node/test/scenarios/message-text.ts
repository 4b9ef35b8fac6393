import type {
  AppendEntries,
  AppendEntriesReply,
  Configuration,
  LogEntry,
  RaftMessage,
} from "@quorate/wire";
import { decodeConfiguration } from "@quorate/wire";
import { decodeCommand } from "../../src/kv/command-codec.ts";

/** A message in the words of the paper, on one line. */
export function messageText(message: RaftMessage): string {
  const { type, term } = message;
  switch (message.type) {
    case "RequestVote": {
      const why = message.leadershipTransfer ? ", as the leader asked" : "";
      const { lastLogIndex, lastLogTerm } = message;
      return `${type} term ${term}, last ${lastLogIndex}@${lastLogTerm}${why}`;
    }
    case "PreVote":
      return `${type} for term ${term}, last ${message.lastLogIndex}@${message.lastLogTerm}`;
    case "RequestVoteReply":
      return `${type} term ${term}, ${message.voteGranted ? "granted" : "refused"}`;
    case "PreVoteReply": {
      const answer = message.voteGranted ? "granted" : "refused";
      return `${type} term ${term}, ${answer} for term ${message.preVoteTerm}`;
    }
    case "AppendEntries":
      return appendText(message);
    case "AppendEntriesReply":
      return appendReplyText(message);
    case "TimeoutNow":
    case "ReadIndex":
      return `${type} term ${term}`;
    case "ReadIndexReply":
      return `${type} term ${term}, ${message.readIndex ?? "not the leader"}`;
    case "InstallSnapshot": {
      const { lastIncludedIndex, lastIncludedTerm, configuration } = message;
      const members = configurationText(configuration);
      return `${type} term ${term}, last ${lastIncludedIndex}@${lastIncludedTerm}, ${members}`;
    }
    case "InstallSnapshotReply": {
      const what = message.installed ? "installed" : "stored in part";
      return `${type} term ${term}, ${what}, last ${message.lastIncludedIndex}`;
    }
  }
}

/** Who votes, in which halves, and who learns. */
export function configurationText(configuration: Configuration): string {
  const { voters, votersOutgoing, learners, staging } = configuration;
  if (voters.length === 0) return "no members";
  const joint = votersOutgoing.length === 0 ? "" : `${votersOutgoing.join(" ")} and `;
  const names = learners.map((id) => (staging.includes(id) ? `${id} (to vote)` : id));
  const learning = names.length === 0 ? "" : `, learners ${names.join(" ")}`;
  return `voters ${joint}${voters.join(" ")}${learning}`;
}

/** An entry and what it carries. */
export function entryText({ index, term, kind, data }: LogEntry): string {
  const place = `${index}@${term}`;
  if (kind === "noop") return `${place} no-op`;
  if (kind === "configuration") return `${place} ${configurationText(decodeConfiguration(data))}`;
  const command = decodeCommand(data);
  if (command.kind === "put") {
    const [key, value] = [command.key, command.value].map((bytes) => Buffer.from(bytes).toString());
    return `${place} put ${key ?? ""}=${value ?? ""}`;
  }
  return `${place} ${command.kind}`;
}

function appendText(message: AppendEntries): string {
  const { term, prevLogIndex, prevLogTerm, entries, leaderCommit, round } = message;
  const carried = entries.length === 0 ? "heartbeat" : `entries ${entriesText(entries)}`;
  const asks = round === 0 ? "" : `, round ${round}`;
  return (
    `AppendEntries term ${term}, prev ${prevLogIndex}@${prevLogTerm}, ${carried}, ` +
    `leaderCommit ${leaderCommit}${asks}`
  );
}

function entriesText(entries: readonly LogEntry[]): string {
  const places = entries.map(({ index, term }) => `${index}@${term}`);
  if (places.length <= 4) return places.join(" ");
  return `${places[0] ?? ""} .. ${places.at(-1) ?? ""}`;
}

function appendReplyText(message: AppendEntriesReply): string {
  const { term, success, matchIndex, prevLogIndex, conflictTerm, conflictIndex, round } = message;
  const asks = round === 0 ? "" : `, round ${round}`;
  if (success) return `AppendEntriesReply term ${term}, success, matchIndex ${matchIndex}${asks}`;
  const failure = `AppendEntriesReply term ${term}, failure`;
  if (conflictIndex === 0) return `${failure}: the request is of an earlier term${asks}`;
  const conflict =
    conflictTerm === null ? `log ends at ${conflictIndex - 1}` : `${conflictIndex}@${conflictTerm}`;
  return `${failure}, prev ${prevLogIndex}, conflict: ${conflict}${asks}`;
}
