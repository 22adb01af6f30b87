/**
 * One idempotent producer on one partition, and what it was promised.
 *
 * Invariants: it is the only writer there, and batch n holds the records n * 3 ... n * 3 + 2 with those sequences, so
 * that the offset of a record says what it is. Five batches are in flight at most; what had no answer when the
 * connection broke is sent again with its sequence, as every producer does.
 */
import { produce } from '../../../src/protocol/apis/00-produce.ts'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'
import { buildBatch } from '../../../src/records/builder.ts'
import { newProducer, type ProducerIdentity } from '../records-client.ts'
import type { WireClient } from '../wire-client.ts'
import { bounds, type Read, readBetween, Violation } from './reading.ts'

/** Which of its records a topic keeps. */
export type Keeping = 'all' | 'newest' | 'last of each key'

const RECORDS_A_BATCH = 3
const IN_FLIGHT = 5
const KEYS = 13

const encoder = new TextEncoder()

/** An error code instead of an acknowledgement. */
export class Refused extends Error {
  readonly code: number

  constructor(what: string, code: number) {
    super(`${what}: ${code}`)
    this.code = code
  }
}

/** Evenly spread, the same for the same number. */
const spread = (sequence: number): number => Math.imul(sequence ^ (sequence >>> 7), 0x9e3779b1) >>> 8

export class PartitionLoad {
  readonly topic: string
  readonly partition: number
  /** Answered batches, ever. */
  acknowledged = 0
  /** End of what a reader has seen. */
  seen = 0
  isRunning = false
  /** Where the log began when it was looked at last. */
  start = 0
  readonly #label: string
  readonly #keeping: Keeping
  #identity: ProducerIdentity | undefined
  readonly #ahead = new Set<number>()
  /** All batches below it are acknowledged: what is sent again begins here. */
  #settled = 0
  /** End of all acknowledged batches: those before are there too, or it would not have been taken. */
  #promised = 0
  #sent = 0

  /** `label` is in every record; nobody else has it. */
  constructor(topic: string, partition: number, keeping: Keeping, label: string) {
    this.topic = topic
    this.partition = partition
    this.#keeping = keeping
    this.#label = label
  }

