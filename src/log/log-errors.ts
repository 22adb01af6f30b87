/**
 * What the engine's outcome codes are to the rooms above: Kafka's error codes where a client may see them, and codes of
 * our own, from 1000 up, for what never leaves the broker. This table is the only place where the two meet.
 */
import { Code } from '../native/engine-code.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { ErrorCode } from '../protocol/error-codes.ts'

/** Codes that stay inside the broker. */
export const LogErrorCode = {
  /** `expectedBase` differs from the log's end: whoever predicted it must reload. */
  OFFSET_MISMATCH: 1000,
  /** The append's leader epoch is older than the log's last. */
  EPOCH_FENCED: 1001,
  /** No such folder or file. */
  NOT_FOUND: 1002,
  /** A path that leaves the directory, or a folder name that is no topic-partition. */
  BAD_NAME: 1003,
  /** The directory is held by another process or by this one. */
  LOCKED: 1004,
} as const

const table: Record<keyof typeof Code, KafkaErrorCode> = {
  ok: ErrorCode.NONE,
  outOfRange: ErrorCode.OFFSET_OUT_OF_RANGE,
  corrupt: ErrorCode.CORRUPT_MESSAGE,
  tooLarge: ErrorCode.MESSAGE_TOO_LARGE,
  largerThanSegment: ErrorCode.RECORD_LIST_TOO_LARGE,
  badTimestamp: ErrorCode.INVALID_TIMESTAMP,
  outOfOrderSequence: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
  staleProducerEpoch: ErrorCode.INVALID_PRODUCER_EPOCH,
  badTransactionState: ErrorCode.INVALID_TXN_STATE,
  noSpace: ErrorCode.KAFKA_STORAGE_ERROR,
  directoryOffline: ErrorCode.KAFKA_STORAGE_ERROR,
  unknownProducer: ErrorCode.UNKNOWN_PRODUCER_ID,
  unknownCodec: ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
  badRecord: ErrorCode.INVALID_RECORD,
  staleLog: ErrorCode.NOT_LEADER_OR_FOLLOWER,
  offsetMismatch: LogErrorCode.OFFSET_MISMATCH,
  epochFenced: LogErrorCode.EPOCH_FENCED,
  damaged: ErrorCode.KAFKA_STORAGE_ERROR,
  notFound: LogErrorCode.NOT_FOUND,
  badName: LogErrorCode.BAD_NAME,
  locked: LogErrorCode.LOCKED,
  inconsistentTopicId: ErrorCode.INCONSISTENT_TOPIC_ID,
  io: ErrorCode.KAFKA_STORAGE_ERROR,
  oldMagic: ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT,
  internal: ErrorCode.UNKNOWN_SERVER_ERROR,
  coordinatorFenced: ErrorCode.TRANSACTION_COORDINATOR_FENCED,
  duplicateSequence: ErrorCode.DUPLICATE_SEQUENCE_NUMBER,
}

const byNumber: KafkaErrorCode[] = []
for (const [name, number] of Object.entries(Code)) byNumber[number] = table[name as keyof typeof Code]

/** An engine code as the rooms above know it; one that this table lacks is UNKNOWN_SERVER_ERROR. */
export function logErrorCode(engineCode: number): KafkaErrorCode {
  return byNumber[engineCode] ?? ErrorCode.UNKNOWN_SERVER_ERROR
}

/** The code as a client may be told it: what stays inside the broker is UNKNOWN_SERVER_ERROR outside. */
export function clientErrorCode(code: KafkaErrorCode): KafkaErrorCode {
  return code >= LogErrorCode.OFFSET_MISMATCH ? ErrorCode.UNKNOWN_SERVER_ERROR : code
}

/** Why a promise of `Log` or `LogDirectory` was rejected. */
export class LogError extends Error {
  override readonly name = 'LogError'
  /** Kafka's code or one of `LogErrorCode`. */
  readonly code: KafkaErrorCode
  /** The disk was full: the same may succeed when there is room. */
  readonly noSpace: boolean

  constructor(code: KafkaErrorCode, text: string, noSpace = false) {
    super(text)
    this.code = code
    this.noSpace = noSpace
  }
}
