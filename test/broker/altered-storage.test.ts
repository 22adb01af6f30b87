/** What altered configs do to the segments of topics that are in use: from the next record, or the next round, on. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { fetch } from '../../src/protocol/apis/01-fetch.ts'
import { listOffsets } from '../../src/protocol/apis/02-list-offsets.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { batchesOf } from '../../src/records/batch.ts'
import { buildBatch } from '../../src/records/builder.ts'
import { recordsOf } from '../../src/records/iterate.ts'
import { Op, Type, take } from '../support/altering.ts'
import { startTestBroker, type TestBroker } from '../support/broker.ts'
import { temporaryFolder } from '../support/temporary.ts'
import type { WireClient } from '../support/wire-client.ts'

const altered = suite('altered storage')

const HOUR = 3_600_000
const dir = temporaryFolder('altered-storage')
const encoder = new TextEncoder()
const decoder = new TextDecoder()

let fixture: TestBroker
let client: WireClient

altered.before(async () => {
  const config = {
    'log.initial.task.delay.ms': 0,
    'log.retention.check.interval.ms': 20,
    'log.cleaner.backoff.ms': 20,
    'log.segment.delete.delay.ms': 0,
  }
  fixture = await startTestBroker({ dir, config })
  client = await fixture.connect()
})

altered.after(() => fixture.close())

async function topic(configs: Record<string, string> = {}): Promise<string> {
  return (await fixture.topic({ configs })).name
}

async function alter(name: string, configs: Record<string, string | null>): Promise<void> {
  const edits = Object.entries(configs).map(([key, value]) => {
    return [key, value === null ? Op.delete : Op.set, value] as const
  })
  assert.equal(await take(client, { edit: [[Type.topic, name, edits]] }), [[0, null]])
}

/** One batch of one record; `value` null: a tombstone. */
async function send(name: string, value: string | null, options: { key?: string; ago?: number } = {}): Promise<void> {
  const key = options.key === undefined ? null : encoder.encode(options.key)
  const timestamp = BigInt(Date.now() - (options.ago ?? 0))
  const records = [{ key, value: value === null ? null : encoder.encode(value) }]
  const bytes = buildBatch(records, { baseOffset: 0, leaderEpoch: -1, timestamp })
  const topicData = [{ name, partitionData: [{ index: 0, records: bytes }] }]
  const { responses } = await client.send(produce, 9, { acks: -1, timeoutMs: 5000, topicData })
  assert.is(responses[0]!.partitionResponses[0]!.errorCode, 0)
}

const files = (name: string, ending: string) =>
  readdirSync(join(dir, `${name}-0`)).filter(each => each.endsWith(ending))
const segments = (name: string) => files(name, '.log').length

async function earliest(name: string): Promise<number> {
  const partitions = [{ partitionIndex: 0, timestamp: -2n }]
  const { topics } = await client.send(listOffsets, 7, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name, partitions }],
  })
  return topics[0]!.partitions[0]!.offset
}

