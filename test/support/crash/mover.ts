/**
 * Sends one replica after the other to the broker's other directory, whatever else goes on; and looks where they are.
 */
import { alterReplicaLogDirs } from '../../../src/protocol/apis/34-alter-replica-log-dirs.ts'
import { describeLogDirs } from '../../../src/protocol/apis/35-describe-log-dirs.ts'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'
import { eventually } from '../../clients/target.ts'
import type { WireClient } from '../wire-client.ts'
import { Violation } from './reading.ts'

const PAUSE_MS = 10

interface Seen {
  readonly paths: readonly string[]
  /** Directories of each replica; a move that ends may be seen in both. */
  readonly places: ReadonlyMap<string, readonly string[]>
}

export class Mover {
  readonly acknowledged = 0
  /** Replicas that were seen to have another directory than before. */
  moved = 0
  readonly #known = new Map<string, string>()
  readonly #topics: ReadonlySet<string>
  #turn = 0

  /** `topics`: those that stay. */
  constructor(topics: Iterable<string>) {
    this.#topics = new Set(topics)
  }

  /** Rejects when the connection breaks. */
  async run(client: WireClient, goes: () => boolean): Promise<void> {
    while (goes()) {
      const { paths, places } = await this.#look(client)
      const replicas = [...places.keys()].sort()
      const replica = replicas[this.#turn++ % replicas.length]
      const path = paths.find(each => replica !== undefined && each !== places.get(replica)?.[0])
      if (replica !== undefined && path !== undefined) await this.#send(client, replica, path)
      await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
    }
  }

  /** @throws Violation when a replica is nowhere, or in two places. */
  async check(client: WireClient): Promise<void> {
    let twice: string[] = []
    const isWell = ({ places }: Seen) => {
      twice = [...places].filter(([, paths]) => paths.length !== 1).map(([replica, paths]) => `${replica}: ${paths}`)
      return twice.length === 0
    }
    await eventually(() => this.#look(client), isWell).catch(() => {
      throw new Violation(`replicas lie in more than one directory: ${twice}`)
    })
  }

  resume(client: WireClient): Promise<void> {
    return this.check(client)
  }

  async #send(client: WireClient, replica: string, path: string): Promise<void> {
    const dash = replica.lastIndexOf('-')
    const topics = [{ name: replica.slice(0, dash), partitions: [Number(replica.slice(dash + 1))] }]
    const { results } = await client.send(alterReplicaLogDirs, 2, { dirs: [{ path, topics }] })
    const errorCode = results[0]?.partitions[0]?.errorCode
    if (errorCode !== ErrorCode.NONE) throw new Violation(`${replica} can't go to ${path}: ${errorCode}`)
  }

  async #look(client: WireClient): Promise<Seen> {
    const { results } = await client.send(describeLogDirs, 4, { topics: null })
    const places = new Map<string, string[]>()
    for (const { logDir, topics } of results) {
      for (const { name, partitions } of topics.filter(topic => this.#topics.has(topic.name))) {
        for (const { partitionIndex, isFutureKey } of partitions) {
          const replica = `${name}-${partitionIndex}`
          if (!isFutureKey) places.set(replica, [...(places.get(replica) ?? []), logDir])
        }
      }
    }
    for (const [replica, [path]] of places) {
      const before = this.#known.get(replica)
      if (before !== undefined && before !== path) this.moved++
      this.#known.set(replica, path as string)
    }
    return { paths: results.map(({ logDir }) => logDir), places }
  }
}
