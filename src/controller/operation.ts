/**
 * What one operation of the controller is given and gives back.
 *
 * Invariants: an operation is synchronous and changes nothing: it reads `state` and says which records would make its
 * answer true. They are one batch of the log, so all of them happen or none.
 */
import type { BrokerConfig } from '../config/broker-config.ts'
import type { Host } from '../host/host.ts'
import type { RecordVersions } from '../metadata/features.ts'
import type { NewRecord } from '../metadata/records.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import type { Sessions } from './sessions.ts'
import type { ControllerState } from './state.ts'

export interface OperationContext {
  readonly host: Host
  readonly state: ControllerState
  /** Static configs under what the cluster has set. */
  readonly config: BrokerConfig
  readonly versions: RecordVersions
  readonly elrEnabled: boolean
  readonly sessions: Sessions
  readonly clusterId: string
  readonly kraftVersion: number
  /** Offset that the operation's first record will have. */
  readonly nextOffset: number
}

export interface OperationResult<Answer = object> {
  readonly records: readonly NewRecord[]
  readonly answer: Answer
  /** Called once the records are part of the state. `end`: the offset after them. */
  readonly proposed?: (end: number) => void
}

/** An error of one item of a request, or of all of it. */
export interface ApiError {
  readonly code: KafkaErrorCode
  /** null: the code says it all. */
  readonly message: string | null
}

/** An operation's records beyond this many are refused. */
export const MAX_RECORDS_PER_OPERATION = 10_000
