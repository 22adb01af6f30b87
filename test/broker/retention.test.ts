/** When partitions are asked, over a simulated host; and a whole broker in memory that lets old records go. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Retention } from '../../src/broker/retention.ts'
import { SimulatedHost } from '../../src/host/simulated.ts'
import type { LogDirectory } from '../../src/log/log.ts'
import type { Partition } from '../../src/partition/partition.ts'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { fetch } from '../../src/protocol/apis/01-fetch.ts'
import { listOffsets } from '../../src/protocol/apis/02-list-offsets.ts'
import { incrementalAlterConfigs } from '../../src/protocol/apis/44-incremental-alter-configs.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { batch, startTestBroker } from '../support/broker.ts'
import type { WireClient } from '../support/wire-client.ts'

const test = suite('retention')

/** A directory whose logs `0-0`, `0-1` and so on all have something to let go of. */
function scheduled(partitions: Partial<Partition>[]) {
  const host = new SimulatedHost({ seed: 1 })
  const failed: string[] = []
  const due = partitions.map((_, index) => `0-${index}`)
  const directory = { offline: false, due: async () => due }
  const retention = new Retention({
    host,
    directories: [directory as unknown as LogDirectory],
    partitionIn: folder => partitions[Number(folder.slice(2))] as Partition | undefined,
    initialDelayMs: 30_000,
    intervalMs: 1000,
    onFailed: (partition, error) => failed.push(`${partition.index} ${(error as Error).message}`),
  })
  return { host, retention, failed, due, directory }
}

test('partitions are asked after the first delay and then at every interval', async () => {
  let asked = 0
  const partition = { unavailable: 0, retain: async () => void asked++ }
  const { host, retention } = scheduled(Array.from({ length: 100 }, () => partition) as Partial<Partition>[])
  await host.advance(29_999)
  assert.is(asked, 0)
  await host.advance(1)
  assert.is(asked, 100)
  await host.advance(2000)
  assert.is(asked, 300)
  retention.close()
  await host.advance(60_000)
  assert.is(asked, 300)
})

test('only partitions whose logs have something to let go of are asked, in directories that are online', async () => {
  const asked: number[] = []
  const partitions = [0, 1, 2].map(index => ({ index, unavailable: 0, retain: async () => void asked.push(index) }))
  const { host, due, directory } = scheduled(partitions)
  due.splice(0, 3, '0-1', '0-7', 'gone-with.a-delete')
  await host.advance(30_000)
  assert.equal(asked, [1])
  directory.offline = true
  await host.advance(10_000)
  assert.equal(asked, [1])
})

test('a directory that cannot say which logs are due is asked again at the next round', async () => {
  let asked = 0
  const { host, directory } = scheduled([{ unavailable: 0, retain: async () => void asked++ }])
  const { due } = directory
  directory.due = () => Promise.reject(new Error('offline'))
  await host.advance(30_000)
  directory.due = due
  await host.advance(1000)
  assert.is(asked, 1)
})

test('a round that takes longer than the interval is not overtaken', async () => {
  let asked = 0
  let finish = () => {}
  const retain = () => {
    asked++
    return new Promise<void>(resolve => {
      finish = resolve
    })
  }
  const { host } = scheduled([{ unavailable: 0, retain }] as Partial<Partition>[])
  await host.advance(60_000)
  assert.is(asked, 1)
  finish()
  await host.settle()
  await host.advance(1000)
  assert.is(asked, 2)
})

test('a log that fails is told of, the others are asked, and the next round comes', async () => {
  let asked = 0
  const { host, failed } = scheduled([
    { index: 0, unavailable: 0, retain: () => Promise.reject(new Error('no')) },
    { index: 1, unavailable: ErrorCode.KAFKA_STORAGE_ERROR, retain: () => Promise.reject(new Error('known')) },
    { index: 2, unavailable: 0, retain: async () => void asked++ },
  ] as Partial<Partition>[])
  await host.advance(31_000)
  assert.equal([asked, failed], [2, ['0 no', '0 no']])
})

async function write(client: WireClient, name: string, timestamp: bigint) {
  const { responses } = await client.send(produce, 9, {
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ name, partitionData: [{ index: 0, records: batch(['v'], { timestamps: [timestamp] }) }] }],
  })
  assert.is(responses[0]!.partitionResponses[0]!.errorCode, 0)
}

async function earliest(client: WireClient, name: string): Promise<number> {
  const { topics } = await client.send(listOffsets, 7, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name, partitions: [{ partitionIndex: 0, timestamp: -2n }] }],
  })
  return topics[0]!.partitions[0]!.offset
}

/** Of one record. */
async function untilGone(client: WireClient, name: string): Promise<void> {
  for (let tries = 0; (await earliest(client, name)) === 0; tries++) {
    assert.ok(tries < 1000, 'the record is still there')
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  assert.is(await earliest(client, name), 1)
}

test('old records go and a fetch below the new start is out of range', async () => {
  const fixture = await startTestBroker({
    config: { 'log.initial.task.delay.ms': 0, 'log.retention.check.interval.ms': 20 },
  })
  try {
    const client = await fixture.connect()
    const { name } = await fixture.topic({ configs: { 'retention.ms': '60000' } })
    const kept = await fixture.topic({ configs: { 'retention.ms': '60000', 'cleanup.policy': 'compact' } })
    const now = BigInt(Date.now())
    await write(client, name, now)
    assert.is(await earliest(client, name), 0)
    // Its time counts, not that of its arrival.
    const old = await fixture.topic({ configs: { 'retention.ms': '60000' } })
    await write(client, old.name, now - 120_000n)
    await untilGone(client, old.name)
    assert.equal([await earliest(client, name), await earliest(client, kept.name)], [0, 0])
    const { responses } = await client.send(fetch, 12, {
      maxWaitMs: 0,
      minBytes: 1,
      topics: [{ topic: old.name, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] }],
      forgottenTopicsData: [],
    })
    assert.is(responses[0]!.partitions[0]!.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE)
    await write(client, old.name, now)
    assert.is(await earliest(client, old.name), 1)
    // A limit that is altered counts from the next round on.
    const altered = await client.send(incrementalAlterConfigs, 1, {
      resources: [
        {
          resourceType: 2,
          resourceName: name,
          configs: [{ name: 'retention.bytes', configOperation: 0, value: '0' }],
        },
      ],
      validateOnly: false,
    })
    assert.is(altered.responses[0]!.errorCode, 0)
    await untilGone(client, name)
  } finally {
    await fixture.close()
  }
})

test.run()
