/**
 * Random histories of offsets, appends refused and logs replayed among them, held against the plainest model there is.
 */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { GroupRecord } from '../../../../src/coordinator/group/records.ts'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import { runs } from '../../../support/runs.ts'
import { OffsetsRig } from './rig.ts'

const test = suite('offsets against a model')

const groups = ['g', 'h']
const topics = [
  { name: 'a', id: 'aaaaaaaaaaaaaaaaaaaaaA' },
  { name: 'b', id: 'bbbbbbbbbbbbbbbbbbbbbA' },
  { name: 'a', id: 'cccccccccccccccccccccA' },
]
const producers = [-1n, 5n, 6n]
const RETENTION_MS = 7 * 24 * 60 * 60 * 1000

interface Value {
  readonly offset: bigint
  readonly metadata: string
  readonly committedMs: number
  readonly expireMs: number
  readonly topicId: string
  readonly at: number
}

/** `group/topic/partition` to what is committed, and to what each producer has pending. */
interface Model {
  readonly committed: Map<string, Value>
  readonly pending: Map<bigint, Map<string, Value>>
}

function copyOf(model: Model): Model {
  return {
    committed: new Map(model.committed),
    pending: new Map([...model.pending].map(([id, values]) => [id, new Map(values)])),
  }
}

function isPending(model: Model, key: string): boolean {
  return [...model.pending.values()].some(values => values.has(key))
}

function forget(model: Model, key: string): void {
  model.committed.delete(key)
  for (const values of model.pending.values()) values.delete(key)
}

const group = fc.constantFrom(...groups)
const topic = fc.constantFrom(...topics)
const partition = fc.constantFrom(0, 1, 2, 7, 1000)
const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      group,
      topic,
      partitions: fc.array(partition, { minLength: 1, maxLength: 3 }),
      offset: fc.oneof(fc.bigInt(0n, 9n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
      metadata: fc.constantFrom('', '', 'm', 'n'),
      retentionMs: fc.constantFrom(-1, -1, -1, RETENTION_MS / 2),
      producer: fc.constantFrom(...producers),
    }),
  },
  fc.record({ do: fc.constant('end' as const), producer: fc.constantFrom(...producers), committed: fc.boolean() }),
  fc.record({ do: fc.constant('delete' as const), group, topic, partition }),
  fc.record({ do: fc.constant('delete group' as const), group }),
  fc.record({ do: fc.constant('delete topic' as const), topic }),
  fc.record({ do: fc.constant('expire' as const), group }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, RETENTION_MS / 2, RETENTION_MS - 1) }),
  fc.record({ do: fc.constant('mark' as const) }),
  fc.record({ do: fc.constant('refuse' as const), back: fc.nat(3) }),
  fc.record({ do: fc.constant('settle' as const) }),
  fc.record({ do: fc.constant('reload' as const) }),
)

class History {
  readonly rig = new OffsetsRig()
  model: Model = { committed: new Map(), pending: new Map() }
  /** Batches in flight: where each began. */
  marks: { readonly mark: number; readonly end: number; readonly model: Model }[] = []

