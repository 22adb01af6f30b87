/**
 * Keeps the shard of one partition through its life: loads it when this broker is elected, runs its operations while it
 * is active, unloads it when the leadership is gone.
 *
 * Invariants: a shard that is loaded anew is a new shard with a new timeline; nothing of an earlier one is heard any
 * more. A load that failed is a state, in which operations are refused; a failure that may pass (the log could not be
 * read) is tried again, one that won't (a malformed record) waits for the next election.
 */
import { assert } from '../base/assert.ts'
import type { Logger } from '../base/logger.ts'
import type { Host, TimerId } from '../host/host.ts'
import type { MetadataDelta } from '../metadata/delta.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { Timeline } from '../timeline/timeline.ts'
import { Loader } from './loader.ts'
import { Pipeline } from './pipeline.ts'
import type { ListenFirst, PartitionWriter } from './ports.ts'
import type { CoordinatorShard, Outcome, RecordBytes, RecordSerde, ShardContext } from './shard.ts'
import { Refusal } from './shard.ts'
import { ShardTimers } from './timers.ts'
import type { Answer } from './waiting.ts'
import { WaitingRead, WaitingRefusal, WaitingWrite } from './waiting.ts'

const FIRST_RETRY_MS = 250
const LAST_RETRY_MS = 30_000

type State = 'initial' | 'loading' | 'active' | 'failed' | 'closed'

const transitions: Record<State, readonly State[]> = {
  initial: ['loading', 'closed'],
  loading: ['active', 'failed', 'closed'],
  active: ['failed', 'closed'],
  failed: ['loading', 'closed'],
  closed: [],
}

export interface KeeperOptions<S extends CoordinatorShard<R>, R> {
  readonly host: Host
  readonly logger: Logger
  readonly writer: PartitionWriter
  readonly serde: RecordSerde<R>
  readonly listenFirst: ListenFirst
  readonly makeShard: (context: ShardContext<R>) => S
  readonly image: () => MetadataImage
  /** Name of the coordinator's topic. */
  readonly topic: string
  readonly lingerMs: () => number
  /** How long the operations of timers wait to be committed before they are tried again. */
  readonly timerPatienceMs: () => number
  /** Runs loads, not too many at once. */
  readonly enqueueLoad: (load: () => Promise<void>) => void
}

/** What there is of a shard while it is being loaded. */
interface Loading<S, R> {
  readonly shard: S
  readonly timeline: Timeline
  readonly timers: ShardTimers<R>
}

/** ... and when it is in use. */
interface Active<S, R> extends Loading<S, R> {
  readonly pipeline: Pipeline<R>
  readonly deafen: () => void
}

export class Keeper<S extends CoordinatorShard<R>, R> {
  readonly #options: KeeperOptions<S, R>
  readonly #partition: number
  readonly #name: string
  #state: State = 'initial'
  #leaderEpoch = -1
  #active: Active<S, R> | undefined
  /** The load whose end is awaited; others have been overtaken. */
  #loading: Loading<S, R> | undefined
  #retryTimer: TimerId = 0
  #retryMs = FIRST_RETRY_MS
  #operating = false

  constructor(options: KeeperOptions<S, R>, partition: number) {
    this.#options = options
    this.#partition = partition
    this.#name = `${options.topic}-${partition}`
  }

  get leaderEpoch(): number {
    return this.#leaderEpoch
  }

  // Life.

