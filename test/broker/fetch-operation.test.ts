import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { RequestContext } from '../../src/broker/context.ts'
import { Deadlines } from '../../src/broker/deadlines.ts'
import { FetchSessions } from '../../src/broker/fetch-session.ts'
import { fetchHandler } from '../../src/broker/handlers/01-fetch.ts'
import { listOffsetsHandler } from '../../src/broker/handlers/02-list-offsets.ts'
import { SimulatedHost } from '../../src/host/simulated.ts'
import type { Log } from '../../src/log/log.ts'
import { emptyImage } from '../../src/metadata/image.ts'
import { Partition } from '../../src/partition/partition.ts'
import type { FetchRequest, FetchResponseInput } from '../../src/protocol/apis/01-fetch.ts'
import type { ListOffsetsRequest, ListOffsetsResponseInput } from '../../src/protocol/apis/02-list-offsets.ts'
import { HandLog } from '../support/hand-log.ts'

const test = suite('fetch operation')

const topicId = 'AAAAAAAAAAAAAAAAAAAAAQ'
const ZERO = 'AAAAAAAAAAAAAAAAAAAAAA'
const sink = { appended: () => {} }

/** One partition on a log whose reads end when the test says so. */
function broker(end = 0) {
  const host = new SimulatedHost({ seed: 1 })
  const log = new HandLog(end)
  const partition = new Partition('t', topicId, 0, 1)
  partition.lead({ leader: 1, leaderEpoch: 0, isr: [1], replicas: [1] })
  partition.attach(log as unknown as Log, { flush: 'group', minInSyncReplicas: 1, timestampType: 'CreateTime' })
  const image = { ...emptyImage, topicsByName: new Map([['t', { name: 't', id: topicId, partitions: [{}] }]]) }
  const ports = {
    deadlines: new Deadlines(host),
    replicas: { partition: () => partition },
    fetchSessions: new FetchSessions({ slots: 1, nowMs: () => 0, randomU32: () => 1 }),
    config: { number: () => 1_000_000 },
    image: () => image,
  }
  const said: string[] = []
  let abandon = () => {}
  const context = {
    broker: ports,
    version: 12,
    connection: { open: true },
    answer: ({ responses }: FetchResponseInput) => {
      const { errorCode, records } = responses[0]!.partitions[0]!
      const bytes = records === null || Array.isArray(records) ? 0 : (records as Uint8Array).length
      said.push(`code ${errorCode}, ${bytes} bytes`)
    },
    onAbandoned: (abandoned: () => void) => {
      abandon = abandoned
    },
    close: () => void said.push('closed'),
  }
  const fetch = (more: Partial<FetchRequest> = {}) => {
    const target = {
      partition: 0,
      fetchOffset: 0,
      partitionMaxBytes: 10_000,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
    }
    const request = {
      replicaState: { replicaId: -1 },
      replicaId: -1,
      maxWaitMs: 500,
      minBytes: 150,
      maxBytes: 10_000,
      isolationLevel: 0,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [{ topic: 't', topicId: ZERO, partitions: [target] }],
      forgottenTopicsData: [],
      ...more,
    }
    fetchHandler.handle(context as unknown as RequestContext, request as never)
  }
  const listLatest = () =>
    listOffsetsHandler.handle(
      context as unknown as RequestContext,
      {
        replicaId: -1,
        isolationLevel: 0,
        timeoutMs: 0,
        topics: [{ name: 't', partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1n }] }],
      } satisfies ListOffsetsRequest as never,
    ) as Promise<ListOffsetsResponseInput>
  return { host, log, partition, context, said, fetch, listLatest, abandon: () => abandon() }
}

test('a waiting request holds no read, and reads again when enough is there', () => {
  const { log, partition, said, fetch } = broker(1)
  fetch()
  log.wasRead({ handle: 7, bytes: 100 })
  assert.equal(said, [])
  assert.ok(log.calls.includes('release 7'))
  assert.is(log.reads.length, 0)
  partition.append(new Uint8Array(61), 1, sink, 0)
  log.written()
  assert.is(log.reads.length, 0)
  log.synced()
  assert.is(log.reads.length, 1)
  log.wasRead({ handle: 8, bytes: 200 })
  assert.equal(said, ['code 0, 200 bytes'])
  assert.not.ok(log.calls.includes('release 8'))
})