  get #name(): string {
    return `${this.topic}-${this.partition}`
  }

  /** Produces while `goes` says so. Rejects when the connection breaks, and with `Refused`. */
  async run(client: WireClient, goes: () => boolean): Promise<void> {
    this.#identity ??= await newProducer(client).catch((error: Error) => {
      throw /closed/.test(error.message) ? error : new Refused(error.message, -1)
    })
    let next = this.#settled
    const lane = async (): Promise<void> => {
      // A batch goes out only while the oldest open one is among the last five.
      while (goes() && next - this.#settled < IN_FLIGHT) await this.#send(client, next++)
    }
    this.isRunning = true
    try {
      while (goes()) await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
    } finally {
      this.isRunning = false
    }
  }

  async #send(client: WireClient, batch: number): Promise<void> {
    const baseSequence = batch * RECORDS_A_BATCH
    const records = buildBatch(
      Array.from({ length: RECORDS_A_BATCH }, (_, index) => {
        const { key, value } = this.#record(baseSequence + index)
        return { key: encode(key), value: encode(value) }
      }),
      { baseOffset: 0, leaderEpoch: -1, timestamp: BigInt(Date.now()), ...this.#identity, baseSequence },
    )
    const isSentAgain = batch < this.#sent
    this.#sent = Math.max(this.#sent, batch + 1)
    const partitionData = [{ index: this.partition, records }]
    const { responses } = await client.send(produce, 9, {
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name: this.topic, partitionData }],
    })
    const answer = responses[0]?.partitionResponses[0]
    // It was written, and the broker has forgotten where: clients take that for an acknowledgement.
    const isKnown = isSentAgain && answer?.errorCode === ErrorCode.DUPLICATE_SEQUENCE_NUMBER
    if (answer === undefined || (answer.errorCode !== ErrorCode.NONE && !isKnown))
      throw new Refused(`batch ${batch} of ${this.#name}`, answer?.errorCode ?? -1)
    if (answer.baseOffset !== baseSequence && !isKnown)
      throw new Violation(`batch ${batch} of ${this.#name} was given offset ${answer.baseOffset}`)
    this.acknowledged++
    this.#promised = Math.max(this.#promised, batch + 1)
    this.#ahead.add(batch)
    while (this.#ahead.delete(this.#settled)) this.#settled++
  }

  /** What is at an offset. */
  #record(sequence: number): Omit<Read, 'offset'> {
    const chance = spread(sequence)
    const keyed = this.#keeping === 'last of each key'
    const repeats = chance % 8 === 0 ? chance % 500 : chance % 40
    const value = `${this.#label}/${this.#name}/${sequence}/${`${sequence}.`.repeat(repeats)}`
    return { key: keyed ? `key-${chance % KEYS}` : null, value: keyed && chance % 17 === 0 ? null : value }
  }

  /** @throws Violation unless everything that was acknowledged or seen is there, and nothing that was not sent. */
  async check(client: WireClient): Promise<void> {
    const found = await this.#checkFound(client)
    const promised = this.#promised * RECORDS_A_BATCH
    if (found < promised) throw new Violation(`${this.#name} ends at ${found}; acknowledged up to ${promised}`)
    if (found < this.seen) throw new Violation(`${this.#name} ends at ${found}; somebody has read up to ${this.seen}`)
  }

  /** As `check` where the end may be lost; what is sent next continues what was found, from a new producer. */
  async resume(client: WireClient): Promise<void> {
    const found = await this.#checkFound(client)
    if (found % RECORDS_A_BATCH !== 0) throw new Violation(`${this.#name} ends at ${found}, within a batch`)
    this.#identity = undefined
    this.#ahead.clear()
    this.#settled = this.#sent = this.#promised = found / RECORDS_A_BATCH
    this.seen = found
  }

  /** @returns the log's end. */
  async #checkFound(client: WireClient): Promise<number> {
    const limits = await bounds(client, this.topic, this.partition)
    const { start, end } = limits
    if (end > this.#sent * RECORDS_A_BATCH)
      throw new Violation(`${this.#name} ends at ${end}; only ${this.#sent * RECORDS_A_BATCH} records were sent`)
    if (start > end || (start > 0 && this.#keeping !== 'newest'))
      throw new Violation(`${this.#name} begins at ${start} and ends at ${end}`)
    this.start = start
    const found = await readBetween(client, this.topic, this.partition, limits)
    let before = start - 1
    for (const { offset, key, value } of found) {
      const expected = this.#record(offset)
      if (key !== expected.key || value !== expected.value)
        throw new Violation(`${this.#name} holds ${key}: ${value?.slice(0, 60)} at ${offset}`)
      const gap = offset !== before + 1 && this.#keeping !== 'last of each key'
      if (offset <= before || gap) throw new Violation(`${this.#name}: ${offset} follows ${before}`)
      before = offset
    }
    if (this.#keeping === 'last of each key') this.#checkKeys(new Set(found.map(({ offset }) => offset)), end)
    else if (before !== end - 1) throw new Violation(`${this.#name} ends at ${end} and was read to ${before}`)
    return end
  }

  #checkKeys(found: ReadonlySet<number>, end: number): void {
    const known = new Set<string | null>()
    for (let offset = end - 1; offset >= 0 && known.size < KEYS; offset--) {
      const { key } = this.#record(offset)
      if (known.has(key)) continue
      known.add(key)
      if (!found.has(offset)) throw new Violation(`${this.#name}: the last record of ${key}, at ${offset}, is gone`)
    }
  }
}

const encode = (text: string | null): Uint8Array | null => (text === null ? null : encoder.encode(text))