/** `key=value` of all that is there, in order. */
async function read(name: string): Promise<string[]> {
  const found: string[] = []
  for (let fetchOffset = await earliest(name); ; ) {
    const { response, frame } = await client.exchange(fetch, 12, {
      maxWaitMs: 0,
      minBytes: 1,
      topics: [{ topic: name, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1_000_000 }] }],
      forgottenTopicsData: [],
    })
    const { errorCode, records } = response.responses[0]!.partitions[0]!
    // Retention was faster.
    if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) return read(name)
    assert.is(errorCode, 0)
    const batches =
      records === null ? [] : batchesOf(frame.subarray(records.position, records.position + records.length))
    const before = fetchOffset
    for (const each of batches) {
      for (const { offset, key, value } of recordsOf(each)) {
        if (offset < fetchOffset) continue
        found.push(`${decoder.decode(key ?? undefined)}=${value === null ? '' : decoder.decode(value)}`)
        fetchOffset = offset + 1
      }
    }
    if (fetchOffset === before) return found
  }
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    assert.ok(tries < 1000, `never came: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

/** Some rounds of whoever lets records go, seen by what becomes of another topic. */
async function rounds(): Promise<void> {
  const compacted = {
    'cleanup.policy': 'compact',
    'min.cleanable.dirty.ratio': '0.01',
    'internal.segment.bytes': '200',
  }
  const [gone, clean] = [await topic({ 'retention.ms': '1' }), await topic(compacted)]
  for (let round = 0; round < 2; round++) {
    await send(gone, 'x', { ago: HOUR })
    await until('retention', async () => (await read(gone)).length === 0)
    for (let n = 0; n < 6; n++) await send(clean, 'x'.repeat(100), { key: 'k' })
    await until('compaction', async () => (await read(clean)).length < 4)
  }
}

altered('segment.ms rolls before the next record that is too much later', async () => {
  const name = await topic()
  await send(name, 'a', { ago: HOUR })
  await send(name, 'b')
  assert.is(segments(name), 1)
  await alter(name, { 'segment.ms': String(HOUR / 2) })
  await send(name, 'c')
  assert.is(segments(name), 2)
  await send(name, 'd')
  assert.is(segments(name), 2)
})

altered('segment.jitter.ms rolls earlier than segment.ms says', async () => {
  const name = await topic({ 'segment.ms': String(2 * HOUR) })
  await send(name, 'a', { ago: 2 * HOUR - 60_000 })
  await send(name, 'b')
  assert.is(segments(name), 1)
  // At random, but for one time in 120.
  for (let tries = 0; segments(name) === 1; tries++) {
    assert.ok(tries < 20)
    await alter(name, { 'segment.jitter.ms': String(2 * HOUR + tries) })
    await send(name, 'c')
  }
})

altered('segment.index.bytes rolls when an index is full, and index.interval.bytes says how soon it is', async () => {
  const name = await topic()
  for (let n = 0; n < 10; n++) await send(name, 'x')
  await alter(name, { 'index.interval.bytes': '0' })
  for (let n = 0; n < 10; n++) await send(name, 'x')
  assert.is(segments(name), 1)
  await alter(name, { 'segment.index.bytes': '60' })
  await send(name, 'x')
  assert.is(segments(name), 2)
  const index = join(dir, `${name}-0`, '00000000000000000000.index')
  await until('the index of the sealed segment', () => statSync(index).size > 0)
  const entries = statSync(index).size / 8
  assert.ok(entries >= 9 && entries <= 11, `${entries}`)
  for (let n = 0; n < 10; n++) await send(name, 'x')
  assert.ok(segments(name) > 2)
})

altered(
  'retention.ms and retention.bytes let go of what is beyond them, and file.delete.delay.ms keeps its files',
  async () => {
    const name = await topic({ 'internal.segment.bytes': '300', 'file.delete.delay.ms': String(HOUR) })
    for (let n = 0; n < 10; n++) await send(name, 'x'.repeat(100), { ago: HOUR })
    await alter(name, { 'retention.bytes': '900' })
    await until('fewer bytes', async () => (await read(name)).length <= 6)
    assert.ok((await read(name)).length > 2)
    await until('other names for their files', async () => segments(name) === (await read(name)).length)
    const kept = files(name, '.deleted').length
    assert.ok(kept > 0, 'their files stay')
    await alter(name, { 'file.delete.delay.ms': '0', 'retention.bytes': '-1' })
    await alter(name, { 'retention.ms': '1000' })
    await until('no records', async () => (await read(name)).length === 0)
    await until('theirs go at once', () => files(name, '.deleted').length === kept)
  },
)

altered('cleanup.policy of nothing keeps everything, and delete lets go again', async () => {
  const name = await topic({ 'retention.ms': '1000', 'cleanup.policy': '' })
  await send(name, 'x', { ago: HOUR })
  await rounds()
  assert.equal(await read(name), ['=x'])
  await alter(name, { 'cleanup.policy': 'delete' })
  await until('no records', async () => (await read(name)).length === 0)
  await alter(name, { 'cleanup.policy': '' })
  await send(name, 'y', { ago: HOUR })
  await rounds()
  assert.equal(await read(name), ['=y'])
})

altered('cleanup.policy of both compacts and lets go', async () => {
  const configs = { 'internal.segment.bytes': '300', 'min.cleanable.dirty.ratio': '0.01' }
  const name = await topic(configs)
  for (let n = 0; n < 10; n++) await send(name, `${n}`.repeat(100), { key: 'k' })
  assert.is((await read(name)).length, 10)
  await alter(name, { 'cleanup.policy': 'compact,delete' })
  await until('compaction', async () => (await read(name)).length < 5)
  await alter(name, { 'retention.bytes': '0' })
  await until('no records', async () => (await read(name)).length === 0)
})

for (const [key, from, to] of [
  ['min.compaction.lag.ms', { 'min.compaction.lag.ms': String(HOUR) }, '0'],
  ['max.compaction.lag.ms', { 'min.cleanable.dirty.ratio': '1' }, '1'],
  ['min.cleanable.dirty.ratio', { 'min.cleanable.dirty.ratio': '1' }, '0.01'],
] as const) {
  altered(`${key} says when a log is compacted`, async () => {
    const configs = { 'min.cleanable.dirty.ratio': '0.01', ...from }
    const name = await topic({ ...configs, 'cleanup.policy': 'compact', 'internal.segment.bytes': '300' })
    for (let n = 0; n < 10; n++) await send(name, `${n}`.repeat(100), { key: `k${n % 2}` })
    await rounds()
    assert.is((await read(name)).length, 10)
    await alter(name, { [key]: to })
    await until('compaction', async () => (await read(name)).length < 7)
  })
}

altered('delete.retention.ms says how long a tombstone stays', async () => {
  const name = await topic({
    'cleanup.policy': 'compact',
    'internal.segment.bytes': '300',
    'min.cleanable.dirty.ratio': '0.01',
    'delete.retention.ms': '0',
  })
  const fill = async () => {
    for (let n = 0; n < 8; n++) await send(name, 'x'.repeat(100), { key: `k${n % 2}` })
    await until('compaction', async () => (await read(name)).filter(each => each.startsWith('k')).length < 6)
  }
  await send(name, null, { key: 'gone' })
  await fill()
  for (let tries = 0; (await read(name)).includes('gone='); tries++) {
    assert.ok(tries < 20)
    await fill()
  }
  await alter(name, { 'delete.retention.ms': String(HOUR) })
  await send(name, null, { key: 'stays' })
  for (let round = 0; round < 4; round++) await fill()
  assert.ok((await read(name)).includes('stays='))
})

for (const [type, weak, strong] of [
  ['gzip', '1', '9'],
  ['zstd', '-5', '12'],
] as const) {
  altered(`compression.${type}.level says how small the next batch is`, async () => {
    const name = await topic({ 'compression.type': type, [`compression.${type}.level`]: weak })
    const log = join(dir, `${name}-0`, '00000000000000000000.log')
    // Words in no order: something to find for who looks for it.
    let seed = 1
    const words = Array.from({ length: 5000 }, () => {
      seed = (seed * 48_271) % 2_147_483_647
      return `word${seed % 700}`
    })
    const value = words.join(' ')
    await send(name, value)
    const first = statSync(log).size
    await alter(name, { [`compression.${type}.level`]: strong })
    await send(name, value)
    const second = statSync(log).size - first
    assert.ok(second < first, `${first} and ${second} bytes`)
  })
}

altered.run()
