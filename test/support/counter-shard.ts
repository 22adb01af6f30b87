/** The least coordinator there can be: named counters, each record the new value of one. For tests of the runtime. */
import type { CoordinatorShard, Outcome, RecordSerde, ReplayOrigin, ShardContext } from '../../src/coordinator/shard.ts'
import { Refusal } from '../../src/coordinator/shard.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { TimelineMap } from '../../src/timeline/map.ts'

export interface Count {
  readonly name: string
  readonly value: number | null
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const countSerde: RecordSerde<Count> = {
  serialize: ({ name, value }) => ({
    key: encoder.encode(name),
    value: value === null ? null : encoder.encode(String(value)),
  }),
  deserialize: ({ key, value }) => {
    const name = decoder.decode(key)
    if (name.startsWith('unknown')) return undefined
    if (name.startsWith('malformed')) throw new RangeError('not a counter')
    return { name, value: value === null ? null : Number(decoder.decode(value)) }
  },
}

export class CounterShard implements CoordinatorShard<Count> {
  readonly counts: TimelineMap<string, number>
  readonly context: ShardContext<Count>
  /** What the runtime told, in order. */
  readonly told: string[] = []
  readonly origins: ReplayOrigin[] = []

  constructor(context: ShardContext<Count>) {
    this.context = context
    this.counts = new TimelineMap(context.timeline)
  }

  /** Adds to each counter in turn; answers the last one's new value. */
  add(names: readonly string[], amount: number, more: Partial<Outcome<Count, number>> = {}): Outcome<Count, number> {
    if (amount === 0) throw new Refusal(ErrorCode.INVALID_REQUEST)
    const values = new Map<string, number>()
    const records = names.map(name => {
      const value = (values.get(name) ?? this.counts.get(name) ?? 0) + amount
      values.set(name, value)
      return { name, value }
    })
    return { records, response: records.at(-1)?.value ?? 0, ...more }
  }

  get(name: string): number {
    return this.counts.get(name) ?? 0
  }

  get state(): [string, number][] {
    return [...this.counts].sort(([a], [b]) => (a < b ? -1 : 1))
  }

  replay(record: Count, origin: ReplayOrigin): void {
    if (record.name === 'poison') throw new RangeError('poison')
    this.origins.push({ ...origin })
    if (record.value === null) this.counts.delete(record.name)
    else this.counts.set(record.name, record.value)
  }

  replayEndTransactionMarker(producerId: bigint, producerEpoch: number, committed: boolean): void {
    this.told.push(`${committed ? 'commit' : 'abort'} of ${producerId}/${producerEpoch}`)
  }

  onLoaded(): void {
    this.told.push('loaded')
  }

  onUnloaded(): void {
    this.told.push('unloaded')
  }

  onMetadata(): void {
    this.told.push('metadata')
  }
}
