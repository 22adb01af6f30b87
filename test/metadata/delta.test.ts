import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { silentLogger } from '../../src/base/logger.ts'
import { MetadataDelta, quotaKey } from '../../src/metadata/delta.ts'
import type { MetadataImage } from '../../src/metadata/image.ts'
import { configKey, configResource, emptyImage } from '../../src/metadata/image.ts'
import { MetadataLoader } from '../../src/metadata/loader.ts'
import type { NewRecord } from '../../src/metadata/records.ts'
import { decodeRecord, encodeRecord, MetadataError } from '../../src/metadata/records.ts'

const test = suite('metadata delta and loader')

const id = (n: number): string => `AAAAAAAAAAAAAAAAAAAA${'ABCDEFGHIJ'[n]}A`
const topic = (name: string, n: number): NewRecord => ({
  name: 'TopicRecord',
  version: 0,
  data: { name, topicId: id(n) },
})
const partition = (n: number, partitionId: number): NewRecord => ({
  name: 'PartitionRecord',
  version: 2,
  data: {
    topicId: id(n),
    partitionId,
    replicas: [1],
    isr: [1],
    removingReplicas: [],
    addingReplicas: [],
    leader: 1,
    leaderEpoch: 0,
    partitionEpoch: 0,
    directories: ['AAAAAAAAAAAAAAAAAAAACA'],
  },
})
const remove = (n: number): NewRecord => ({ name: 'RemoveTopicRecord', version: 0, data: { topicId: id(n) } })
const config = (topicName: string, name: string, value: string | null): NewRecord => ({
  name: 'ConfigRecord',
  version: 0,
  data: { resourceType: 2, resourceName: topicName, name, value },
})

function deltaOf(base: MetadataImage, ...records: NewRecord[]): MetadataDelta {
  const delta = new MetadataDelta(base)
  for (const record of records) delta.replay(decodeRecord(encodeRecord(record)))
  return delta
}

const after = (base: MetadataImage, ...records: NewRecord[]): MetadataImage =>
  deltaOf(base, ...records).apply({ offset: base.offset + records.length, epoch: 1, timestampMs: 1 })

test('a topic is found by name and by id, as the same object', () => {
  const image = after(emptyImage, topic('a', 0), partition(0, 0), partition(0, 1))
  assert.is(image.topicsByName.get('a'), image.topicsById.get(id(0)))
  assert.is(image.topicsByName.get('a')!.partitions.length, 2)
  assert.is(emptyImage.topicsByName.size, 0)
})

test('what did not change is the same object in the next image', () => {
  const first = after(emptyImage, topic('a', 0), partition(0, 0), topic('b', 1), partition(1, 0), config('a', 'x', '1'))
  const second = after(first, {
    name: 'PartitionChangeRecord',
    version: 2,
    data: { topicId: id(1), partitionId: 0, leader: -1, isr: [] },
  })
  assert.is(second.topicsByName.get('a'), first.topicsByName.get('a'))
  assert.is(second.configs, first.configs)
  assert.is(second.brokers, first.brokers)
  const changed = second.topicsByName.get('b')!.partitions[0]!
  assert.is(changed.leader, -1)
  assert.is(changed.leaderEpoch, 1)
  assert.is(changed.partitionEpoch, 1)
  assert.is(first.topicsByName.get('b')!.partitions[0]!.leader, 1)
})

test('a change without a leader leaves the leader epoch as it was', () => {
  const first = after(emptyImage, topic('a', 0), partition(0, 0))
  const change = { topicId: id(0), partitionId: 0, eligibleLeaderReplicas: [1] }
  const { leaderEpoch, partitionEpoch, elr } = after(first, {
    name: 'PartitionChangeRecord',
    version: 2,
    data: change,
  }).topicsByName.get('a')!.partitions[0]!
  assert.equal({ leaderEpoch, partitionEpoch, elr }, { leaderEpoch: 0, partitionEpoch: 1, elr: [1] })
})

test('a deleted topic takes its configs along, and its name may be used again', () => {
  const first = after(emptyImage, topic('a', 0), partition(0, 0), config('a', 'x', '1'))
  const delta = deltaOf(first, remove(0), topic('a', 1), partition(1, 0))
  const image = delta.apply({ offset: 9, epoch: 1, timestampMs: 1 })
  assert.is(image.topicsByName.get('a')!.id, id(1))
  assert.is(image.topicsById.has(id(0)), false)
  assert.is(image.configs.has('topic:a'), false)
  assert.equal([...delta.deletedTopics.keys()], [id(0)])
  assert.equal([...delta.changedTopics], [id(1)])
  assert.ok(delta.changedConfigs.has('topic:a'))
})

test('a topic that is created and deleted in one delta leaves no trace', () => {
  const delta = deltaOf(emptyImage, topic('a', 0), config('a', 'x', '1'), partition(0, 0), remove(0))
  const image = delta.apply({ offset: 3, epoch: 1, timestampMs: 1 })
  assert.is(image.topicsByName.size + image.topicsById.size + image.configs.size, 0)
  assert.is(delta.deletedTopics.size, 0)
})

test('a config that is set to null is gone, and with the last one the resource', () => {
  const first = after(emptyImage, config('a', 'x', '1'), config('a', 'y', '2'))
  const second = after(first, config('a', 'x', null))
  assert.equal([...second.configs.get('topic:a')!], [['y', '2']])
  assert.is(after(second, config('a', 'y', null)).configs.has('topic:a'), false)
})

