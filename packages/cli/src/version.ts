import { readFileSync } from "node:fs";

let cached: string | null = null;

/** The version in this package's manifest. */
export function softwareVersion(): string {
  if (cached === null) {
    const manifest: unknown = JSON.parse(
      readFileSync(new URL("../package.json", import.meta.url), "utf8"),
    );
    cached = (manifest as { readonly version: string }).version;
  }
  return cached;
}
