/**
 * What members of either protocol have in common: a program of its own on the simulated clock, which asks,
 * waits, and gives up waiting.
 *
 * Invariants: one request at a time, commits apart. Who is not alive does nothing any more and owns nothing; what it
 * has sent is on its way nevertheless.
 */

import type { GroupService } from '../../../src/coordinator/group/service.ts'
import type { Host } from '../../../src/host/host.ts'
import type { MetadataImage } from '../../../src/metadata/image.ts'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'

/** What a member has of the world. */
export interface Surroundings {
  readonly host: Host
  image(): MetadataImage
  /** Below `bound`. */
  chance(bound: number): number
  /**
   * Carries a request to the coordinator that is there when it arrives, and the answer back; `done` is called
   * once, with undefined when there was no answer in time. Requests of one `connection` arrive in the order
   * in which they were sent.
   */
  call<T>(
    connection: Connection,
    patienceMs: number,
    send: (service: GroupService, answer: (response: T) => void) => void,
    done: (response: T | undefined) => void,
  ): void
  /** Where the next reader of a partition begins: behind everybody before. */
  position(partition: string): bigint
  /** A reader has come so far. */
  readUpTo(partition: string, offset: bigint): void
  /** A commit was answered without an error. */
  acknowledged(partition: string, offset: bigint): void
  /** Something that may never happen. */
  fault(what: string): void
}

export interface Connection {
  /** Nothing arrives before. */
  arrivesMs: number
  /** Everything is lost until then. */
  cutUntilMs: number
}

/** Codes that say: ask again, perhaps elsewhere. */
const passing: readonly number[] = [
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
]

export const isPassing = (code: number): boolean => passing.includes(code)

export const GROUP = 'g'
export const HEARTBEAT_MS = 3_000

export abstract class Member {
  readonly name: string
  readonly instanceId: string | null
  readonly connection: Connection = { arrivesMs: 0, cutUntilMs: 0 }
  /** What it reads, as `topic id/partition`. */
  owned = new Set<string>()
  topics: readonly string[]
  isAlive = true
  memberId = ''
  protected readonly world: Surroundings
  #timer = 0
  /** How far it has read, since when it owns a partition. */
  readonly #positions = new Map<string, { since: number; offset: bigint }>()

  constructor(world: Surroundings, name: string, instanceId: string | null, topics: readonly string[]) {
    this.world = world
    this.name = name
    this.instanceId = instanceId
    this.topics = topics
  }

  abstract readonly kind: 'classic' | 'consumer'
  /** Epoch or generation that it believes in. */
  abstract get version(): number
  /** ... and the one in which it was given what it owns. */
  abstract get ownedSince(): number
  abstract leave(forAWhile: boolean): void
  abstract subscribe(topics: readonly string[]): void
  protected abstract get commitVersion(): number

  /** Ends without a word. */
  crash(): void {
    this.isAlive = false
    this.owned.clear()
    this.world.host.timers.cancel(this.#timer)
  }

  /** It was fenced, and knows it. */
  protected lose(): void {
    this.owned.clear()
    this.#positions.clear()
  }

  /** In place of what was to come next. */
  protected next(delayMs: number, act: () => void): void {
    const { timers, clock } = this.world.host
    timers.cancel(this.#timer)
    this.#timer = timers.at(clock.monotonicMs() + delayMs, () => {
      if (this.isAlive) act()
    })
  }

  protected ask<T>(
    patienceMs: number,
    send: (service: GroupService, answer: (response: T) => void) => void,
    take: (response: T | undefined) => void,
  ): void {
    this.world.host.timers.cancel(this.#timer)
    this.world.call<T>(this.connection, patienceMs, send, response => {
      if (this.isAlive) take(response)
    })
  }

  /** What it has read of everything that it owns. */
  commit(): void {
    const { version, ownedSince } = this
    if (!this.isAlive || this.owned.size === 0 || version <= 0 || version !== ownedSince) return
    const offsets = new Map([...this.owned].map(partition => [partition, this.#read(partition)]))
    const origin = { apiVersion: this.commitVersion, clientId: this.name, clientHost: '/127.0.0.1' }
    const generation = this.version
    const { memberId, instanceId } = this
    this.world.call<{
      topics: readonly {
        topicId?: string | undefined
        partitions: readonly { partitionIndex: number; errorCode: number }[]
      }[]
    }>(
      this.connection,
      5_000,
      (service, answer) => {
        const topics = []
        for (const [partition, committedOffset] of offsets) {
          const [topicId, index] = partition.split('/') as [string, string]
          const name = this.world.image().topicsById.get(topicId)?.name
          if (name === undefined) continue
          const committed = {
            partitionIndex: Number(index),
            committedOffset,
            committedLeaderEpoch: -1,
            committedMetadata: '',
          }
          topics.push({ name, topicId, partitions: [committed] })
        }
        const request = {
          groupId: GROUP,
          generationIdOrMemberEpoch: generation,
          memberId,
          groupInstanceId: instanceId,
          retentionTimeMs: -1,
          topics,
        }
        service.commitOffsets(origin, request, answer)
      },
      response => {
        for (const { topicId, partitions } of response?.topics ?? []) {
          for (const { partitionIndex, errorCode } of partitions) {
            const partition = `${topicId}/${partitionIndex}`
            if (errorCode === ErrorCode.NONE) this.world.acknowledged(partition, offsets.get(partition)!)
          }
        }
      },
    )
  }

  /** One record more. A reader whose partition is another's by now does not know of what that one has read. */
  #read(partition: string): bigint {
    const { ownedSince: since } = this
    const known = this.#positions.get(partition)
    const offset = (known?.since === since ? known.offset : this.world.position(partition)) + 1n
    this.#positions.set(partition, { since, offset })
    this.world.readUpTo(partition, offset)
    return offset
  }
}
