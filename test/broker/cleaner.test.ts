/** Which log is cleaned when, over a simulated host; and a whole broker in memory whose compacted topic shrinks. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { silentLogger } from '../../src/base/logger.ts'
import { Cleaner } from '../../src/broker/cleaner.ts'
import { CleaningPauses } from '../../src/broker/cleaning-pauses.ts'
import type { BrokerConfig } from '../../src/config/broker-config.ts'
import { resolveConfig } from '../../src/config/resolve.ts'
import { SimulatedHost } from '../../src/host/simulated.ts'
import type { Log } from '../../src/log/log.ts'
import { LogError } from '../../src/log/log-errors.ts'
import type { Partition } from '../../src/partition/partition.ts'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { fetch } from '../../src/protocol/apis/01-fetch.ts'
import { incrementalAlterConfigs } from '../../src/protocol/apis/44-incremental-alter-configs.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { buildBatch, type RecordInput } from '../../src/records/builder.ts'
import { startTestBroker, valuesIn } from '../support/broker.ts'
import type { WireClient } from '../support/wire-client.ts'

const test = suite('cleaner')

/** A log of which only the dirt is known. */
class Dirty {
  readonly index: number
  readonly topic = 't'
  readonly unavailable = 0
  compaction: Partition['compaction'] = { minDirtyRatio: 0.5, minLagMs: 0 }
  lastStableOffset = 100
  cleanBytes = 0
  dirtyBytes = 0
  overdueMs = 0
  asked = 0
  cleaned = 0
  waits = false
  fails: LogError | undefined
  readonly log: Pick<Log, 'dirt' | 'clean'>
  readonly #order: number[]

  constructor(index: number, order: number[], clean: number, dirty: number) {
    this.index = index
    this.#order = order
    this.cleanBytes = clean
    this.dirtyBytes = dirty
    this.log = {
      dirt: async () => {
        this.asked++
        return { cleanBytes: this.cleanBytes, dirtyBytes: this.dirtyBytes, overdueMs: this.overdueMs }
      },
      clean: async () => {
        this.#order.push(index)
        if (this.fails) throw this.fails
        if (this.waits) return { cleanedTo: 0, readBytes: 0, writtenBytes: 0, keylessRecords: 0 }
        this.cleaned++
        this.cleanBytes += this.dirtyBytes
        this.dirtyBytes = 0
        return { cleanedTo: 100, readBytes: 10, writtenBytes: 5, keylessRecords: 0 }
      },
    }
  }
}

function scheduled(sizes: readonly (readonly [clean: number, dirty: number])[], configs: Record<string, string> = {}) {
  const host = new SimulatedHost({ seed: 1 })
  const resolved = resolveConfig([{ origin: 'test', values: new Map(Object.entries(configs)) }])
  assert.ok(resolved.ok)
  const order: number[] = []
  const said: string[] = []
  const logs = sizes.map(([clean, dirty], index) => new Dirty(index, order, clean, dirty))
  const logger = { ...silentLogger, error: (...args: unknown[]) => said.push(String(args.at(-1))) } as never
  const config: BrokerConfig = resolved.config
  const pauses = new CleaningPauses()
  const cleaner = new Cleaner({
    host,
    logger,
    partitions: () => logs as unknown as Partition[],
    pauses,
    config: () => config,
  })
  return { host, logs, order, said, cleaner, pauses }
}

test('the dirtiest goes first, and what is not dirty enough waits', async () => {
  const { host, logs, order, cleaner } = scheduled([
    [100, 101],
    [100, 100],
    [0, 5],
    [100, 400],
    [0, 0],
  ])
  await host.advance(14_999)
  assert.equal(order, [])
  await host.advance(1)
  assert.equal(order, [2, 3, 0])
  assert.is(logs[1]!.cleaned, 0)
  logs[1]!.overdueMs = 1
  await host.advance(15_000)
  assert.equal(order, [2, 3, 0, 1], 'its records have waited too long')
  cleaner.close()
  logs[2]!.dirtyBytes = 100
  logs[2]!.lastStableOffset++
  await host.advance(60_000)
  assert.is(order.length, 4)
})

test('a log that has not moved since it was clean is not asked again, unless its configs change', async () => {
  const { host, logs } = scheduled([[0, 10]])
  const [log] = logs as [Dirty]
  await host.advance(60_000)
  const { asked } = log
  await host.advance(600_000)
  assert.is(log.asked, asked)
  log.lastStableOffset++
  await host.advance(15_000)
  assert.is(log.asked, asked + 1)
  log.compaction = { minDirtyRatio: 0.1, minLagMs: 1000 }
  await host.advance(30_000)
  assert.is(log.asked, asked + 3, 'what is too young grows old without a move')
  log.compaction = undefined
  await host.advance(60_000)
  assert.is(log.asked, asked + 3, 'it is not compacted any more')
})

