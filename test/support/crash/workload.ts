/**
 * What a broker is made to do while it is crashed: producers on topics that roll segments, expire and compact, readers,
 * commits of groups, topics that come and go, replicas that move between directories. After each start `check` says
 * whether every promise was kept.
 */
import { createTopics } from '../../../src/protocol/apis/19-create-topics.ts'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'
import { findGroup } from '../groups.ts'
import { WireClient } from '../wire-client.ts'
import { Committer } from './committer.ts'
import { Mover } from './mover.ts'
import { type Keeping, PartitionLoad, Refused } from './partition-load.ts'
import { PassingTopic } from './passing-topic.ts'
import { bounds, readSome } from './reading.ts'

/** Small segments: a round fills several. */
const SEGMENT_BYTES = 16_384

const topics: readonly { name: string; keeping: Keeping; partitions: number; configs: Record<string, string> }[] = [
  { name: 'plain', keeping: 'all', partitions: 3, configs: {} },
  { name: 'rolling', keeping: 'all', partitions: 2, configs: { 'segment.ms': '30' } },
  {
    name: 'retained',
    keeping: 'newest',
    partitions: 2,
    configs: { 'retention.bytes': '30000', 'internal.segment.bytes': '12000' },
  },
  {
    name: 'compacted',
    keeping: 'last of each key',
    partitions: 2,
    configs: { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.01', 'segment.ms': '100' },
  },
]

/** A broker's settings under which all of that happens often. */
export const workloadSettings: Readonly<Record<string, string | number>> = {
  'auto.create.topics.enable': 'false',
  'offsets.topic.num.partitions': 4,
  'group.initial.rebalance.delay.ms': 0,
  'log.retention.check.interval.ms': 50,
  'log.cleaner.backoff.ms': 50,
  'log.segment.delete.delay.ms': 100,
}

interface Worker {
  readonly acknowledged: number
  run(client: WireClient, goes: () => boolean): Promise<void>
  check(client: WireClient): Promise<void>
  resume(client: WireClient): Promise<void>
}

export class Workload {
  readonly partitions: readonly PartitionLoad[] = topics.flatMap(({ name, keeping, partitions }) =>
    Array.from({ length: partitions }, (_, index) => new PartitionLoad(name, index, keeping, 'lasting')),
  )
  readonly #committers = ['reads', 'writes', 'waits'].map(name => new Committer(`group-${name}`, 'plain'))
  readonly #passing = ['passing-a', 'passing-b'].map(name => new PassingTopic(name))
  readonly #clients = new Set<WireClient>()

  readonly #mover: Mover | undefined

  /** `moves`: there are two directories, and replicas go from one to the other. */
  constructor({ moves = false }: { readonly moves?: boolean | undefined } = {}) {
    if (moves) this.#mover = new Mover([...topics.map(({ name }) => name), '__consumer_offsets'])
  }

  get #workers(): readonly Worker[] {
    return [...this.partitions, ...this.#committers, ...this.#passing, ...(this.#mover ? [this.#mover] : [])]
  }

  get moved(): number {
    return this.#mover?.moved ?? 0
  }

  /** Promises that were given so far. */
  get acknowledged(): number {
    return this.#workers.reduce((sum, { acknowledged }) => sum + acknowledged, 0)
  }

  /** Whether retention has deleted anything. */
  get hasExpired(): boolean {
    return this.partitions.some(({ start }) => start > 0)
  }

  /** Creates the topics that stay. */
  async prepare(port: number): Promise<void> {
    const client = await WireClient.connect(port)
    const answer = await client.send(createTopics, 7, {
      timeoutMs: 30_000,
      topics: topics.map(({ name, partitions, configs }) => ({
        name,
        numPartitions: partitions,
        replicationFactor: 1,
        assignments: [],
        configs: Object.entries({ 'internal.segment.bytes': `${SEGMENT_BYTES}`, ...configs }).map(([key, value]) => ({
          name: key,
          value,
        })),
      })),
    })
    for (const { name, errorCode, errorMessage } of answer.topics) {
      if (errorCode !== 0) throw new Error(`creating ${name}: ${errorCode} ${errorMessage}`)
    }
    for (const { group } of this.#committers) await findGroup(client, group)
    await client.close()
  }

  /**
   * Works until `disturbed` says that it may end, and then as long as it is answered: whoever is refused or loses the
   * connection stops. Rejects when that happens earlier, and with a Violation.
   */
  async run(port: number, disturbed: () => boolean, goes: () => boolean = () => true): Promise<void> {
    const work = async (worker: Pick<Worker, 'run'>): Promise<void> => {
      let client: WireClient | undefined
      try {
        client = await WireClient.connect(port)
        this.#clients.add(client)
        await worker.run(client, goes)
      } catch (error) {
        const ends = error instanceof Refused || /closed|ECONN/.test((error as Error).message)
        if (!ends || !disturbed()) throw error
      } finally {
        if (client !== undefined) this.#clients.delete(client)
        await client?.close()
      }
    }
    const ended = await Promise.allSettled([...this.#workers, this.#reader].map(work))
    for (const each of ended) if (each.status === 'rejected') throw each.reason
  }

  /** Nothing that the broker says from now on is heard: what has no answer yet never gets one. */
  hangUp(): void {
    for (const client of this.#clients) void client.close()
  }

  /** Reads what can be read, behind the producers. */
  readonly #reader: Pick<Worker, 'run'> = {
    run: async (client, goes) => {
      while (goes()) {
        for (const load of this.partitions) {
          const { errorCode, next } = await readSome(client, load.topic, load.partition, load.seen, 2)
          if (errorCode === ErrorCode.NONE) load.seen = Math.max(load.seen, next)
          // What it was to read next has expired.
          else if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE)
            load.seen = Math.max(load.seen, (await bounds(client, load.topic, load.partition)).start)
          else throw new Refused(`reading ${load.topic}-${load.partition}`, errorCode)
        }
      }
    },
  }

  /** @throws Violation when something acknowledged is not there, or something is that nobody sent. */
  check(port: number): Promise<void> {
    return this.#each(port, (worker, client) => worker.check(client))
  }

  /** As `check` for a broker that promised less: what is there is right, and is the beginning of what was sent. */
  resume(port: number): Promise<void> {
    return this.#each(port, (worker, client) => worker.resume(client))
  }

  async #each(port: number, look: (worker: Worker, client: WireClient) => Promise<void>): Promise<void> {
    const client = await WireClient.connect(port)
    try {
      for (const worker of this.#workers) await look(worker, client)
    } finally {
      await client.close()
    }
  }
}
