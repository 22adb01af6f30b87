/**
 * One partition as this broker holds it: role, leader epoch, ISR, high watermark, last stable offset, and who waits for
 * them. The broker's handlers append and read through it; `broker/replicas.ts` gives it its log and its leadership.
 *
 * Invariants: log start <= last stable offset <= high watermark <= log end, asserted whenever one of them is set. The
 * high watermark never goes back within a leadership. This replica counts in it up to its synced end under
 * `flush=group` and up to its log end under `flush=os`, so that under `group` nothing is readable that a power cut can
 * take back. Offsets are learnt from completions, never computed. An append is completed exactly once, in the
 * partition's epoch in which it was made or with NOT_LEADER_OR_FOLLOWER.
 */
import { assert } from '../base/assert.ts'
import type {
  Appended,
  AppendOptions,
  BatchSource,
  Found,
  Log,
  LogListener,
  PreparedAnswer,
  ReadOptions,
  ReadResult,
} from '../log/log.ts'
import { Origin } from '../log/log.ts'
import { clientErrorCode, LogError } from '../log/log-errors.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { type EpochOptions, epochOptions } from './append-options.ts'
import { Audience, type Reader } from './audience.ts'
import { DelayedAppend } from './delayed-append.ts'
import { HeldAppends } from './held-appends.ts'
import { lacksReplicas, leadsAlone, NOBODY_LEADS, refusesEpoch } from './leadership.ts'
import { Limits } from './limits.ts'
import type { AppendSink, Compaction, Leadership, PartitionSettings, TenantListener } from './ports.ts'

export type FetchWaiter = Reader<Partition>

/** Before a partition has its log, nobody appends. */
const UNKNOWN: PartitionSettings = { flush: 'group', minInSyncReplicas: 1, timestampType: 'CreateTime' }

export class Partition implements LogListener {
  readonly topic: string
  /** 22 characters of base64url. */
  readonly topicId: string
  readonly index: number
  readonly nodeId: number

  #log: Log | undefined
  /** The same object for all partitions of a topic. */
  #settings = UNKNOWN
  #leadership = NOBODY_LEADS
  /** The leadership that takes effect once the appends of the present one are completed. */
  #nextLeadership: Leadership | undefined
  #appendsInFlight = 0
  #epochStartOffset = -1
  /** The last entry of the log's leader epochs. */
  #latestEpoch = -1
  #offlineCode: KafkaErrorCode = 0
  #deleted = false

  readonly #limits = new Limits()
  /** Appends that wait for `resume`; undefined: none has to. */
  #held: HeldAppends | undefined
  /** `pause` waits for the appends in flight. */
  #drained: (() => void) | undefined
  #options: EpochOptions = epochOptions(-1, true)

  /** An idle partition has none: there may be a hundred thousand of them. */
  #audience: Audience<Partition> | undefined

  constructor(topic: string, topicId: string, index: number, nodeId: number) {
    this.topic = topic
    this.topicId = topicId
    this.index = index
    this.nodeId = nodeId
  }

  /** undefined while the log is being opened and after it could not be. */
  get log(): Log | undefined {
    return this.#log
  }

  get leaderEpoch(): number {
    return this.#leadership.leaderEpoch
  }

  /** The epoch of the log's end: a reader that has it can't have diverged. */
  get latestEpoch(): number {
    return this.#latestEpoch
  }

  get leader(): number {
    return this.#leadership.leader
  }

  get isLeader(): boolean {
    return this.#leadership.leader === this.nodeId && this.#log !== undefined && this.#offlineCode === 0
  }

  get logStartOffset(): number {
    return this.#limits.start
  }

  get logEndOffset(): number {
    return this.#limits.end
  }

  get highWatermark(): number {
    return this.#limits.highWatermark
  }

  get lastStableOffset(): number {
    return this.#limits.lastStableOffset
  }

  /** Where the log ended when this broker became leader in the present epoch; -1 when it isn't. */
  get leaderEpochStartOffset(): number {
    return this.#epochStartOffset
  }

