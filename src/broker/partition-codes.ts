/**
 * An answer that has an error code for each partition and nothing else, gathered from several places: a topic that
 * comes more than once is answered once, where it came first.
 */
import { ZERO_UUID } from '../base/uuid.ts'

export interface TopicCodes {
  readonly name: string
  readonly topicId: string
  readonly partitions: { readonly partitionIndex: number; readonly errorCode: number }[]
}

interface Named {
  readonly name?: string | undefined
  readonly topicId?: string | undefined
}

export class PartitionCodes {
  readonly topics: TopicCodes[] = []
  readonly #byId: boolean
  readonly #known = new Map<string, TopicCodes>()

  /** `byId`: topics are told apart by their ids, not by their names. */
  constructor(byId: boolean) {
    this.#byId = byId
  }

  add(topic: Named, partitionIndex: number, errorCode: number): void {
    this.#topic(topic).partitions.push({ partitionIndex, errorCode })
  }

  /** The same code for all `partitions`. */
  addAll(topic: Named, partitions: readonly { readonly partitionIndex: number }[], errorCode: number): void {
    const { partitions: answered } = this.#topic(topic)
    for (const { partitionIndex } of partitions) answered.push({ partitionIndex, errorCode })
  }

  #topic({ name = '', topicId = ZERO_UUID }: Named): TopicCodes {
    const key = this.#byId ? topicId : name
    let topic = this.#known.get(key)
    if (topic === undefined) {
      topic = { name, topicId, partitions: [] }
      this.#known.set(key, topic)
      this.topics.push(topic)
    }
    return topic
  }
}
