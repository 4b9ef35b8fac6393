import type { CommandLine } from "../command-line.ts";
import { addAddNodeCommand } from "./add-node.ts";
import { addCheckHistoryCommand } from "./check-history.ts";
import { addDashCommand } from "./dash.ts";
import { addDelCommand } from "./del.ts";
import { addDownCommand } from "./down.ts";
import { addGetCommand } from "./get.ts";
import { addHelpCommands } from "./help.ts";
import { addKillCommand } from "./kill.ts";
import { addLogsCommand } from "./logs.ts";
import { addMemberCommand } from "./member.ts";
import { addMoveLeaderCommand } from "./move-leader.ts";
import { addHealCommand } from "./heal.ts";
import { addPartitionCommand } from "./partition.ts";
import { addPauseCommand, addResumeCommand } from "./pause.ts";
import { addPsCommand } from "./ps.ts";
import { addPutCommand } from "./put.ts";
import { addRemoveNodeCommand } from "./remove-node.ts";
import { addStartCommand } from "./start.ts";
import { addStatusCommand } from "./status.ts";
import { addRestartCommand, addStopCommand } from "./stop.ts";
import { addUpCommand } from "./up.ts";
import { addVerifyCommand } from "./verify.ts";

/** Hangs every command on the program, in the order and the groups of the help. */
export function addAllCommands(line: CommandLine): void {
  const { program } = line;
  program
    .description("Quorate: a Raft cluster that survives kill -9")
    .usage("<command> [options]")
    .commandsGroup("Local cluster (processes on this machine):");
  addUpCommand(line);
  addDownCommand(line);
  addPsCommand(line);
  addKillCommand(line);
  addStopCommand(line);
  addStartCommand(line);
  addRestartCommand(line);
  addPauseCommand(line);
  addResumeCommand(line);
  addPartitionCommand(line);
  addHealCommand(line);
  addAddNodeCommand(line);
  addRemoveNodeCommand(line);
  addLogsCommand(line);
  program.commandsGroup("Keys:");
  addPutCommand(line);
  addGetCommand(line);
  addDelCommand(line);
  program.commandsGroup("Cluster:");
  addStatusCommand(line);
  addMemberCommand(line);
  addMoveLeaderCommand(line);
  addDashCommand(line);
  program.commandsGroup("Proof:");
  addVerifyCommand(line);
  addCheckHistoryCommand(line);
  program.commandsGroup("Help:");
  addHelpCommands(line);
}