test('an answered request hears no more of its partitions', async () => {
  const { host, log, partition, said, fetch } = broker()
  fetch({ minBytes: 1 })
  partition.append(new Uint8Array(61), 1, sink, 0)
  log.written()
  log.synced()
  log.wasRead({ handle: 1, bytes: 100 })
  assert.is(said.length, 1)
  partition.append(new Uint8Array(61), 1, sink, 0)
  log.written()
  log.synced()
  await host.advance(1000)
  assert.equal([log.reads.length, said.length, host.nextTimerMs], [0, 1, undefined])
})

test('what becomes readable between the read and the wait is not missed', () => {
  const { log, partition, said, fetch } = broker(1)
  fetch()
  partition.append(new Uint8Array(61), 1, sink, 0)
  log.written()
  log.synced()
  log.wasRead({ handle: 1, bytes: 100 })
  assert.is(log.reads.length, 1)
  log.wasRead({ handle: 2, bytes: 200 })
  assert.equal(said, ['code 0, 200 bytes'])
})

test('when the time is over the answer is what there is', async () => {
  const { host, log, said, fetch } = broker(1)
  fetch()
  log.wasRead({ handle: 1, bytes: 100 })
  await host.advance(499)
  assert.equal(said, [])
  await host.advance(1)
  log.wasRead({ handle: 2, bytes: 100 })
  assert.equal(said, ['code 0, 100 bytes'])
})

test('an abandoned request gives back what it reads and says nothing', async () => {
  const { host, log, partition, said, fetch, abandon } = broker(1)
  fetch()
  log.wasRead({ handle: 1, bytes: 100 })
  abandon()
  partition.append(new Uint8Array(61), 1, sink, 0)
  log.written()
  log.synced()
  await host.advance(1000)
  assert.equal([said, log.reads.length, host.nextTimerMs], [[], 0, undefined])
})

test('a request whose connection has ended does not begin to wait', () => {
  const { log, context, said, fetch } = broker(1)
  fetch()
  context.connection.open = false
  log.wasRead({ handle: 1, bytes: 100 })
  assert.equal(said, ['closed'])
  assert.ok(log.calls.includes('release 1'))
})

test('a read that fails in the engine is told, without the codes of the house', () => {
  const { log, said, fetch } = broker(1)
  fetch()
  log.wasRead({ code: 1001 })
  assert.equal(said, ['code -1, 0 bytes'])
})

test('behind an open transaction a committed read waits for the last stable offset', () => {
  const { log, partition, said, fetch } = broker()
  fetch({ isolationLevel: 1, minBytes: 1 })
  partition.append(new Uint8Array(61), 1, sink, 0)
  log.written(2, { oldestOpenTransaction: 0 })
  log.synced()
  assert.equal([log.reads.length, said], [0, []])
  partition.append(new Uint8Array(61), 1, sink, 0)
  log.written(1, { oldestOpenTransaction: -1, closedTransactionFirst: 0 })
  assert.equal(log.reads.length, 0)
  log.synced()
  assert.is(log.reads[0]!.options.limit, 3)
  log.wasRead({ handle: 1, bytes: 300 })
  assert.equal(said, ['code 0, 300 bytes'])
})

test('the latest offset is told when what the log held is on disk', async () => {
  const { log, partition, listLatest } = broker()
  partition.append(new Uint8Array(61), 1, sink, 0)
  log.written(3)
  let offset: number | undefined
  const answer = listLatest().then(({ topics }) => {
    offset = topics[0]!.partitions[0]!.offset
  })
  await new Promise(resolve => setImmediate(resolve))
  assert.is(offset, undefined)
  log.synced()
  await answer
  assert.is(offset, 3)
})

test.run()
