/**
 * What a client is told when an operation of a coordinator fails: codes of the log below are none of its business, and
 * it acts on those that say whether to look for the coordinator again, to wait, or to give up.
 */
import type { Logger } from '../base/logger.ts'
import { clientErrorCode, LogErrorCode } from '../log/log-errors.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { Refusal } from './shard.ts'

export interface OperationError {
  readonly code: KafkaErrorCode
  /** Where the API has room for one; null when the code says it all. */
  readonly message: string | null
}

const told = new Map<KafkaErrorCode, KafkaErrorCode>([
  // Older clients don't know how to try again after this one; after the other they do, without
  // looking for the coordinator.
  [ErrorCode.NETWORK_EXCEPTION, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS],
  [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.COORDINATOR_NOT_AVAILABLE],
  [ErrorCode.NOT_ENOUGH_REPLICAS, ErrorCode.COORDINATOR_NOT_AVAILABLE],
  [ErrorCode.REQUEST_TIMED_OUT, ErrorCode.COORDINATOR_NOT_AVAILABLE],
  [ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.NOT_COORDINATOR],
  [ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NOT_COORDINATOR],
  [LogErrorCode.EPOCH_FENCED, ErrorCode.NOT_COORDINATOR],
  [ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.UNKNOWN_SERVER_ERROR],
  [ErrorCode.RECORD_LIST_TOO_LARGE, ErrorCode.UNKNOWN_SERVER_ERROR],
  [ErrorCode.INVALID_FETCH_SIZE, ErrorCode.UNKNOWN_SERVER_ERROR],
])

/** Of what `CoordinatorRuntime` rejected with; what is not a `Refusal` is logged as the failure of `operation`. */
export function operationError(error: unknown, operation: string, logger: Logger): OperationError {
  if (!(error instanceof Refusal)) {
    logger.error({ err: error }, `${operation} failed unexpectedly`)
    return { code: ErrorCode.UNKNOWN_SERVER_ERROR, message: null }
  }
  const code = told.get(error.code)
  if (code !== undefined) return { code, message: null }
  return { code: clientErrorCode(error.code), message: error.message }
}
