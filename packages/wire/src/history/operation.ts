/**
 * Bytes of a key or a value: text where they are UTF-8, otherwise base64. Made from bytes by
 * `historyBytes`; `{ b64 }` of what is UTF-8 means the same bytes as the text.
 */
export type HistoryBytes = string | { readonly b64: string };

export interface GetOperation {
  readonly kind: "get";
  readonly key: HistoryBytes;
}

export interface PutOperation {
  readonly kind: "put";
  readonly key: HistoryBytes;
  readonly value: HistoryBytes;
  /** Only where the key's modRevision is this; 0: only where there is no such key. */
  readonly ifRevision?: number;
  /** Only where the key has this value; null: only where there is no such key. */
  readonly expect?: HistoryBytes | null;
}

export interface DeleteOperation {
  readonly kind: "delete";
  readonly key: HistoryBytes;
  /** As in {@link PutOperation}. */
  readonly ifRevision?: number;
}

/** Compare-and-set by value: `expect` null where the key must be absent. */
export interface CasOperation {
  readonly kind: "cas";
  readonly key: HistoryBytes;
  readonly expect: HistoryBytes | null;
  readonly value: HistoryBytes;
}

/** True where the key has exactly this value or modRevision; null and 0: where it is absent. */
export type Compare =
  | { readonly key: HistoryBytes; readonly value: HistoryBytes | null }
  | { readonly key: HistoryBytes; readonly revision: number };

/** One step of a transaction: unconditional, in order, seeing the steps before it. */
export type TransactionStep = GetOperation | UnconditionalPut | UnconditionalDelete;

export interface UnconditionalPut {
  readonly kind: "put";
  readonly key: HistoryBytes;
  readonly value: HistoryBytes;
}

export interface UnconditionalDelete {
  readonly kind: "delete";
  readonly key: HistoryBytes;
}

/** `success` where every compare is true, `failure` where one is not: all at one moment. */
export interface TransactionOperation {
  readonly kind: "txn";
  readonly compares: readonly Compare[];
  readonly success: readonly TransactionStep[];
  readonly failure: readonly TransactionStep[];
}

/** Reads all keys from `from` on and before `to`, in the order of their bytes, at one moment. */
export interface RangeOperation {
  readonly kind: "range";
  readonly from: HistoryBytes;
  /** Null: to the last key. */
  readonly to: HistoryBytes | null;
  /** At most this many keys, the first ones. */
  readonly limit?: number;
}

/** A stream of the changes of the keys of a range. It is an operation once it has ended. */
export interface WatchOperation {
  readonly kind: "watch";
  readonly from: HistoryBytes;
  /** Null: to the last key. */
  readonly to: HistoryBytes | null;
  /** The first revision whose changes it delivers: one above the last one seen, to resume. */
  readonly fromRevision: number;
}

export type HistoryOperationBody =
  | GetOperation
  | PutOperation
  | DeleteOperation
  | CasOperation
  | TransactionOperation
  | RangeOperation
  | WatchOperation;

export interface GetAnswer {
  /** Null: there is no such key. */
  readonly value: HistoryBytes | null;
  /** The key's modRevision, not the store's; 0 where there is no such key. */
  readonly revision?: number;
}

/** Of a put, a delete or a cas. */
export interface WriteAnswer {
  /** False: its condition was false when it was decided, and it changed nothing. Default true. */
  readonly applied?: boolean;
  /** The store's revision after the write: the key's modRevision where it was changed. */
  readonly revision?: number;
  /** Of a put: whether the key did not exist before. */
  readonly created?: boolean;
  /** Of a delete: whether the key existed. */
  readonly deleted?: boolean;
}

export interface TransactionAnswer {
  /** Whether every compare was true. */
  readonly succeeded: boolean;
  /** One for each step of the branch that was taken, in order. May be left out. */
  readonly results?: readonly (GetAnswer | WriteAnswer)[];
  /** The store's revision after it: the modRevision of every key that it changed. */
  readonly revision?: number;
}

export interface RangeEntry {
  readonly key: HistoryBytes;
  readonly value: HistoryBytes;
  /** The key's modRevision. */
  readonly revision?: number;
}

export interface RangeAnswer {
  /** In the order of the keys' bytes. */
  readonly entries: readonly RangeEntry[];
}

export interface WatchEvent {
  readonly kind: "put" | "delete";
  readonly key: HistoryBytes;
  /** Of a put. */
  readonly value?: HistoryBytes;
  /** The store's revision of the change. */
  readonly revision: number;
}

export interface WatchAnswer {
  /** As they were delivered. */
  readonly events: readonly WatchEvent[];
  /**
   * Everything up to this revision was delivered, so the stream's end is known to have no gap
   * either; left out: only what comes before the last event is held against it.
   */
  readonly throughRevision?: number;
}

interface AnswerOf {
  readonly get: GetAnswer;
  readonly put: WriteAnswer;
  readonly delete: WriteAnswer;
  readonly cas: WriteAnswer;
  readonly txn: TransactionAnswer;
  readonly range: RangeAnswer;
  readonly watch: WatchAnswer;
}

interface OperationBase<Body extends HistoryOperationBody> {
  /** One sequential process: its operations do not overlap, but for those that it gave up. */
  readonly client: string;
  /** Before it was sent, in µs of the one monotonic clock of the history. */
  readonly call: number;
  readonly op: Body;
}

interface OkOperation<Body extends HistoryOperationBody> extends OperationBase<Body> {
  /** It took effect, or for a false condition was decided, between call and return. */
  readonly outcome: "ok";
  /** After the answer was there, in µs, not before `call`. */
  readonly return: number;
  readonly result: AnswerOf[Body["kind"]];
  /**
   * The log position at which it took effect (a write), or whose state it was served from
   * (a read). Lets the witness tier decide in linear time. A later one within the same
   * call costs time and not the verdict.
   */
  readonly index?: number;
}

interface FailedOperation<Body extends HistoryOperationBody> extends OperationBase<Body> {
  /** It surely has no effect, never had and never will. */
  readonly outcome: "fail";
  readonly return: number;
}

interface IndeterminateOperation<Body extends HistoryOperationBody> extends OperationBase<Body> {
  /** Nobody knows: it may have taken effect after `call`, may do so at any later time, or never. */
  readonly outcome: "info";
  /** When its client gave up: told for people only. */
  readonly return?: number;
}

/** What one client asked for, and what came of it. */
export type Operation = {
  readonly [Kind in HistoryOperationBody["kind"]]:
    | OkOperation<Extract<HistoryOperationBody, { readonly kind: Kind }>>
    | FailedOperation<Extract<HistoryOperationBody, { readonly kind: Kind }>>
    | IndeterminateOperation<Extract<HistoryOperationBody, { readonly kind: Kind }>>;
}[HistoryOperationBody["kind"]];

/** What a key held before the first operation. */
export interface InitialEntry {
  readonly key: HistoryBytes;
  readonly value: HistoryBytes;
  readonly revision?: number;
}

/** The first line of a file, where there is one. */
export interface HistoryHeader {
  /** Version of the format: 1. */
  readonly history: 1;
  readonly note?: string;
  /** What the store held at the start. Default: nothing, and nobody may read anything else. */
  readonly initial?: readonly InitialEntry[];
}

/** A recorded run: operations in any order. */
export interface History {
  readonly header: HistoryHeader;
  readonly operations: readonly Operation[];
}
