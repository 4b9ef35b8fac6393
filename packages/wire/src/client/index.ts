export type { ClientPlatform } from "./client-platform.ts";
export {
  type ChangeMembersOptions,
  type ChangeMembersResult,
  type DeleteResult,
  type GetOptions,
  type GetResult,
  type MoveLeaderResult,
  type PutResult,
  QuorateClient,
  type QuorateClientOptions,
  type RequestOptions,
  type WriteOptions,
} from "./quorate-client.ts";
export {
  AnswerError,
  type Attempt,
  type ClientErrorCode,
  describeAttempt,
  RequestError,
} from "./request-error.ts";
export type {
  ResumePoint,
  SubscribeOptions,
  Subscription,
  SubscriptionHandlers,
} from "./subscription.ts";
