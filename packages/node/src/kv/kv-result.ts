import type { EntryId } from "@quorate/wire";

/**
 * What a change of a key did, or why it did nothing: what a session keeps for a repeat.
 * `revision` is the store's after it.
 */
export type ChangeResult = {
  /** The entry that did it: for a repeat, that of the first copy. */
  readonly at: EntryId;
} & (
  | { readonly kind: "put"; readonly revision: number; readonly created: boolean }
  | { readonly kind: "deleted"; readonly revision: number; readonly deleted: boolean }
  | {
      /** The key was not at the revision that the command asked for. Nothing changed. */
      readonly kind: "conditionFailed";
      readonly revision: number;
      /** The key's modRevision; 0: there is no such key. */
      readonly currentRevision: number;
    }
);

/** What a command about a session did, or why a command in a session did nothing. */
export type SessionResult =
  | {
      readonly kind: "sessionOpened" | "sessionKept";
      readonly revision: number;
      readonly sessionId: number;
      /** Idle for longer than this, in cluster time, it ends. */
      readonly ttlMs: number;
    }
  | {
      readonly kind: "sessionClosed";
      readonly revision: number;
      readonly sessionId: number;
      /** False: it was over already, or never was. */
      readonly existed: boolean;
    }
  | {
      /**
       * The session is over or never was. This command did nothing; whether an earlier copy of it
       * did, while the session was alive, is not known any more.
       */
      readonly kind: "sessionExpired";
      readonly revision: number;
      readonly sessionId: number;
    }
  | {
      /**
       * The client has said that it has the answer to this serial: the response is gone, and the
       * command is not done a second time.
       */
      readonly kind: "serialDropped";
      readonly revision: number;
      readonly serial: number;
      readonly ackedBelow: number;
    }
  | {
      /** So many responses of the session wait to be acknowledged. Nothing was done. */
      readonly kind: "sessionFull";
      readonly revision: number;
      readonly outstanding: number;
    };

/** What applying a command did. `revision` is the store's after it. */
export type KvResult =
  | ChangeResult
  | SessionResult
  | { readonly kind: "invalid"; readonly revision: number; readonly reason: string };
