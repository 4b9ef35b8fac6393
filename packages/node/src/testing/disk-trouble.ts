/** How often it is looked at whether a trouble is over: it may end early. */
export const TROUBLE_LOOK_US = 20_000;

/** What is wrong with a disk for a while, whatever is on it. */
export class DiskTrouble {
  /** A write finds no room. */
  isFull = false;
  /** A write is refused for good: the file system was remounted read-only. */
  isReadOnly = false;
  /** No sync ends before this moment. */
  stalledUntilUs = 0;
  /** The next sync that ends reports an error. */
  failsNextSync = false;
  /** The next sync that nobody waits for does: of what a database tidies up by itself. */
  failsNextTidying = false;

  /** All is well again. */
  end(): void {
    this.isFull = false;
    this.isReadOnly = false;
    this.stalledUntilUs = 0;
    this.failsNextSync = false;
    this.failsNextTidying = false;
  }
}
