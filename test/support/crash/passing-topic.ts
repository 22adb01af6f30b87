/** A topic that is created, written once and deleted, again and again under one name; and what was promised of it. */
import { metadata } from '../../../src/protocol/apis/03-metadata.ts'
import { createTopics } from '../../../src/protocol/apis/19-create-topics.ts'
import { deleteTopics } from '../../../src/protocol/apis/20-delete-topics.ts'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'
import type { WireClient } from '../wire-client.ts'
import { PartitionLoad, Refused } from './partition-load.ts'
import { Violation } from './reading.ts'

const PARTITIONS = 2

type Phase = 'absent' | 'coming' | 'present' | 'going'

export class PassingTopic {
  readonly name: string
  acknowledged = 0
  #phase: Phase = 'absent'
  #loads: PartitionLoad[] = []
  #generation = 0

  constructor(name: string) {
    this.name = name
  }

  /** Comes and goes while `goes` says so. Rejects when the connection breaks, and with `Refused`. */
  async run(client: WireClient, goes: () => boolean): Promise<void> {
    while (goes()) {
      if (this.#phase === 'absent') await this.#create(client)
      const wanted = this.#loads.map(({ acknowledged }) => acknowledged + 1)
      const enough = (load: PartitionLoad, index: number) => load.acknowledged >= (wanted[index] as number)
      await Promise.all(this.#loads.map((load, index) => load.run(client, () => goes() && !enough(load, index))))
      if (goes()) await this.#delete(client)
    }
  }

  async #create(client: WireClient): Promise<void> {
    this.#phase = 'coming'
    const label = `generation ${++this.#generation}`
    this.#loads = Array.from({ length: PARTITIONS }, (_, index) => new PartitionLoad(this.name, index, 'all', label))
    const topic = { name: this.name, numPartitions: PARTITIONS, replicationFactor: 1, assignments: [], configs: [] }
    const { topics } = await client.send(createTopics, 7, { topics: [topic], timeoutMs: 30_000 })
    if (topics[0]?.errorCode !== ErrorCode.NONE) throw new Refused(`creating ${this.name}`, topics[0]?.errorCode ?? -1)
    this.#phase = 'present'
    this.acknowledged++
  }

  async #delete(client: WireClient): Promise<void> {
    this.#phase = 'going'
    const request = { topics: [], topicNames: [this.name], timeoutMs: 30_000 }
    const { responses } = await client.send(deleteTopics, 5, request)
    if (responses[0]?.errorCode !== ErrorCode.NONE)
      throw new Refused(`deleting ${this.name}`, responses[0]?.errorCode ?? -1)
    this.#phase = 'absent'
    this.acknowledged++
  }

  /** @throws Violation when it is there and must not be, or the other way about, or doesn't hold what it should. */
  async check(client: WireClient): Promise<void> {
    const isThere = await this.#find(client)
    if (this.#phase === 'present' && !isThere) throw new Violation(`${this.name} is gone`)
    if (this.#phase === 'absent' && isThere) throw new Violation(`${this.name} is there again`)
    this.#phase = isThere ? 'present' : 'absent'
    if (!isThere) this.#loads = []
    for (const load of this.#loads) await load.check(client)
  }

  /** As `check` where records may be lost. */
  async resume(client: WireClient): Promise<void> {
    const isThere = await this.#find(client)
    this.#phase = isThere ? 'present' : 'absent'
    if (!isThere) this.#loads = []
    for (const load of this.#loads) await load.resume(client)
  }

  async #find(client: WireClient): Promise<boolean> {
    const asked = { topics: [{ name: this.name }], allowAutoTopicCreation: false }
    const { topics } = await client.send(metadata, 12, asked)
    const errorCode = topics[0]?.errorCode
    if (errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) return false
    if (errorCode !== ErrorCode.NONE) throw new Violation(`${this.name}: ${errorCode}`)
    return true
  }
}
