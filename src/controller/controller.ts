/**
 * The controller: operations one after the other, each deciding from what all earlier ones will have made true.
 *
 * Invariants: only `replayRecords` changes the state, before the append is known to succeed; an answer leaves when the
 * high watermark passes its records (or, without records, those that were open when it was made), never earlier. A
 * refused append takes the state back to before it and fails it and everything after it. Nothing here waits: outcomes
 * come by `committed`, `rejected` and `stopped`, whoever drives raft calls them.
 */
import type { Logger } from '../base/logger.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import type { Host } from '../host/host.ts'
import { clientErrorCode } from '../log/log-errors.ts'
import { ELR_VERSION, METADATA_VERSION, recordVersions } from '../metadata/features.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { decodeRecord, encodeRecord } from '../metadata/records.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { describeError, ErrorCode } from '../protocol/error-codes.ts'
import { MAX_METADATA_BATCH_BYTES } from '../raft/driver.ts'
import { recordBytesAtMost } from '../records/builder.ts'
import type { Activation } from './activation.ts'
import { beginTenure, fenceAbsentBrokers, registerController } from './activation.ts'
import { controllerApis } from './apis.ts'
import type { OperationContext, OperationResult } from './operation.ts'
import { Sessions } from './sessions.ts'
import type { ControllerState } from './state.ts'
import { replayRecords, stateOf } from './state.ts'

/** What the controller needs of raft. */
export interface ControllerLog {
  readonly kraftVersion: number
  readonly nextOffset: number
  propose(records: readonly Uint8Array[], expectedBase: number): void
}

export interface ControllerOptions {
  readonly host: Host
  readonly logger: Logger
  readonly log: ControllerLog
  readonly clusterId: string
  readonly config: BrokerConfig
}

export interface ControllerRequestContext {
  /** Host clock, monotonic: the operation is refused with REQUEST_TIMED_OUT when it would start later. */
  readonly deadlineMs?: number
  readonly clientId: string | null
}

interface Waiting {
  /** Offset of its first record; the one before which it waits, if it has none. */
  readonly base: number
  /** Answered when everything below is committed. */
  readonly end: number
  readonly before: ControllerState
  readonly answer: () => void
  readonly fail: (code: KafkaErrorCode, text: string) => void
}

type Fail = (code: KafkaErrorCode, text: string) => void

export class Controller {
  readonly #options: ControllerOptions
  readonly #sessions: Sessions
  #state: ControllerState | undefined
  #epoch = -1
  #nextOffset = 0
  #committed = 0
  #waiting: Waiting[] = []
  /** Requests that came before the tenure began. */
  #early: (() => void)[] = []
  #stopped = false
  #configs: MetadataImage['configs'] | undefined
  #config: BrokerConfig

  constructor(options: ControllerOptions) {
    this.#options = options
    this.#config = options.config
    this.#sessions = new Sessions(options.host.clock, options.config.number('broker.session.timeout.ms'))
  }