test('a log on its way to another directory is not cleaned, and its way begins when a pass has ended', async () => {
  const { host, logs, order, pauses } = scheduled([[0, 10]])
  const [log] = logs as [Dirty]
  const partition = log as unknown as Partition
  await pauses.pause(partition)
  await host.advance(60_000)
  assert.equal([order, log.asked], [[], 0])
  pauses.resume(partition)
  let end = () => {}
  const { clean } = log.log
  const ended = new Promise<void>(resolve => (end = resolve))
  Object.assign(log.log, { clean: (...args: Parameters<typeof clean>) => ended.then(() => clean(...args)) })
  await host.advance(15_000)
  let paused = false
  const pausing = pauses.pause(partition).then(() => (paused = true))
  await host.advance(15_000)
  assert.is(paused, false)
  end()
  await pausing
  assert.is(log.cleaned, 1)
})

test('a log that waits for its recovery point is tried again soon', async () => {
  const { host, logs, order } = scheduled([[0, 10]])
  logs[0]!.waits = true
  await host.advance(15_000)
  assert.is(order.length, 1)
  await host.advance(1000)
  assert.is(order.length, 2)
  logs[0]!.waits = false
  await host.advance(1000)
  assert.is(logs[0]!.cleaned, 1)
})

test('a log that cannot be read is left alone and said once; one that changed or had no room is tried again', async () => {
  const { host, logs, order, said } = scheduled([
    [0, 10],
    [0, 10],
    [0, 10],
  ])
  logs[0]!.fails = new LogError(ErrorCode.KAFKA_STORAGE_ERROR, 'damaged at byte 7')
  logs[1]!.fails = new LogError(ErrorCode.NOT_LEADER_OR_FOLLOWER, 'changed')
  logs[2]!.fails = new LogError(ErrorCode.KAFKA_STORAGE_ERROR, 'full', true)
  await host.advance(60_000)
  const times = (index: number) => order.filter(each => each === index).length
  assert.equal([times(0), times(1), times(2)], [1, 4, 4])
  assert.equal(said, ['t-0 is not compacted any more'])
})

test('nothing is cleaned by no threads', async () => {
  const { host, order } = scheduled([[0, 10]], { 'log.cleaner.threads': '0' })
  await host.advance(60_000)
  assert.equal(order, [])
})

async function write(client: WireClient, name: string, records: RecordInput[]): Promise<number> {
  const bytes = buildBatch(records, { baseOffset: 0, leaderEpoch: -1, timestamp: BigInt(Date.now()) })
  const { responses } = await client.send(produce, 9, {
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ name, partitionData: [{ index: 0, records: bytes }] }],
  })
  return responses[0]!.partitionResponses[0]!.errorCode
}

/** `offset:value` of all that is there. */
async function read(client: WireClient, name: string): Promise<string[]> {
  const values: string[] = []
  for (let fetchOffset = 0; ; ) {
    const { response, frame } = await client.exchange(fetch, 12, {
      maxWaitMs: 0,
      minBytes: 1,
      topics: [{ topic: name, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1_000_000 }] }],
      forgottenTopicsData: [],
    })
    const found = valuesIn(frame, response.responses[0]!.partitions[0]!.records)
    const fresh = found.filter(each => Number(each.split(':')[0]) >= fetchOffset)
    if (fresh.length === 0) return values
    values.push(...fresh)
    fetchOffset = Number(fresh.at(-1)!.split(':')[0]) + 1
  }
}

const encoder = new TextEncoder()
const record = (key: string | null, value: string | null): RecordInput => ({
  key: key === null ? null : encoder.encode(key),
  value: value === null ? null : encoder.encode(value),
})

test('a compacted topic keeps the newest record of each key, and a topic becomes one while it is used', async () => {
  const fixture = await startTestBroker({ config: { 'log.cleaner.backoff.ms': 20 } })
  try {
    const client = await fixture.connect()
    const configs = { 'internal.segment.bytes': '300', 'min.cleanable.dirty.ratio': '0.01' }
    const { name } = await fixture.topic({ configs: { ...configs, 'cleanup.policy': 'compact' } })
    const plain = await fixture.topic({ configs })
    assert.is(await write(client, name, [record(null, 'x')]), ErrorCode.INVALID_RECORD)
    for (const topic of [name, plain.name]) {
      for (let n = 0; n < 20; n++) {
        const filler = 'x'.repeat(40)
        assert.is(await write(client, topic, [record('a', `a${n}${filler}`), record('b', `b${n}${filler}`)]), 0)
      }
    }
    const whole = await read(client, name)
    const shrinks = async (topic: string) => {
      for (let tries = 0; ; tries++) {
        const left = await read(client, topic)
        if (left.length < 10) return left
        assert.ok(tries < 500, `${left.length} of ${whole.length} records are left`)
        await new Promise(resolve => setTimeout(resolve, 20))
      }
    }
    const left = await shrinks(name)
    assert.equal(left.slice(-2), whole.slice(-2), 'the newest are there, at their offsets')
    assert.is((await read(client, plain.name)).length, 40)
    const altered = await client.send(incrementalAlterConfigs, 1, {
      resources: [
        {
          resourceType: 2,
          resourceName: plain.name,
          configs: [{ name: 'cleanup.policy', configOperation: 0, value: 'compact' }],
        },
      ],
      validateOnly: false,
    })
    assert.is(altered.responses[0]!.errorCode, 0)
    assert.equal((await shrinks(plain.name)).slice(-2), whole.slice(-2))
  } finally {
    await fixture.close()
  }
})

test.run()
