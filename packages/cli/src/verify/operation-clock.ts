/** Around one operation, by the process's clock. */
export interface OperationTimes {
  readonly callMs: number;
  readonly returnMs: number;
}

/** The same as a history has it: whole microseconds. */
export interface RecordedTimes {
  readonly call: number;
  readonly return: number;
}

/** The times of one client, which does one operation after the other. */
export class OperationClock {
  #lastReturn = 0;

  /**
   * Calls are recorded earlier and returns later, by the clock's grain, so that no order is made
   * up; but no call before the client's own last return, which is surely over.
   */
  record({ callMs, returnMs }: OperationTimes): RecordedTimes {
    const call = Math.max(Math.floor(callMs * 1_000), this.#lastReturn);
    this.#lastReturn = Math.max(Math.ceil(returnMs * 1_000), call);
    return { call, return: this.#lastReturn };
  }
}
