import { SETTINGS } from "./settings.ts";

/** The text of `quorated --help`. */
export function helpText(): string {
  const rows = Object.entries(SETTINGS).map(([key, setting]): [string, string] => [
    setting.placeholder === null ? `--${key}` : `--${key} ${setting.placeholder}`,
    setting.description,
  ]);
  rows.push(
    ["--config FILE", "a JSON file of the settings above, without --; flags win"],
    ["--version", "print the version"],
    ["--help", "print this"],
  );
  const width = Math.max(...rows.map(([flag]) => flag.length));
  return `quorated: one server of a Quorate cluster

Usage: quorated --name ID --data-dir DIR --cluster-id ID --initial-cluster n1=HOST:PORT,…

${rows.map(([flag, description]) => `  ${flag.padEnd(width)}  ${description}`).join("\n")}

Examples:
  A cluster of one, on this machine:
    quorated --name n1 --data-dir ./n1 --cluster-id demo --bootstrap \\
      --initial-cluster n1=127.0.0.1:7001

  The second of three, its settings in a file:
    quorated --config n2.json
    {"name": "n2", "data-dir": "/var/lib/quorate", "cluster-id": "prod",
     "initial-cluster": {"n1": "10.0.0.1:7001", "n2": "10.0.0.2:7001", "n3": "10.0.0.3:7001"}}

  A fourth member: it waits until "quorate member add n4 10.0.0.4:7001" is run.
    quorated --name n4 --data-dir ./n4 --cluster-id prod --join \\
      --initial-cluster n1=10.0.0.1:7001,n4=10.0.0.4:7001

Signals: SIGTERM and SIGINT hand leadership over, write what is pending and exit 0; a second one
exits at once and loses nothing. Exit codes: 0 stopped, 2 configuration, 9 folder or port taken or
of another cluster, 70 bug, 74 unusable folder; SIGABRT (134): a write to the disk failed.
`;
}
