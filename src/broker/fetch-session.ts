/**
 * Fetch sessions (KIP-227): the broker remembers what a client fetches, so that a request names only what changed and
 * an answer only what moved.
 *
 * A request opens a `FetchContext`, which lists the partitions to read and, when they were read, says which of them go
 * into the answer. Sessions live in a bounded cache; a full one evicts a session that was not used for two minutes, or
 * else one that has lived for two minutes and holds no more partitions than the newcomer (a follower may displace a
 * consumer sooner).
 *
 * Invariants: a session's partitions keep the order in which they were added, and one that returned records goes to the
 * end, so that every partition gets its turn under a response limit. The epoch rises by one with each request of the
 * session, from 1, wrapping from 2^31-1 to 1.
 */
import type { FetchRequest } from '../protocol/apis/01-fetch.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { ErrorCode } from '../protocol/error-codes.ts'

const NO_SESSION = 0
const INITIAL_EPOCH = 0
const FINAL_EPOCH = -1
const EVICTION_MS = 120_000
const MAX_EPOCH = 0x7fffffff

/** One partition as a request or a session asks for it. */
export interface FetchTarget {
  /** undefined: asked for by an id that this broker doesn't know (yet). */
  topic: string | undefined
  topicId: string
  readonly partition: number
  fetchOffset: number
  partitionMaxBytes: number
  currentLeaderEpoch: number
  lastFetchedEpoch: number
  /** What the client was last told; -1: nothing, or an error since. */
  sentHighWatermark: number
  sentLogStartOffset: number
}

/** What decides whether a partition of a session goes into the answer. */
export interface FetchOutcome {
  readonly errorCode: KafkaErrorCode
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly bytes: number
  readonly diverging: boolean
}

interface Session {
  readonly id: number
  readonly follower: boolean
  readonly usesTopicIds: boolean
  readonly targets: Map<string, FetchTarget>
  readonly createdMs: number
  usedMs: number
  epoch: number
}

export interface FetchContext {
  /** Not 0: the whole answer. */
  readonly errorCode: KafkaErrorCode
  /** In the order in which they are to be read. */
  readonly targets: readonly FetchTarget[]
  /**
   * Ends the context: to be called once, with one outcome per target.
   * @returns the session to name in the answer, and the indexes of the targets to answer.
   */
  finish(outcomes: readonly FetchOutcome[]): {
    errorCode: KafkaErrorCode
    sessionId: number
    included: readonly number[]
  }
}

export interface FetchSessionsOptions {
  /** max.incremental.fetch.session.cache.slots */
  readonly slots: number
  nowMs(): number
  /** Uniform in [0, 2^32). */
  randomU32(): number
}

export class FetchSessions {
  readonly #options: FetchSessionsOptions
  readonly #sessions = new Map<number, Session>()

  constructor(options: FetchSessionsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#sessions.size
  }

