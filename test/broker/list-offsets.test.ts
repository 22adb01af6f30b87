import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { listOffsets } from '../../src/protocol/apis/02-list-offsets.ts'
import { offsetForLeaderEpoch } from '../../src/protocol/apis/23-offset-for-leader-epoch.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { batch, everyVersion, startTestBroker, type TestBroker } from '../support/broker.ts'
import type { WireClient } from '../support/wire-client.ts'

const test = suite('list offsets and epochs')
let fixture: TestBroker
test.before(async () => {
  fixture = await startTestBroker()
})
test.after(() => fixture.close())

async function write(client: WireClient, name: string, timestamps: readonly bigint[], acks = -1) {
  const records = batch(
    timestamps.map(each => `${each}`),
    { timestamps },
  )
  const { responses } = await client.send(produce, 9, {
    acks,
    timeoutMs: 5000,
    topicData: [{ name, partitionData: [{ index: 0, records }] }],
  })
  assert.is(responses[0]!.partitionResponses[0]!.errorCode, 0)
}

async function ask(client: WireClient, version: number, name: string, timestamp: bigint, more: object = {}) {
  const { topics } = await client.send(listOffsets, version, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name, partitions: [{ partitionIndex: 0, timestamp, ...more }] }],
  })
  return topics[0]!.partitions[0]!
}

test('every version knows the first and the last offset', async () => {
  const { name } = await fixture.topic()
  const client = await fixture.connect()
  await write(client, name, [100n, 200n])
  for (const version of everyVersion(listOffsets)) {
    const latest = await ask(client, version, name, -1n)
    assert.equal([latest.errorCode, latest.offset, latest.timestamp], [0, 2, -1n], `version ${version}`)
    const earliest = await ask(client, version, name, -2n)
    assert.equal([earliest.errorCode, earliest.offset, earliest.timestamp], [0, 0, -1n], `version ${version}`)
    if (version >= 4) assert.equal([latest.leaderEpoch, earliest.leaderEpoch], [0, 0])
  }
})

test('a moment finds the first record at or after it, or nothing', async () => {
  const { name } = await fixture.topic()
  const client = await fixture.connect()
  await write(client, name, [100n, 300n])
  await write(client, name, [200n])
  const found = async (timestamp: bigint) => {
    const { errorCode, offset, timestamp: at } = await ask(client, 7, name, timestamp)
    return [errorCode, offset, at]
  }
  assert.equal(await found(0n), [0, 0, 100n])
  assert.equal(await found(101n), [0, 1, 300n])
  assert.equal(await found(300n), [0, 1, 300n])
  assert.equal(await found(301n), [0, -1, -1n])
  assert.equal(await found(2n ** 63n - 1n), [0, -1, -1n])
})

test('the largest timestamp is found from version 7 on', async () => {
  const { name } = await fixture.topic()
  const client = await fixture.connect()
  await write(client, name, [100n, 300n, 200n])
  const { errorCode, offset, timestamp } = await ask(client, 7, name, -3n)
  assert.equal([errorCode, offset, timestamp], [0, 1, 300n])
  assert.is((await ask(client, 6, name, -3n)).errorCode, ErrorCode.UNSUPPORTED_VERSION)
})

test('an empty log has no largest timestamp', async () => {
  const { name } = await fixture.topic()
  const { errorCode, offset, timestamp } = await ask(await fixture.connect(), 7, name, -3n)
  assert.equal([errorCode, offset, timestamp], [0, -1, -1n])
})

test('without tiered storage the local start is the start, and nothing is tiered', async () => {
  const { name } = await fixture.topic()
  const client = await fixture.connect()
  await write(client, name, [100n])
  assert.is((await ask(client, 8, name, -4n)).offset, 0)
  const tiered = await ask(client, 9, name, -5n)
  assert.equal([tiered.errorCode, tiered.offset, tiered.leaderEpoch], [0, -1, -1])
  assert.equal([(await ask(client, 11, name, -6n)).errorCode, (await ask(client, 11, name, -6n)).offset], [0, -1])
  assert.is((await ask(client, 10, name, -6n)).errorCode, ErrorCode.UNSUPPORTED_VERSION)
  assert.is((await ask(client, 11, name, -7n)).errorCode, ErrorCode.UNSUPPORTED_VERSION)
})

test('a record that was acknowledged by the leader alone is seen', async () => {
  const { name } = await fixture.topic()
  const client = await fixture.connect()
  const other = await fixture.connect()
  for (let count = 1; count <= 20; count++) {
    await write(client, name, [100n], 1)
    assert.is((await ask(other, 7, name, -1n)).offset, count)
  }
})

test('unknown partitions, other epochs and repeated questions have their codes', async () => {
  const { name } = await fixture.topic()
  const client = await fixture.connect()
  assert.is((await ask(client, 7, 'nowhere', -1n)).errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.is((await ask(client, 7, name, -1n, { partitionIndex: 4 })).errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.is((await ask(client, 7, name, -1n, { currentLeaderEpoch: 8 })).errorCode, ErrorCode.UNKNOWN_LEADER_EPOCH)
  const partitions = [-1n, -2n].map(timestamp => ({ partitionIndex: 0, timestamp }))
  const { topics } = await client.send(listOffsets, 7, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name, partitions }],
  })
  assert.equal(
    topics[0]!.partitions.map(each => each.errorCode),
    [ErrorCode.INVALID_REQUEST],
  )
})

test('the end of an epoch is answered by every version, and what is unknown is -1', async () => {
  const { name } = await fixture.topic()
  const client = await fixture.connect()
  await write(client, name, [1n, 2n, 3n])
  for (const version of everyVersion(offsetForLeaderEpoch)) {
    const end = async (leaderEpoch: number, partition = 0, currentLeaderEpoch = -1) => {
      const { topics } = await client.send(offsetForLeaderEpoch, version, {
        topics: [{ topic: name, partitions: [{ partition, currentLeaderEpoch, leaderEpoch }] }],
      })
      const { errorCode, leaderEpoch: epoch, endOffset } = topics[0]!.partitions[0]!
      return [errorCode, epoch, endOffset]
    }
    assert.equal(await end(0), [0, 0, 3])
    assert.equal(await end(5), [0, -1, -1])
    assert.equal(await end(0, 3), [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1, -1])
    assert.equal(await end(0, 0, 7), [ErrorCode.UNKNOWN_LEADER_EPOCH, -1, -1])
  }
})

test.run()
