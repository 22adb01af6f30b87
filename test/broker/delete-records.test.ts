/** DeleteRecords and DescribeLogDirs of a broker in memory, over the wire. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { fetch } from '../../src/protocol/apis/01-fetch.ts'
import { findCoordinator } from '../../src/protocol/apis/10-find-coordinator.ts'
import { deleteRecords } from '../../src/protocol/apis/21-delete-records.ts'
import { describeLogDirs } from '../../src/protocol/apis/35-describe-log-dirs.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { batch, everyVersion, startTestBroker, type TestBroker, valuesIn } from '../support/broker.ts'
import type { WireClient } from '../support/wire-client.ts'

const test = suite('delete records')
let fixture: TestBroker
test.before(async () => {
  fixture = await startTestBroker()
})
test.after(() => fixture.close())

async function write(client: WireClient, name: string, count: number) {
  for (let value = 0; value < count; value++) {
    const { responses } = await client.send(produce, 9, {
      acks: -1,
      timeoutMs: 5000,
      topicData: [{ name, partitionData: [{ index: 0, records: batch([`${value}`]) }] }],
    })
    assert.is(responses[0]!.partitionResponses[0]!.errorCode, 0)
  }
}

/** Error code and low watermark of one partition. */
async function remove(client: WireClient, name: string, offset: number, { version = 2, index = 0 } = {}) {
  const { topics } = await client.send(deleteRecords, version, {
    topics: [{ name, partitions: [{ partitionIndex: index, offset }] }],
    timeoutMs: 5000,
  })
  assert.equal([topics.length, topics[0]!.name, topics[0]!.partitions[0]!.partitionIndex], [1, name, index])
  return [topics[0]!.partitions[0]!.errorCode, topics[0]!.partitions[0]!.lowWatermark]
}

const fetchFrom = (name: string, fetchOffset: number, { maxWaitMs = 0, minBytes = 1 } = {}) => ({
  maxWaitMs,
  minBytes,
  topics: [{ topic: name, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1e6 }] }],
  forgottenTopicsData: [],
})

test('every version moves the start and -1 is the high watermark', async () => {
  const { name } = await fixture.topic()
  const client = await fixture.connect()
  await write(client, name, 5)
  for (const version of everyVersion(deleteRecords)) {
    assert.equal(await remove(client, name, version + 1, { version }), [0, version + 1])
  }
  const { frame, response } = await client.exchange(fetch, 12, fetchFrom(name, 3))
  const partition = response.responses[0]!.partitions[0]!
  assert.equal([partition.errorCode, partition.logStartOffset, partition.highWatermark], [0, 3, 5])
  assert.equal(valuesIn(frame, partition.records), ['3:3', '4:4'])
  const below = await client.send(fetch, 12, fetchFrom(name, 2))
  assert.is(below.responses[0]!.partitions[0]!.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE)
  assert.equal(await remove(client, name, 1), [0, 3], 'what is deleted stays deleted')
  assert.equal(await remove(client, name, -1), [0, 5])
})

test('what cannot be deleted is refused with the code of Kafka', async () => {
  const { name } = await fixture.topic()
  const compacted = await fixture.topic({ configs: { 'cleanup.policy': 'compact' } })
  const both = await fixture.topic({ configs: { 'cleanup.policy': 'compact,delete' } })
  const neither = await fixture.topic({ configs: { 'cleanup.policy': '' } })
  const client = await fixture.connect()
  await write(client, name, 2)
  await write(client, neither.name, 1)
  assert.equal(await remove(client, name, 3), [ErrorCode.OFFSET_OUT_OF_RANGE, -1])
  assert.equal(await remove(client, name, -2), [ErrorCode.OFFSET_OUT_OF_RANGE, -1])
  assert.equal(await remove(client, name, Number.MAX_SAFE_INTEGER), [ErrorCode.OFFSET_OUT_OF_RANGE, -1])
  assert.equal(await remove(client, name, 0, { index: 1 }), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1])
  assert.equal(await remove(client, name, 0, { index: -1 }), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1])
  assert.equal(await remove(client, 'nobody-knows', 0), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1])
  assert.equal(await remove(client, compacted.name, 0), [ErrorCode.POLICY_VIOLATION, -1])
  assert.equal(await remove(client, both.name, 0), [0, 0])
  assert.equal(await remove(client, neither.name, 1), [0, 1])
})

test('of a partition that comes twice the last offset counts', async () => {
  const { name } = await fixture.topic()
  const client = await fixture.connect()
  await write(client, name, 3)
  const offsets = [3, 1].map(offset => ({ partitionIndex: 0, offset }))
  const { topics } = await client.send(deleteRecords, 2, {
    topics: [
      { name, partitions: offsets },
      { name, partitions: [{ partitionIndex: 0, offset: 2 }] },
    ],
    timeoutMs: 0,
  })
  assert.equal(
    topics.map(topic => [topic.name, topic.partitions]),
    [[name, [{ partitionIndex: 0, lowWatermark: 2, errorCode: 0 }]]],
  )
})

test('a fetch that waits below the new start hears of it', async () => {
  const { name } = await fixture.topic()
  const [waiting, client] = [await fixture.connect(), await fixture.connect()]
  await write(client, name, 2)
  const answer = waiting.send(fetch, 12, fetchFrom(name, 1, { maxWaitMs: 60_000, minBytes: 1e6 }))
  // Answered on the same connection means that the fetch before it was looked at.
  await client.send(fetch, 12, fetchFrom(name, 0))
  await remove(client, name, 2)
  assert.is((await answer).responses[0]!.partitions[0]!.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE)
})

test('log directories are described in every version', async () => {
  const { name } = await fixture.topic({ partitions: 2 })
  const client = await fixture.connect()
  const records = batch(['a'])
  await write(client, name, 1)
  for (const version of everyVersion(describeLogDirs)) {
    const { errorCode, results } = await client.send(describeLogDirs, version, {
      topics: [
        { topic: name, partitions: [0] },
        { topic: name, partitions: [1, 7] },
        { topic: 'nobody-knows', partitions: [0] },
      ],
    })
    assert.equal([errorCode, results.length, results[0]!.errorCode, results[0]!.isCordoned], [0, 1, 0, false])
    // A disk in memory has no bounds.
    if (fixture.ours) assert.equal([results[0]!.totalBytes, results[0]!.usableBytes], [-1, -1])
    const [topic, ...others] = results[0]!.topics
    assert.equal([topic!.name, others], [name, []])
    const partitions = [...topic!.partitions].sort((a, b) => a.partitionIndex - b.partitionIndex)
    const described = { offsetLag: 0, isFutureKey: false }
    assert.equal(partitions, [
      { partitionIndex: 0, partitionSize: records.length, ...described },
      { partitionIndex: 1, partitionSize: 0, ...described },
    ])
  }
  const all = await client.send(describeLogDirs, 5, { topics: null })
  const names = all.results[0]!.topics.map(topic => topic.name)
  assert.ok(names.includes(name) && !names.includes('__cluster_metadata'))
  const none = await client.send(describeLogDirs, 5, { topics: [] })
  assert.equal(none.results[0]!.topics, [])
})

test('nothing of an internal topic is deleted', async () => {
  const client = await fixture.connect()
  await client.send(findCoordinator, 4, { key: '', keyType: 0, coordinatorKeys: ['a group'] })
  // Apache Kafka answers before the topic is there.
  if (!fixture.ours) await new Promise(resolve => setTimeout(resolve, 8000))
  assert.equal(await remove(client, '__consumer_offsets', 0), [ErrorCode.INVALID_TOPIC_EXCEPTION, -1])
})

test.run()