test('records that do not fit are errors', () => {
  const misfits: NewRecord[][] = [
    [partition(0, 0)],
    [remove(0)],
    [topic('a', 0), partition(0, 1)],
    [topic('a', 0), { name: 'PartitionChangeRecord', version: 2, data: { topicId: id(0), partitionId: 0 } }],
    [{ name: 'UnregisterBrokerRecord', version: 0, data: { brokerId: 1, brokerEpoch: 5 } }],
    [{ name: 'ClearElrRecord', version: 0, data: { topicName: 'a' } }],
    [{ name: 'ConfigRecord', version: 0, data: { resourceType: 99, resourceName: '', name: 'x', value: 'y' } }],
  ]
  for (const records of misfits) {
    assert.throws(
      () => deltaOf(emptyImage, ...records),
      (error: Error) => error instanceof MetadataError,
      JSON.stringify(records),
    )
  }
})

test('a record of an unknown kind, version or frame is an error', () => {
  for (const bytes of [[1, 99, 0], [1, 2, 9], [2, 2, 0], []]) assert.throws(() => decodeRecord(new Uint8Array(bytes)))
})

test('the key of a quota does not depend on the order of its parts', () => {
  const parts = [
    { entityType: 'user', entityName: null },
    { entityType: 'client-id', entityName: 'c' },
  ]
  assert.is(quotaKey(parts), quotaKey([...parts].reverse()))
})

test('a config key gives its resource back', () => {
  for (const [type, name] of [
    [2, 'a:b'],
    [4, ''],
    [4, '1'],
    [16, 'm'],
    [32, 'g'],
  ] as const) {
    assert.equal(configResource(configKey(type, name)!), { resourceType: type, resourceName: name })
  }
})

/** Batches of one record list each, at rising offsets. */
function batches(...lists: NewRecord[][]) {
  let offset = 0
  return lists.map(list => {
    const baseOffset = offset
    offset += list.length
    return { baseOffset, lastOffset: offset - 1, epoch: 1, timestampMs: 5, bytes: 1, records: list.map(encodeRecord) }
  })
}

const begin: NewRecord = { name: 'BeginTransactionRecord', version: 0, data: { name: 't' } }
const end: NewRecord = { name: 'EndTransactionRecord', version: 0, data: {} }
const abort: NewRecord = { name: 'AbortTransactionRecord', version: 0, data: { reason: 'r' } }

/** A loader and what its publisher was told. */
function loaded() {
  const loader = new MetadataLoader(silentLogger)
  const told: { offset: number; names: string[]; changed: number }[] = []
  loader.subscribe({
    name: 'test',
    publish: (delta, image) =>
      told.push({
        offset: image.offset,
        names: [...image.topicsByName.keys()].sort(),
        changed: delta.changedTopics.size,
      }),
  })
  return { loader, told }
}

test('publishers hear of each load once, with the image before in the delta', () => {
  const { loader, told } = loaded()
  const [first, second, third] = batches([topic('a', 0)], [topic('b', 1)], [topic('c', 2)])
  loader.loadBatches([first!, second!])
  loader.loadBatches([third!])
  assert.equal(told, [
    { offset: 1, names: ['a', 'b'], changed: 2 },
    { offset: 2, names: ['a', 'b', 'c'], changed: 1 },
  ])
})

test('a late publisher is told everything at once', () => {
  const { loader } = loaded()
  loader.loadBatches(batches([topic('a', 0), partition(0, 0)], [topic('b', 1)]))
  const told: number[] = []
  loader.subscribe({
    name: 'late',
    publish: (delta, image) => told.push(delta.changedTopics.size, delta.base.topicsByName.size, image.offset),
  })
  assert.equal(told, [2, 0, 2])
})

test('records of a transaction appear together at its end, even over several loads', () => {
  const { loader, told } = loaded()
  const [first, second, third] = batches([topic('a', 0), begin, topic('b', 1)], [topic('c', 2)], [end])
  loader.loadBatches([first!])
  assert.equal(told, [{ offset: 0, names: ['a'], changed: 1 }])
  assert.ok(loader.inTransaction)
  loader.loadBatches([second!])
  assert.is(told.length, 1)
  loader.loadBatches([third!])
  assert.equal(told[1], { offset: 4, names: ['a', 'b', 'c'], changed: 2 })
  assert.is(loader.inTransaction, false)
})

test('records of an aborted transaction never appear', () => {
  const { loader, told } = loaded()
  loader.loadBatches(batches([topic('a', 0)], [begin, topic('b', 1)], [abort, topic('c', 2)]))
  assert.equal(told.at(-1)!.names, ['a', 'c'])
  assert.is(loader.image().offset, 4)
})

test('waiting for an offset ends when every publisher saw it', async () => {
  const { loader } = loaded()
  let done = false
  const waiting = loader.whenApplied(1).then(() => (done = true))
  const [first, second] = batches([topic('a', 0)], [topic('b', 1)])
  loader.loadBatches([first!])
  await Promise.resolve()
  assert.is(done, false)
  loader.loadBatches([second!])
  await waiting
  assert.ok(done)
})

test('a publisher that throws does not keep the others from being told', () => {
  const loader = new MetadataLoader(silentLogger)
  let told = 0
  loader.subscribe({
    name: 'broken',
    publish: () => {
      throw new Error('broken')
    },
  })
  loader.subscribe({ name: 'sound', publish: () => told++ })
  loader.loadBatches(batches([topic('a', 0)]))
  assert.is(told, 1)
})

test.run()