  carryOut(each: typeof command extends fc.Arbitrary<infer C> ? C : never): void {
    const { rig, model } = this
    switch (each.do) {
      case 'commit':
        return this.#commit(each)
      case 'end':
        rig.append({ producerId: each.producer, committed: each.committed })
        for (const [key, value] of model.pending.get(each.producer) ?? []) {
          if (each.committed && (model.committed.get(key)?.at ?? -1) < value.at) model.committed.set(key, value)
        }
        model.pending.delete(each.producer)
        return
      case 'delete':
        if (rig.groups.get(each.group) === undefined) return
        rig.run(
          rig.offsets.delete({
            groupId: each.group,
            topics: [{ name: each.topic.name, partitions: [{ partitionIndex: each.partition }] }],
          }),
        )
        return forget(model, `${each.group}/${each.topic.name}/${each.partition}`)
      case 'delete group':
        this.#tombstones(records => rig.offsets.deleteAll(each.group, records))
        for (const key of this.#keys(key => key.startsWith(`${each.group}/`))) forget(model, key)
        return
      case 'delete topic':
        this.#tombstones(records => {
          for (const groupId of rig.offsets.groupIds()) rig.offsets.forgetTopic(groupId, each.topic, records)
        })
        for (const key of this.#keys(key => key.split('/')[1] === each.topic.name)) {
          const values = [model.committed.get(key), ...[...model.pending.values()].map(values => values.get(key))]
          if (values.some(value => value !== undefined && this.#concerns(value, each.topic.id))) forget(model, key)
        }
        return
      case 'expire':
        return this.#expire(each.group)
      case 'pass':
        rig.nowMs += each.ms
        return
      case 'mark':
        this.marks.push({ mark: rig.timeline.mark, end: rig.log.length, model: copyOf(model) })
        return
      case 'refuse': {
        const from = this.marks[Math.max(0, this.marks.length - 1 - each.back)]
        if (from === undefined) return
        this.marks.splice(this.marks.indexOf(from))
        rig.revert(from.end, from.mark)
        this.model = from.model
        return
      }
      case 'settle': {
        const oldest = this.marks.shift()
        if (oldest !== undefined) rig.timeline.forget(oldest.mark)
        return
      }
      case 'reload':
        this.marks = []
        rig.reload()
    }
  }

  check(): void {
    const { rig, model } = this
    for (const groupId of groups) {
      const wanted: Record<string, bigint | number> = {}
      const stable: Record<string, bigint | number> = {}
      for (const [key, { offset }] of model.committed) {
        if (!key.startsWith(`${groupId}/`)) continue
        const name = key.slice(groupId.length + 1)
        wanted[name] = offset
        stable[name] = isPending(model, key) ? ErrorCode.UNSTABLE_OFFSET_COMMIT : offset
      }
      assert.equal(sorted(rig.fetched(groupId)), sorted(wanted))
      assert.equal(sorted(rig.fetched(groupId, true)), sorted(stable))
      for (const topicOffsets of rig.offsets.committed(groupId)) {
        for (const [partition, { recordOffset, ...value }] of topicOffsets) {
          const { at, ...expected } = model.committed.get(`${groupId}/${topicOffsets.topic}/${partition}`)!
          assert.is(recordOffset, at)
          assert.equal(value, {
            offset: expected.offset,
            leaderEpoch: -1,
            metadata: expected.metadata,
            commitTimestamp: expected.committedMs,
            expireTimestamp: expected.expireMs,
            topicId: expected.topicId,
          })
        }
      }
    }
    assert.equal([...rig.offsets.groupIds()].sort(), [...new Set(this.#keys(() => true).map(groupOf))].sort())
  }

  #commit(each: {
    group: string
    topic: { name: string; id: string }
    partitions: readonly number[]
    offset: bigint
    metadata: string
    retentionMs: number
    producer: bigint
  }): void {
    const { rig, model } = this
    const own = each.retentionMs !== -1
    const partitions = each.partitions.map(partitionIndex => ({
      partitionIndex,
      committedOffset: each.offset,
      committedLeaderEpoch: -1,
      committedMetadata: each.metadata,
    }))
    const topics = [{ name: each.topic.name, topicId: each.topic.id, partitions }]
    const first = rig.log.length
    rig.run(rig.commit(each.group, '', [], { topics, retentionTimeMs: each.retentionMs }), each.producer)
    const pending = model.pending.get(each.producer) ?? new Map<string, Value>()
    if (each.producer !== -1n) model.pending.set(each.producer, pending)
    each.partitions.forEach((partition, index) => {
      const to = each.producer === -1n ? model.committed : pending
      to.set(`${each.group}/${each.topic.name}/${partition}`, {
        offset: each.offset,
        metadata: each.metadata,
        committedMs: rig.nowMs,
        expireMs: own ? rig.nowMs + each.retentionMs : -1,
        topicId: own ? 'AAAAAAAAAAAAAAAAAAAAAA' : each.topic.id,
        at: first + index,
      })
    })
  }

  #expire(groupId: string): void {
    const { rig, model } = this
    const found = rig.groups.get(groupId)
    if (found === undefined) return
    let left = false
    this.#tombstones(records => {
      left = !rig.offsets.expire(found, records)
    })
    for (const [key, value] of [...model.committed]) {
      if (groupOf(key) !== groupId || isPending(model, key)) continue
      const expired =
        value.expireMs === -1 ? rig.nowMs - value.committedMs >= RETENTION_MS : rig.nowMs >= value.expireMs
      if (expired) model.committed.delete(key)
    }
    assert.is(
      left,
      this.#keys(key => groupOf(key) === groupId).length > 0,
      'a group is found empty when nothing of it is left',
    )
  }

  #concerns({ topicId }: Value, id: string): boolean {
    return topicId === id || topicId === 'AAAAAAAAAAAAAAAAAAAAAA'
  }

  #keys(matches: (key: string) => boolean): string[] {
    const pending = [...this.model.pending.values()].flatMap(values => [...values.keys()])
    return [...new Set([...this.model.committed.keys(), ...pending])].filter(matches)
  }

  #tombstones(fill: (records: GroupRecord[]) => void): void {
    const records: GroupRecord[] = []
    fill(records)
    this.rig.run({ records, response: undefined })
  }
}

function groupOf(key: string): string {
  return key.slice(0, key.indexOf('/'))
}

function sorted(values: Record<string, bigint | number>): [string, bigint | number][] {
  return Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1))
}

test('offsets are what a plain map says after any history', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 80, size: 'max' }), commands => {
      const history = new History()
      for (const each of commands) {
        history.carryOut(each)
        history.check()
      }
      history.rig.reload()
      history.check()
    }),
    runs(300),
  )
})

test.run()