  /** 0, or why the partition can't serve at all. */
  get unavailable(): KafkaErrorCode {
    if (this.#deleted) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if (this.#offlineCode !== 0) return this.#offlineCode
    return this.#log === undefined ? ErrorCode.NOT_LEADER_OR_FOLLOWER : 0
  }

  /**
   * Whether a client that knows `currentLeaderEpoch` (-1: doesn't say) may use this replica.
   * @returns 0 or Kafka's code: a fenced or an unknown epoch before a missing leadership.
   */
  access(currentLeaderEpoch: number, requireLeader: boolean): KafkaErrorCode {
    const unavailable = this.unavailable
    if (unavailable !== 0) return unavailable
    const refused = refusesEpoch(this.#leadership, currentLeaderEpoch)
    if (refused !== 0) return refused
    return requireLeader && this.leader !== this.nodeId ? ErrorCode.NOT_LEADER_OR_FOLLOWER : 0
  }

  /** Gives the partition its opened log. Leadership comes before or after, by `lead`. */
  attach(log: Log, settings: PartitionSettings): void {
    assert(this.#log === undefined, 'a partition gets one log')
    this.#log = log
    this.#offlineCode = 0
    this.#latestEpoch = log.opened.latestEpoch
    this.#limits.attach(log)
    this.configure(settings)
    log.setListener(this)
    this.#assume(this.#leadership)
  }

  configure(settings: PartitionSettings): void {
    this.#settings = settings
    this.#options = epochOptions(this.leaderEpoch, this.#countsToSyncedEnd)
  }

  /** The log could not be opened. */
  fail(code: KafkaErrorCode): void {
    this.#offlineCode = code
    this.#endWaits(code)
  }

  /** The topic was deleted: whoever waits is told so, and nothing is served any more. */
  remove(): void {
    this.#deleted = true
    this.#endWaits(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  }

  /**
   * The image's word on who leads. A new epoch takes effect when the appends of the old one have completed: its first
   * offset is the log's end then. Where nobody else is in sync, those that wait for the disk count too: they will be
   * acknowledged, and a client that were told otherwise would send them again.
   */
  lead(leadership: Leadership): void {
    const busy = this.#owesAppends || this.#held !== undefined
    if (this.#log !== undefined && busy && leadership.leaderEpoch !== this.leaderEpoch) {
      this.#nextLeadership = leadership
      return
    }
    this.#assume(leadership)
  }

  #assume(leadership: Leadership): void {
    const before = this.#leadership
    this.#leadership = leadership
    this.#nextLeadership = undefined
    if (this.#log === undefined) return
    const leads = leadership.leader === this.nodeId
    if (leads && (this.#epochStartOffset < 0 || before.leaderEpoch !== leadership.leaderEpoch)) {
      this.#epochStartOffset = this.logEndOffset
      if (this.#latestEpoch < leadership.leaderEpoch) {
        this.#latestEpoch = leadership.leaderEpoch
        // Of a directory that fails meanwhile `onFailed` tells.
        this.#log.startEpoch(leadership.leaderEpoch, this.logEndOffset).catch(() => {})
      }
      this.#options = epochOptions(leadership.leaderEpoch, this.#countsToSyncedEnd)
    }
    if (!leads) {
      this.#epochStartOffset = -1
      this.#failOffsets(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    }
    if (before.leaderEpoch !== leadership.leaderEpoch) {
      this.#endTenancy()
      this.#interruptFetches()
    }
    if (leads) this.#advance()
  }

  /**
   * When an append that is accepted has nothing left to wait for and nothing unknown but its offset, so that its answer
   * may be prepared; undefined: never.
   */
  answersAhead(requiredAcks: number): 'written' | 'synced' | undefined {
    if (this.#settings.timestampType === 'LogAppendTime' || !this.isLeader) return undefined
    if (requiredAcks !== -1) return requiredAcks === 1 ? 'written' : undefined
    if (!leadsAlone(this.#leadership, this.nodeId)) return undefined
    return this.#countsToSyncedEnd ? 'synced' : 'written'
  }

  /**
   * Appends one batch. Completions reach `sink` in append order, except that acks=all (-1) ones wait for the high
   * watermark. `prepared` is the answer, where `answersAhead`.
   * @returns 0 when it was accepted; otherwise Kafka's code, and `sink` hears nothing.
   */
  append(
    batch: BatchSource,
    requiredAcks: number,
    sink: AppendSink,
    slot: number,
    prepared?: PreparedAnswer | undefined,
  ): KafkaErrorCode {
    const all = requiredAcks === -1
    const refused = this.#refusesAppend(all)
    if (refused !== 0) return refused
    if (this.#held !== undefined) {
      const release = batch instanceof Uint8Array ? undefined : sink.keepFrame?.()
      const kept = batch instanceof Uint8Array ? batch.slice() : batch
      this.#held.add(sink, slot, () => this.append(kept, requiredAcks, sink, slot, prepared), release)
      return 0
    }
    this.#appendsInFlight++
    const log = this.#log as Log
    const completed = (result: Appended) => {
      this.#completed(result)
      const left = result.answered && prepared?.untilSynced === false
      const waits = all && result.code === 0 && !left && result.end > this.highWatermark
      if (!waits) sink.appended(slot, result)
      else if (this.unavailable !== 0) sink.appended(slot, { ...result, code: this.unavailable, answered: false })
      else {
        this.#heard.awaitOffset(new DelayedAppend(result, sink, slot, log, () => this.#log))
        if (prepared !== undefined && !result.answered) this.#watch()
      }
      this.#assumeNext()
    }
    log.append(batch, this.#appendOptions(requiredAcks, prepared !== undefined), completed, prepared)
    return 0
  }

  #refusesAppend(all: boolean): KafkaErrorCode {
    const unavailable = this.unavailable
    if (unavailable !== 0) return unavailable
    const leadership = this.#leadership
    if (leadership.leader !== this.nodeId || this.#nextLeadership !== undefined) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    return all && lacksReplicas(leadership, this.#settings.minInSyncReplicas) ? ErrorCode.NOT_ENOUGH_REPLICAS : 0
  }

  get #owesAppends(): boolean {
    if (this.#appendsInFlight > 0) return true
    const alone = leadsAlone(this.#leadership, this.nodeId) && this.unavailable === 0
    return alone && this.#audience?.awaitsOffset === true && this.highWatermark < this.logEndOffset
  }

  #assumeNext(): void {
    const busy = this.#owesAppends || this.#held !== undefined
    if (this.#nextLeadership !== undefined && !busy) this.#assume(this.#nextLeadership)
  }

  /**
   * Appends a batch of the coordinator that lives here, in its epoch and where it expects the log to end. `sink` is
   * told when the batch is written or refused; that it is readable, the tenant hears by `highWatermarkMoved`, as soon
   * as an acks=all append would be answered.
   * @returns as `append`.
   */
  appendAsCoordinator(
    batch: Uint8Array,
    leaderEpoch: number,
    expectedBase: number,
    sink: AppendSink,
    slot: number,
  ): KafkaErrorCode {
    const refused = this.#refusesAppend(true)
    if (refused !== 0) return refused
    if (leaderEpoch !== this.leaderEpoch) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    if (this.#held !== undefined) {
      this.#held.add(sink, slot, () => this.appendAsCoordinator(batch, leaderEpoch, expectedBase, sink, slot))
      return 0
    }
    this.#appendsInFlight++
    const options = { ...this.#options.awaitingSync, origin: Origin.coordinator, expectedBase }
    ;(this.#log as Log).append(batch, options, result => {
      this.#completed(result)
      sink.appended(slot, result)
      this.#assumeNext()
    })
    return 0
  }

  /** From now on appends wait, and a new leadership too. Resolves when those under way are written. */
  pause(): Promise<void> {
    this.#held = new HeldAppends()
    if (this.#appendsInFlight === 0) return Promise.resolve()
    return new Promise(resolve => {
      this.#drained = resolve
    })
  }

  /**
   * Carries out what waited; in `log`, if there is one: it has the same records and takes the place of the paused one.
   */
  resume(log?: Log): void {
    const held = this.#held
    this.#held = undefined
    if (log !== undefined) this.#replaceLog(log)
    this.#assumeNext()
    held?.release()
  }

  #replaceLog(log: Log): void {
    this.#limits.replace(log)
    this.#log?.setListener(DEAF)
    this.#log = log
    this.#audience?.forgetWatch()
    log.setListener(this)
    log.setHighWatermark(this.highWatermark)
    this.#advance()
    this.#interruptFetches()
  }

  /** One coordinator lives here until its leadership ends, or the returned function is called. */
  settle(tenant: TenantListener): () => void {
    this.#heard.settle(tenant)
    return () => {
      this.#audience?.leave(tenant)
      this.#letGo()
    }
  }

  /** Nobody waits for the completion of an append whose answer is prepared; if that can't leave, it is told at once. */
  #appendOptions(requiredAcks: number, prepared: boolean): AppendOptions {
    const { awaitingSync, awaitingAppend, awaitingNothing } = this.#options
    if (prepared) return awaitingNothing
    if (requiredAcks === -1) return awaitingSync
    return requiredAcks === 1 ? awaitingAppend : awaitingNothing
  }

  /**
   * Records below `offset` count as deleted from now on.
   * @returns 0, or Kafka's code: not leader here, above the high watermark, or the log failed.
   */
  async deleteRecordsBefore(offset: number): Promise<KafkaErrorCode> {
    const refused = this.access(-1, true)
    if (refused !== 0) return refused
    if (offset < 0 || offset > this.highWatermark) return ErrorCode.OFFSET_OUT_OF_RANGE
    // Its log is about to be replaced: the client asks again.
    if (this.#held !== undefined) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    const log = this.#log as Log
    try {
      this.#startMoved((await log.advanceStart(offset)).startOffset)
      return 0
    } catch (error) {
      return error instanceof LogError ? clientErrorCode(error.code) : ErrorCode.KAFKA_STORAGE_ERROR
    }
  }

  /** Lets the log go of what its topic's retention no longer keeps. @throws LogError when the log fails. */
  async retain(): Promise<void> {
    if (this.#log === undefined || this.unavailable !== 0 || this.#held !== undefined) return
    this.#startMoved((await this.#log.retain()).startOffset)
  }

  /** undefined: its log is not compacted. Another object after each change of configs. */
  get compaction(): Compaction | undefined {
    return this.#settings.compaction
  }

  /** Whoever waits below the new start is told so by reading again. */
  #startMoved(start: number): void {
    if (start <= this.logStartOffset || this.unavailable !== 0) return
    this.#limits.start = start
    this.#advance()
    this.#interruptFetches()
  }

  /** Calls back once everything below `offset` is readable (code 0), or when it never will be. Maybe at once. */
  whenReadable(offset: number, done: (code: KafkaErrorCode) => void): void {
    const unavailable = this.unavailable
    if (unavailable !== 0 || offset <= this.highWatermark) {
      done(unavailable)
      return
    }
    this.#heard.awaitOffset({ untilOffset: offset, reached: done })
    this.#watch()
  }

  /** How many bytes were ever appended below the high watermark; a delayed fetch sums what this grows by. */
  get bytesToHighWatermark(): number {
    return this.#limits.bytesToHighWatermark
  }

  /** As `Log.read`. What was cut short because another log has taken the place of the first is read in that. */
  read(options: ReadOptions, done: (result: ReadResult) => void): void {
    const log = this.#log
    log?.read(options, result => {
      if (result.code !== 0 && this.#isOther(log)) this.read(options, done)
      else done(result)
    })
  }

  /** Asks the log, as `read` does. */
  async lookUp(question: (log: Log) => Promise<Found>): Promise<Found> {
    const log = this.#log as Log
    const found = await question(log)
    return found.code !== 0 && this.#isOther(log) ? this.lookUp(question) : found
  }

  #isOther(log: Log): boolean {
    return this.#log !== log && this.unavailable === 0
  }

  /** Exclusive upper end of what a client may read; `isolation` 0: the high watermark, 1: the last stable offset. */
  limit(isolation: number): number {
    return isolation === 1 ? this.lastStableOffset : this.highWatermark
  }

  addFetchWaiter(waiter: FetchWaiter): void {
    this.#heard.addReader(waiter)
    this.#watch()
  }

  removeFetchWaiter(waiter: FetchWaiter): void {
    this.#audience?.removeReader(waiter)
    this.#letGo()
  }

  // LogListener

  onAppended(): void {
    // Every append was made here and its own callback has told of it.
  }

  onSynced(): void {
    this.#advance()
    this.#assumeNext()
  }

  onFailed(code: KafkaErrorCode): void {
    this.fail(code)
  }

  #completed(result: Appended): void {
    this.#appendsInFlight--
    if (this.#appendsInFlight === 0 && this.#drained !== undefined) {
      this.#drained()
      this.#drained = undefined
    }
    if (result.code !== 0 || result.duplicate) return
    this.#limits.append(result)
    this.#advance()
  }

  /** Recomputes both limits after the log's end, its synced end or the leadership moved, and tells who waits. */
  #advance(): void {
    const log = this.#log
    if (log === undefined || this.#leadership.leader !== this.nodeId || this.#offlineCode !== 0) return
    const limits = this.#limits
    const { highWatermark, lastStableOffset } = limits
    limits.advance(this.#countsToSyncedEnd ? Math.min(log.syncedEnd, limits.end) : limits.end)
    const isHigher = limits.highWatermark !== highWatermark
    if (isHigher) log.setHighWatermark(limits.highWatermark)
    if (!isHigher && limits.lastStableOffset === lastStableOffset) return
    this.#audience?.moved(this, this.highWatermark, isHigher)
    this.#letGo()
    if (this.#audience?.hasWaiters === true) this.#watch()
  }

  get #countsToSyncedEnd(): boolean {
    return this.#settings.flush === 'group'
  }

  /** For whoever comes to wait. */
  get #heard(): Audience<Partition> {
    this.#audience ??= new Audience()
    return this.#audience
  }

  #letGo(): void {
    if (this.#audience?.isEmpty === true) this.#audience = undefined
  }

  /** Asks that the next move of the limit be told at once. */
  #watch(): void {
    if (this.#log === undefined || this.#audience?.watches(this.highWatermark) !== true) return
    this.#log.watch(this.highWatermark, this.#countsToSyncedEnd ? 'synced' : 'end')
  }

  #failOffsets(code: KafkaErrorCode): void {
    this.#audience?.failOffsets(code)
    this.#letGo()
  }

  #endTenancy(): void {
    this.#audience?.endTenancy()
    this.#letGo()
  }

  #endWaits(code: KafkaErrorCode): void {
    this.#failOffsets(code)
    this.#endTenancy()
    this.#interruptFetches()
  }

  #interruptFetches(): void {
    this.#audience?.interrupt(this)
  }
}

/** Of a log that was replaced. */
const DEAF: LogListener = { onAppended() {}, onSynced() {}, onFailed() {} }
