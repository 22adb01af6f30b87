/**
 * The committed offsets of one group in one topic, in columns: five numbers per partition in one array, sorted by
 * partition, and an object only for what those can't hold. A group commits to every partition of a topic or to a few; a
 * broker remembers a million of them.
 *
 * Invariants: offsets are exact (those beyond 2^53 lie beside the columns). Whoever holds the offsets of
 * the group hears of the first and of the last partition, also when the timeline takes a change back, so
 * that nothing empty is kept.
 */
import type { OffsetCommitValue } from '../../../protocol/records/groups.ts'
import type { Revertible, Timeline } from '../../../timeline/timeline.ts'

/** The fields of the record's value, and where in the log the record lies. */
export interface CommittedOffset extends OffsetCommitValue {
  readonly recordOffset: number
}

/** What contains a `TopicOffsets`. */
export interface TopicOffsetsOwner {
  /** It has its first partition. */
  attach(topic: TopicOffsets): void
  /** It has lost its last partition. */
  detach(topic: TopicOffsets): void
}

// Columns.
const PARTITION = 0
/** NaN: in `Beside`. */
const OFFSET = 1
/** Leader epoch + 1, and the index of the topic id times 2^32. */
const EPOCH_AND_ID = 2
const COMMIT_TIMESTAMP = 3
const RECORD_OFFSET = 4
const WIDTH = 5

const ID_STEP = 2 ** 32

/** Up to so many partitions, the array is as long as needed and no longer. */
const EXACT_UP_TO = 16

/** What most partitions do not have. */
interface Beside {
  readonly metadata: string
  readonly expireTimestamp: number
  /** undefined: it is in the column. */
  readonly offset: bigint | undefined
}

/** One partition as it was, for the timeline. */
interface Before {
  readonly columns: number[]
  readonly beside: Beside | undefined
}

export class TopicOffsets implements Revertible {
  readonly topic: string
  readonly #owner: TopicOffsetsOwner
  #columns: number[] = []
  /** Topic ids with which offsets were committed; as a rule one. */
  #topicIds: string | string[] = ''
  #beside: Map<number, Beside> | undefined

  constructor(owner: TopicOffsetsOwner, topic: string) {
    this.#owner = owner
    this.topic = topic
  }

  get size(): number {
    return this.#columns.length / WIDTH
  }

  has(partition: number): boolean {
    return this.#find(partition) >= 0
  }

  get(partition: number): CommittedOffset | undefined {
    const at = this.#find(partition)
    return at < 0 ? undefined : this.#read(at)
  }

