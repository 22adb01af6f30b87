/** What altered configs do to topics, groups and brokers that are in use: from the next request on. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { fetch } from '../../src/protocol/apis/01-fetch.ts'
import { apiVersions } from '../../src/protocol/apis/18-api-versions.ts'
import { consumerGroupHeartbeat } from '../../src/protocol/apis/68-consumer-group-heartbeat.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { type BatchView, batchesOf } from '../../src/records/batch.ts'
import { type Edit, Op, Type, take } from '../support/altering.ts'
import { batch, startTestBroker, type TestBroker } from '../support/broker.ts'
import { newGroup } from '../support/groups.ts'
import { temporaryFolder } from '../support/temporary.ts'
import type { WireClient } from '../support/wire-client.ts'

const altered = suite('altered configs')

const ZSTD = 4
const GZIP = 1
const MINUTE = 60_000
const dir = temporaryFolder('altered')
let fixture: TestBroker
let client: WireClient

altered.before(async () => {
  fixture = await startTestBroker({ dir })
  client = await fixture.connect()
})

altered.after(() => fixture.close())

async function alter(type: number, name: string, ...edits: Edit[]): Promise<void> {
  assert.equal(await take(client, { edit: [[type, name, edits]] }), [[0, null]])
}

const set = (name: string, value: string): Edit => [name, Op.set, value]
const unset = (name: string): Edit => [name, Op.delete, null]

async function send(name: string, records: Uint8Array) {
  const topicData = [{ name, partitionData: [{ index: 0, records }] }]
  const { responses } = await client.send(produce, 9, { acks: -1, timeoutMs: 5000, topicData })
  return responses[0]!.partitionResponses[0]!
}

const code = async (name: string, records: Uint8Array) => (await send(name, records)).errorCode

async function lastBatch(topic: string): Promise<BatchView> {
  const wanted = { partition: 0, fetchOffset: 0, partitionMaxBytes: 1 << 24 }
  const request = { maxWaitMs: 0, minBytes: 0, forgottenTopicsData: [], topics: [{ topic, partitions: [wanted] }] }
  const { response, frame } = await client.exchange(fetch, 12, request)
  const { records } = response.responses[0]!.partitions[0]!
  return [...batchesOf(frame.subarray(records!.position, records!.position + records!.length))].at(-1)!
}

altered('max.message.bytes refuses the next batch that is larger', async () => {
  const { name } = await fixture.topic()
  const large = batch(['x'.repeat(2000)])
  assert.is(await code(name, large), 0)
  await alter(Type.topic, name, set('max.message.bytes', '1000'))
  assert.is(await code(name, large), ErrorCode.MESSAGE_TOO_LARGE)
  await alter(Type.topic, name, unset('max.message.bytes'))
  assert.is(await code(name, large), 0)
})

altered('num.recovery.threads.per.data.dir is at most doubled or halved at once', async () => {
  const key = 'num.recovery.threads.per.data.dir'
  const failed = `Dynamic thread count update validation failed for ${key}=`
  const refusal = async (value: string) => (await take(client, { edit: [[Type.broker, '', [set(key, value)]]] }))[0]
  await alter(Type.broker, '', set(key, '4'))
  assert.equal(await refusal('9'), [
    ErrorCode.INVALID_REQUEST,
    `${failed}9, value should not be greater than double the current value 4`,
  ])
  assert.equal(await refusal('1'), [
    ErrorCode.INVALID_REQUEST,
    `${failed}1, value should be at least half the current value 4`,
  ])
  await alter(Type.broker, '', set(key, '8'))
  await alter(Type.broker, '', set(key, '4'))
  await alter(Type.broker, '', unset(key))
  // Logs are opened by those that stay.
  const { name } = await fixture.topic({ partitions: 20 })
  assert.is(await code(name, batch(['v'])), 0)
})

altered('compression.type stores the next batch in the codec', async () => {
  const { name } = await fixture.topic()
  for (const [type, codec] of [
    ['zstd', ZSTD],
    ['gzip', GZIP],
    ['uncompressed', 0],
  ] as const) {
    await alter(Type.topic, name, set('compression.type', type))
    assert.is(await code(name, batch(['x'.repeat(500)])), 0)
    assert.is((await lastBatch(name)).compression, codec)
  }
})

altered('message.timestamp.type says when the next batch came', async () => {
  const { name } = await fixture.topic()
  const old = BigInt(Date.now() - MINUTE)
  assert.is((await send(name, batch(['a'], { timestamps: [old] }))).logAppendTimeMs, -1)
  await alter(Type.topic, name, set('message.timestamp.type', 'LogAppendTime'))
  assert.ok((await send(name, batch(['b'], { timestamps: [old] }))).logAppendTimeMs > Number(old))
  assert.ok((await lastBatch(name)).maxTimestamp > old)
  await alter(Type.topic, name, set('message.timestamp.type', 'CreateTime'))
  assert.is((await send(name, batch(['c'], { timestamps: [old] }))).logAppendTimeMs, -1)
  assert.is((await lastBatch(name)).maxTimestamp, old)
})

altered('message.timestamp.before.max.ms and after.max.ms bound the next batch', async () => {
  const { name } = await fixture.topic()
  for (const [key, ahead] of [
    ['message.timestamp.before.max.ms', -2 * MINUTE],
    ['message.timestamp.after.max.ms', 2 * MINUTE],
  ] as const) {
    const records = batch(['a'], { timestamps: [BigInt(Date.now() + ahead)] })
    assert.is(await code(name, records), 0)
    await alter(Type.topic, name, set(key, String(MINUTE)))
    assert.is(await code(name, records), ErrorCode.INVALID_TIMESTAMP, key)
    await alter(Type.topic, name, unset(key))
    assert.is(await code(name, records), 0)
  }
})

altered('segment.bytes rolls the segment that is larger', async () => {
  const { name } = await fixture.topic()
  const segments = () => readdirSync(join(dir, `${name}-0`)).filter(file => file.endsWith('.log')).length
  const large = batch(['x'.repeat(700_000)])
  for (let count = 0; count < 3; count++) assert.is(await code(name, large), 0)
  assert.is(segments(), 1)
  await alter(Type.topic, name, set('segment.bytes', '1048576'))
  assert.is(await code(name, large), 0)
  assert.is(segments(), 2)
  assert.is(await code(name, large), 0)
  assert.is(segments(), 3)
})

altered('min.insync.replicas asks for no more replicas than there are', async () => {
  const { name } = await fixture.topic()
  await alter(Type.topic, name, set('min.insync.replicas', '2'))
  assert.is(await code(name, batch(['a'])), 0)
})

altered('cleanup.policy asks the next record for a key when compact is in it', async () => {
  const { name } = await fixture.topic()
  assert.is(await code(name, batch(['a'])), 0)
  await alter(Type.topic, name, ['cleanup.policy', Op.append, 'compact'])
  assert.is(await code(name, batch(['a'])), ErrorCode.INVALID_RECORD)
  await alter(Type.topic, name, ['cleanup.policy', Op.subtract, 'compact'])
  assert.is(await code(name, batch(['a'])), 0)
})

altered('a default of all brokers reaches topics that are there, one of this broker goes before it', async () => {
  const { name } = await fixture.topic()
  const large = batch(['x'.repeat(2000)])
  await alter(Type.broker, '', set('message.max.bytes', '1000'))
  assert.is(await code(name, large), ErrorCode.MESSAGE_TOO_LARGE)
  await alter(Type.broker, '1', set('message.max.bytes', '3000'))
  assert.is(await code(name, large), 0)
  await alter(Type.broker, '1', unset('message.max.bytes'))
  assert.is(await code(name, large), ErrorCode.MESSAGE_TOO_LARGE)
  await alter(Type.topic, name, set('max.message.bytes', '3000'))
  assert.is(await code(name, large), 0)
  await alter(Type.broker, '', unset('message.max.bytes'))
})

altered("a group's heartbeat interval is in the next answer to a member", async () => {
  const groupId = await newGroup(client)
  const joining = { rebalanceTimeoutMs: 10_000, subscribedTopicNames: [], topicPartitions: [] }
  const beat = (memberEpoch: number, more: object = {}) =>
    client.send(consumerGroupHeartbeat, 1, { groupId, memberId: 'm', memberEpoch, ...more })
  const { memberEpoch, heartbeatIntervalMs } = await beat(0, joining)
  assert.is(heartbeatIntervalMs, 5000)
  await alter(Type.group, groupId, set('consumer.heartbeat.interval.ms', '7000'))
  assert.is((await beat(memberEpoch)).heartbeatIntervalMs, 7000)
  await alter(Type.group, groupId, unset('consumer.heartbeat.interval.ms'))
  assert.is((await beat(memberEpoch)).heartbeatIntervalMs, 5000)
})

altered(
  'max.connections, of one listener or of all, lets in no more than it says from the next connection on',
  async () => {
    // Whoever is not let in hears nothing, or the end of the connection.
    const letIn = async () => {
      try {
        const next = await fixture.connect()
        await next.send(apiVersions, 0, {})
        return true
      } catch {
        return false
      }
    }
    for (const [whose, key] of [
      ['', 'max.connections'],
      ['1', 'max.connections.per.ip'],
      ['1', 'listener.name.plaintext.max.connections'],
      ['', 'listener.name.plaintext.max.connections'],
    ] as const) {
      assert.ok(await letIn(), key)
      await alter(Type.broker, whose, set(key, '1'))
      assert.not.ok(await letIn(), key)
      await alter(Type.broker, whose, unset(key))
      assert.ok(await letIn(), key)
    }
  },
)

altered('everything that was set is there after a restart', async () => {
  const { name } = await fixture.topic()
  await alter(Type.topic, name, set('max.message.bytes', '1000'))
  await alter(Type.broker, '', set('log.roll.ms', '12345'))
  await alter(Type.group, 'lasting', set('consumer.session.timeout.ms', '50000'))
  await fixture.close()
  fixture = await startTestBroker({ dir })
  client = await fixture.connect()
  assert.is(await code(name, batch(['x'.repeat(2000)])), ErrorCode.MESSAGE_TOO_LARGE)
  const described = (type: number, resource: string, key: string) => take(client, { describe: [type, resource, [key]] })
  assert.equal((await described(Type.broker, '1', 'log.roll.ms'))[1], ['log.roll.ms', '12345', 3])
  const session = 'consumer.session.timeout.ms'
  assert.equal((await described(Type.group, 'lasting', session))[1], [session, '50000', 8])
})

altered.run()