  /** Answers a request that `src/protocol/apis` has decoded. Never rejects: every failure is in the answer. */
  handle(apiKey: number, version: number, request: object, context: ControllerRequestContext): Promise<object> {
    const api = controllerApis.get(apiKey)
    if (api === undefined) throw new RangeError(`the controller does not answer API key ${apiKey}`)
    return new Promise(resolve => {
      const fail: Fail = (code, text) => resolve(api.failure(request, code, text))
      const start = (): void => {
        const late = context.deadlineMs !== undefined && this.#options.host.clock.monotonicMs() > context.deadlineMs
        if (late) fail(ErrorCode.REQUEST_TIMED_OUT, 'the controller did not get to it in time')
        else this.#run(operation => api.operate(operation, request, version), resolve, fail)
      }
      if (this.#stopped) fail(ErrorCode.NOT_CONTROLLER, describeError(ErrorCode.NOT_CONTROLLER).text)
      else if (this.#state === undefined) this.#early.push(start)
      else start()
    })
  }

  /** The tenure begins: `image` is what was committed below `offset`. Resolves when its own records are committed. */
  async lead(epoch: number, image: MetadataImage, offset: number, activation: Activation): Promise<void> {
    this.#epoch = epoch
    this.#state = stateOf(image)
    this.#nextOffset = this.#options.log.nextOffset
    this.#committed = offset
    const steps: ((context: OperationContext) => OperationResult)[] = [
      context => beginTenure(context, activation),
      context => registerController(context, activation),
      fenceAbsentBrokers,
    ]
    const done = steps.map(
      step =>
        new Promise<void>((resolve, reject) => {
          this.#run(
            step,
            () => resolve(),
            (_code, text) => reject(new Error(`the controller cannot begin: ${text}`)),
          )
        }),
    )
    for (const start of this.#early.splice(0)) start()
    await Promise.all(done)
  }

  /** Everything below `offset` is committed. */
  committed(offset: number): void {
    this.#committed = offset
    while (this.#waiting.length > 0 && this.#waiting[0]!.end <= offset) this.#waiting.shift()!.answer()
  }

  /** What was proposed at `base` and after it never happened. */
  rejected(base: number, code: KafkaErrorCode, text: string): void {
    const at = this.#waiting.findIndex(waiting => waiting.end > base)
    if (at < 0) return
    const failed = this.#waiting.splice(at)
    this.#state = failed[0]!.before
    this.#nextOffset = base
    this.#options.logger.warn({ base, code }, `the metadata log refused records at offset ${base}: ${text}`)
    for (const waiting of failed) waiting.fail(clientErrorCode(code), text)
  }

  /** Nothing will be committed any more. */
  stopped(text: string): void {
    this.#stopped = true
    const waiting = this.#waiting.splice(0)
    for (const { fail } of waiting) fail(ErrorCode.KAFKA_STORAGE_ERROR, text)
    for (const start of this.#early.splice(0)) start()
  }

  #run(operate: (context: OperationContext) => OperationResult, succeed: (answer: object) => void, fail: Fail): void {
    const before = this.#state
    if (before === undefined || this.#stopped) {
      fail(ErrorCode.NOT_CONTROLLER, describeError(ErrorCode.NOT_CONTROLLER).text)
      return
    }
    const base = this.#nextOffset
    let result: OperationResult
    let values: Uint8Array[]
    let after: ControllerState
    try {
      result = operate(this.#context(before))
      values = result.records.map(record => encodeRecord(record))
      after = this.#replay(before, values, base)
    } catch (error) {
      this.#options.logger.error({ err: error }, 'an operation of the controller failed')
      fail(ErrorCode.UNKNOWN_SERVER_ERROR, describeError(ErrorCode.UNKNOWN_SERVER_ERROR).text)
      return
    }
    if (batchBytes(values) > MAX_METADATA_BATCH_BYTES) {
      fail(ErrorCode.POLICY_VIOLATION, 'Unable to perform excessively large batch operation.')
      return
    }
    const end = base + values.length
    this.#state = after
    this.#nextOffset = end
    result.proposed?.(end)
    if (values.length === 0 && this.#committed >= base) {
      succeed(result.answer)
      return
    }
    this.#waiting.push({ base, end, before, answer: () => succeed(result.answer), fail })
    if (values.length > 0) this.#options.log.propose(values, base)
  }

  #replay(state: ControllerState, values: readonly Uint8Array[], base: number): ControllerState {
    if (values.length === 0) return state
    return replayRecords(state, values.map(decodeRecord), base, this.#epoch, this.#options.host.clock.wallMs())
  }

  #context(state: ControllerState): OperationContext {
    const { host, log, clusterId } = this.#options
    const { features, configs } = state.image
    return {
      host,
      state,
      config: this.#effectiveConfig(configs),
      versions: recordVersions(features.get(METADATA_VERSION) ?? 0),
      elrEnabled: (features.get(ELR_VERSION) ?? 0) > 0,
      sessions: this.#sessions,
      clusterId,
      kraftVersion: log.kraftVersion,
      nextOffset: this.#nextOffset,
    }
  }

  /** The static configs under what the cluster set for all brokers. */
  #effectiveConfig(configs: MetadataImage['configs']): BrokerConfig {
    if (configs !== this.#configs) {
      this.#configs = configs
      this.#config = this.#options.config.withDynamic(configs.get('broker:') ?? new Map(), new Map())
    }
    return this.#config
  }
}

function batchBytes(values: readonly Uint8Array[]): number {
  return values.reduce((sum, value) => sum + recordBytesAtMost({ key: null, value }), 0)
}