  /** @param nameOf name of the topic with that id, if the broker knows it. */
  open(
    version: number,
    request: FetchRequest,
    follower: boolean,
    nameOf: (topicId: string) => string | undefined,
  ): FetchContext {
    const { sessionId, sessionEpoch } = request
    const usesTopicIds = version >= 13
    if (sessionEpoch === INITIAL_EPOCH || sessionEpoch === FINAL_EPOCH) {
      if (sessionId !== NO_SESSION) this.#sessions.delete(sessionId)
      const targets = targetsOf(request, usesTopicIds, nameOf)
      if (sessionEpoch === FINAL_EPOCH) return sessionless(targets)
      return this.#full(targets, usesTopicIds, follower)
    }
    const session = this.#sessions.get(sessionId)
    if (session === undefined) return failed(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
    if (session.epoch !== sessionEpoch) return failed(ErrorCode.INVALID_FETCH_SESSION_EPOCH)
    if (session.usesTopicIds !== usesTopicIds) return failed(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
    if (request.topics.length > 0 || request.forgottenTopicsData.length > 0) update(session, request, nameOf)
    if (session.targets.size === 0) {
      this.#sessions.delete(sessionId)
      return sessionless(new Map())
    }
    session.usedMs = this.#options.nowMs()
    session.epoch = nextEpoch(session.epoch)
    return incremental(session, nameOf)
  }

  #full(targets: Map<string, FetchTarget>, usesTopicIds: boolean, follower: boolean): FetchContext {
    const list = [...targets.values()]
    return {
      errorCode: 0,
      targets: list,
      finish: outcomes => {
        const sessionId = this.#create(targets, list, outcomes, usesTopicIds, follower)
        return { errorCode: 0, sessionId, included: list.map((_, index) => index) }
      },
    }
  }

  #create(
    targets: Map<string, FetchTarget>,
    list: readonly FetchTarget[],
    outcomes: readonly FetchOutcome[],
    usesTopicIds: boolean,
    follower: boolean,
  ): number {
    const now = this.#options.nowMs()
    if (this.#options.slots <= 0) return NO_SESSION
    if (this.#sessions.size >= this.#options.slots && !this.#evict(follower, targets.size, now)) return NO_SESSION
    for (const [index, target] of list.entries()) sent(target, outcomes[index] as FetchOutcome)
    let id: number
    do id = this.#options.randomU32() & MAX_EPOCH
    while (id === NO_SESSION || this.#sessions.has(id))
    const epoch = nextEpoch(INITIAL_EPOCH)
    this.#sessions.set(id, { id, follower, usesTopicIds, targets, createdMs: now, usedMs: now, epoch })
    return id
  }

  /** Makes room for a session of `size` partitions; false when every other is worth more. */
  #evict(follower: boolean, size: number, now: number): boolean {
    let oldest: Session | undefined
    let cheapest: Session | undefined
    for (const session of this.#sessions.values()) {
      if (oldest === undefined || session.usedMs < oldest.usedMs) oldest = session
      const evictable = now - session.createdMs > EVICTION_MS || (follower && !session.follower)
      if (evictable && (cheapest === undefined || worth(session) < worth(cheapest))) cheapest = session
    }
    if (oldest !== undefined && now - oldest.usedMs > EVICTION_MS) {
      this.#sessions.delete(oldest.id)
      return true
    }
    if (cheapest === undefined) return false
    if (cheapest.follower !== follower ? cheapest.follower : cheapest.targets.size > size) return false
    this.#sessions.delete(cheapest.id)
    return true
  }
}

/** Followers are worth more than any consumer, then larger sessions more than smaller. */
function worth(session: Session): number {
  return session.targets.size + (session.follower ? 0x100000000 : 0)
}

function failed(errorCode: KafkaErrorCode): FetchContext {
  return { errorCode, targets: [], finish: () => ({ errorCode, sessionId: NO_SESSION, included: [] }) }
}

function sessionless(targets: Map<string, FetchTarget>): FetchContext {
  const list = [...targets.values()]
  return {
    errorCode: 0,
    targets: list,
    finish: () => ({ errorCode: 0, sessionId: NO_SESSION, included: list.map((_, index) => index) }),
  }
}

function incremental(session: Session, nameOf: (topicId: string) => string | undefined): FetchContext {
  const epoch = session.epoch
  const targets = [...session.targets.values()]
  for (const target of targets) {
    if (target.topic === undefined) target.topic = nameOf(target.topicId)
  }
  return {
    errorCode: 0,
    targets,
    finish(outcomes) {
      // Another request of the session was taken meanwhile: a duplicate, whose answers must not be mixed up.
      if (session.epoch !== epoch)
        return { errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH, sessionId: session.id, included: [] }
      const included: number[] = []
      for (let index = 0; index < targets.length; index++) {
        const target = targets[index] as FetchTarget
        const outcome = outcomes[index] as FetchOutcome
        if (!sent(target, outcome)) continue
        included.push(index)
        if (outcome.bytes === 0) continue
        const key = keyOf(session.usesTopicIds, target.topic, target.topicId, target.partition)
        if (session.targets.delete(key)) session.targets.set(key, target)
      }
      return { errorCode: 0, sessionId: session.id, included }
    },
  }
}

/** Notes what the client is being told; false when it knows all of it. */
function sent(target: FetchTarget, outcome: FetchOutcome): boolean {
  let news = outcome.bytes > 0 || outcome.diverging
  if (target.sentHighWatermark !== outcome.highWatermark) {
    target.sentHighWatermark = outcome.highWatermark
    news = true
  }
  if (target.sentLogStartOffset !== outcome.logStartOffset) {
    target.sentLogStartOffset = outcome.logStartOffset
    news = true
  }
  if (outcome.errorCode !== 0) {
    // Whatever comes after the error is news again.
    target.sentHighWatermark = -1
    news = true
  }
  return news
}

function targetsOf(
  request: FetchRequest,
  usesTopicIds: boolean,
  nameOf: (topicId: string) => string | undefined,
): Map<string, FetchTarget> {
  const targets = new Map<string, FetchTarget>()
  addTargets(targets, request, usesTopicIds, nameOf)
  return targets
}

function addTargets(
  targets: Map<string, FetchTarget>,
  request: FetchRequest,
  usesTopicIds: boolean,
  nameOf: (topicId: string) => string | undefined,
): void {
  for (const topic of request.topics) {
    const name = usesTopicIds ? nameOf(topic.topicId) : topic.topic
    for (const partition of topic.partitions) {
      const key = keyOf(usesTopicIds, topic.topic, topic.topicId, partition.partition)
      const known = targets.get(key)
      if (known === undefined) {
        targets.set(key, {
          topic: name,
          topicId: topic.topicId,
          partition: partition.partition,
          fetchOffset: partition.fetchOffset,
          partitionMaxBytes: partition.partitionMaxBytes,
          currentLeaderEpoch: partition.currentLeaderEpoch,
          lastFetchedEpoch: partition.lastFetchedEpoch,
          sentHighWatermark: -1,
          sentLogStartOffset: -1,
        })
      } else {
        known.fetchOffset = partition.fetchOffset
        known.partitionMaxBytes = partition.partitionMaxBytes
        known.currentLeaderEpoch = partition.currentLeaderEpoch
        known.lastFetchedEpoch = partition.lastFetchedEpoch
      }
    }
  }
}

function update(session: Session, request: FetchRequest, nameOf: (topicId: string) => string | undefined): void {
  addTargets(session.targets, request, session.usesTopicIds, nameOf)
  for (const topic of request.forgottenTopicsData) {
    for (const partition of topic.partitions)
      session.targets.delete(keyOf(session.usesTopicIds, topic.topic, topic.topicId, partition))
  }
}

function keyOf(usesTopicIds: boolean, topic: string | undefined, topicId: string, partition: number): string {
  return `${usesTopicIds ? topicId : topic}/${partition}`
}

function nextEpoch(epoch: number): number {
  return epoch === MAX_EPOCH ? 1 : epoch + 1
}