  /** This broker leads the partition since `leaderEpoch`; older news is ignored. */
  elected(leaderEpoch: number): void {
    if (leaderEpoch <= this.#leaderEpoch || this.#state === 'closed') return
    this.#leaderEpoch = leaderEpoch
    this.#retryMs = FIRST_RETRY_MS
    this.#reload()
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#become('closed')
    this.#unload()
  }

  #become(state: State): void {
    if (!transitions[this.#state].includes(state))
      throw new TypeError(`${this.#name} was ${this.#state}, not to be ${state}`)
    this.#state = state
  }

  /** Nothing more can come of what is there. */
  #fail(): void {
    this.#become('failed')
    this.#unload()
  }

  #reload(): void {
    if (this.#state === 'active' || this.#state === 'loading') this.#fail()
    this.#options.host.timers.cancel(this.#retryTimer)
    this.#become('loading')
    const timeline = new Timeline()
    const timers = this.#makeTimers()
    const shard = this.#options.makeShard({
      partition: this.#partition,
      timeline,
      timers,
      image: () => this.#options.image(),
    })
    const loading: Loading<S, R> = { shard, timeline, timers }
    this.#loading = loading
    this.#options.enqueueLoad(() => this.#load(loading, this.#leaderEpoch))
  }

  #makeTimers(): ShardTimers<R> {
    const { host, listenFirst, timerPatienceMs } = this.#options
    return new ShardTimers<R>({
      clock: host.clock,
      timers: host.timers,
      listenFirst,
      write: (name, operation, { committed, failed }) => {
        const answer = {
          answer: committed,
          refuse: (refusal: unknown) => failed(!isGone(refusal)),
        }
        this.write(name, timerPatienceMs(), operation, answer)
      },
    })
  }

  async #load(loading: Loading<S, R>, leaderEpoch: number): Promise<void> {
    const { host, logger, writer, serde } = this.#options
    const isOvertaken = () => this.#loading !== loading
    if (isOvertaken()) return
    const startedMs = host.clock.monotonicMs()
    const loader = new Loader(host, serde, loading.shard, loading.timeline)
    try {
      const end = await writer.load(this.#partition, leaderEpoch, bytes => {
        if (isOvertaken()) throw new Refusal(ErrorCode.NOT_COORDINATOR)
        return loader.replay(bytes)
      })
      if (isOvertaken()) return
      this.#activate(loading, leaderEpoch, end)
      const { records, bytes } = loader.summary
      const tookMs = Math.round(host.clock.monotonicMs() - startedMs)
      logger.debug({ records, bytes, tookMs }, `${this.#name} is loaded`)
    } catch (error) {
      if (!isOvertaken() || this.#active?.shard === loading.shard) this.#loadFailed(error)
    }
  }

  #activate(loading: Loading<S, R>, leaderEpoch: number, end: number): void {
    const { writer } = this.#options
    const deafen = writer.listen(this.#partition, leaderEpoch, {
      onAppended: ticket => pipeline.onAppended(ticket),
      onFailed: (ticket, code) => pipeline.onFailed(ticket, code),
      onHighWatermark: offset => pipeline.onHighWatermark(offset),
      onLost: () => {
        if (this.#active?.pipeline === pipeline) this.#fail()
      },
    })
    const marks = writer.marks(this.#partition)
    if (marks.end !== end) {
      deafen()
      throw new Refusal(
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        `the log went on from ${end} to ${marks.end} while it was loaded`,
      )
    }
    const pipeline = new Pipeline<R>(
      {
        ...this.#options,
        partition: this.#partition,
        leaderEpoch,
        timeline: loading.timeline,
        replay: (record, origin) => loading.shard.replay(record, origin),
        outOfStep: () => {
          if (this.#active?.pipeline === pipeline) this.#reload()
        },
      },
      marks,
    )
    this.#loading = undefined
    this.#active = { ...loading, pipeline, deafen }
    this.#become('active')
    this.#retryMs = FIRST_RETRY_MS
    loading.shard.onLoaded(this.#options.image())
  }

  #loadFailed(error: unknown): void {
    const { host, logger } = this.#options
    const mayPass = error instanceof Refusal
    logger.error({ err: error }, `${this.#name} could not be loaded: ${error instanceof Error ? error.message : error}`)
    this.#fail()
    if (!mayPass) return
    this.#retryTimer = host.timers.at(host.clock.monotonicMs() + this.#retryMs, () => {
      if (this.#state === 'failed') this.#reload()
    })
    this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2)
  }

  #unload(): void {
    const active = this.#active
    const ended = active ?? this.#loading
    this.#active = undefined
    this.#loading = undefined
    this.#options.host.timers.cancel(this.#retryTimer)
    ended?.timers.cancelAll()
    active?.deafen()
    active?.pipeline.close(new Refusal(ErrorCode.NOT_COORDINATOR))
    if (active === undefined) return
    try {
      active.shard.onUnloaded()
    } catch (error) {
      this.#options.logger.error({ err: error }, `${this.#name} was not unloaded properly`)
    }
  }

  onMetadata(delta: MetadataDelta, image: MetadataImage): void {
    try {
      this.#active?.shard.onMetadata(delta, image)
    } catch (error) {
      this.#options.logger.error({ err: error }, `${this.#name} failed to take new metadata in`)
    }
  }

  // Operations.

  #refusalOfState(): Refusal {
    const loading = this.#state === 'loading'
    return new Refusal(loading ? ErrorCode.COORDINATOR_LOAD_IN_PROGRESS : ErrorCode.NOT_COORDINATOR)
  }

  write<T>(name: string, timeoutMs: number, operation: (shard: S) => Outcome<R, T>, answer: Answer<T>): void {
    const active = this.#active
    if (active === undefined) {
      answer.refuse(this.#refusalOfState())
      return
    }
    const { shard, timeline, pipeline } = active
    assert(!this.#operating, 'an operation begins when the one before has ended')
    const mark = timeline.mark
    const deadlineMs = this.#options.host.clock.monotonicMs() + timeoutMs
    let outcome: Outcome<R, T> | undefined
    let serialized: readonly RecordBytes[]
    this.#operating = true
    try {
      outcome = operation(shard)
      serialized = pipeline.serialize(outcome)
    } catch (error) {
      timeline.revertTo(mark)
      const refusal = this.#refusalFor(name, error)
      outcome?.settled?.(refusal.code)
      pipeline.wait(new WaitingRefusal(refusal, answer))
      return
    } finally {
      this.#operating = false
    }
    pipeline.append(mark, outcome, serialized, new WaitingWrite(deadlineMs, outcome.response, outcome.settled, answer))
  }

  read<T>(name: string, operation: (shard: S) => T, answer: Answer<T>): void {
    const active = this.#active
    if (active === undefined) {
      answer.refuse(this.#refusalOfState())
      return
    }
    let say: () => void
    try {
      const response = operation(active.shard)
      say = () => answer.answer(response)
    } catch (error) {
      const refusal = this.#refusalFor(name, error)
      say = () => answer.refuse(refusal)
    }
    active.pipeline.wait(new WaitingRead(say, () => this.read(name, operation, answer)))
  }

  #refusalFor(name: string, error: unknown): Refusal {
    if (error instanceof Refusal) return error
    this.#options.logger.error({ err: error }, `${name} in ${this.#name} failed unexpectedly`)
    return new Refusal(ErrorCode.UNKNOWN_SERVER_ERROR)
  }
}

function isGone(refusal: unknown): boolean {
  if (!(refusal instanceof Refusal)) return false
  return refusal.code === ErrorCode.NOT_COORDINATOR || refusal.code === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
}