  /** Sorted. */
  partitions(): number[] {
    const partitions: number[] = []
    for (let at = 0; at < this.#columns.length; at += WIDTH) partitions.push(this.#columns[at]!)
    return partitions
  }

  /** In the order of partitions. */
  *[Symbol.iterator](): IterableIterator<[partition: number, offset: CommittedOffset]> {
    for (let at = 0; at < this.#columns.length; at += WIDTH) yield [this.#columns[at]!, this.#read(at)]
  }

  put(timeline: Timeline, partition: number, value: OffsetCommitValue, recordOffset: number): void {
    const columns = this.#columns
    const found = this.#find(partition)
    timeline.remember(this, partition, found < 0 ? undefined : this.#save(found))
    const rounded = Number(value.offset)
    const exact = Number.isSafeInteger(rounded)
    const offset = exact ? rounded : Number.NaN
    const epochAndId = value.leaderEpoch + 1 + this.#idIndex(value.topicId) * ID_STEP
    if (found < 0) {
      this.#insert(~found, [partition, offset, epochAndId, value.commitTimestamp, recordOffset])
    } else {
      columns[found + OFFSET] = offset
      columns[found + EPOCH_AND_ID] = epochAndId
      columns[found + COMMIT_TIMESTAMP] = value.commitTimestamp
      columns[found + RECORD_OFFSET] = recordOffset
    }
    const { metadata, expireTimestamp } = value
    if (exact && metadata === '' && expireTimestamp === -1) this.#setBeside(partition, undefined)
    else this.#setBeside(partition, { metadata, expireTimestamp, offset: exact ? undefined : value.offset })
  }

  /** @returns whether there was one. */
  remove(timeline: Timeline, partition: number): boolean {
    const at = this.#find(partition)
    if (at < 0) return false
    timeline.remember(this, partition, this.#save(at))
    this.#delete(at)
    return true
  }

  /** @internal For the timeline. */
  restore(key: unknown, before: unknown): void {
    const partition = key as number
    const found = this.#find(partition)
    if (before === undefined) {
      this.#delete(found)
      return
    }
    const { columns, beside } = before as Before
    if (found < 0) this.#insert(~found, columns)
    else for (let column = 0; column < WIDTH; column++) this.#columns[found + column] = columns[column]!
    this.#setBeside(partition, beside)
  }

  #read(at: number): CommittedOffset {
    const columns = this.#columns
    const beside = this.#beside?.get(columns[at + PARTITION]!)
    const epochAndId = columns[at + EPOCH_AND_ID]!
    const idIndex = Math.floor(epochAndId / ID_STEP)
    return {
      offset: beside?.offset ?? BigInt(columns[at + OFFSET]!),
      leaderEpoch: epochAndId - idIndex * ID_STEP - 1,
      metadata: beside?.metadata ?? '',
      commitTimestamp: columns[at + COMMIT_TIMESTAMP]!,
      expireTimestamp: beside?.expireTimestamp ?? -1,
      topicId: typeof this.#topicIds === 'string' ? this.#topicIds : this.#topicIds[idIndex]!,
      recordOffset: columns[at + RECORD_OFFSET]!,
    }
  }

  /** Where a partition's columns begin; the complement of where they would, when there are none. */
  #find(partition: number): number {
    const columns = this.#columns
    const asIfDense = partition * WIDTH
    if (columns[asIfDense] === partition) return asIfDense
    let low = 0
    let high = columns.length / WIDTH
    while (low < high) {
      const middle = (low + high) >>> 1
      const at = columns[middle * WIDTH]!
      if (at === partition) return middle * WIDTH
      if (at < partition) low = middle + 1
      else high = middle
    }
    return ~(low * WIDTH)
  }

  #save(at: number): Before {
    return { columns: this.#columns.slice(at, at + WIDTH), beside: this.#beside?.get(this.#columns[at]!) }
  }

  /** Takes over `row`. */
  #insert(at: number, row: number[]): void {
    const columns = this.#columns
    if (columns.length === 0) this.#columns = row
    else if (columns.length < EXACT_UP_TO * WIDTH) this.#columns = columns.slice(0, at).concat(row, columns.slice(at))
    else if (at === columns.length) columns.push(...row)
    else columns.splice(at, 0, ...row)
    if (this.#columns.length === WIDTH) this.#owner.attach(this)
  }

  #delete(at: number): void {
    this.#setBeside(this.#columns[at]!, undefined)
    this.#columns.splice(at, WIDTH)
    if (this.#columns.length === 0) this.#owner.detach(this)
  }

  #setBeside(partition: number, beside: Beside | undefined): void {
    if (beside === undefined) {
      if (this.#beside?.delete(partition) === true && this.#beside.size === 0) this.#beside = undefined
    } else {
      this.#beside ??= new Map()
      this.#beside.set(partition, beside)
    }
  }

  #idIndex(topicId: string): number {
    const ids = this.#topicIds
    if (ids === topicId) return 0
    if (typeof ids === 'string') {
      if (ids === '') this.#topicIds = topicId
      else this.#topicIds = [ids, topicId]
      return ids === '' ? 0 : 1
    }
    const index = ids.indexOf(topicId)
    return index >= 0 ? index : ids.push(topicId) - 1
  }
}
