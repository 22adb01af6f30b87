import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { silentLogger } from '../../src/base/logger.ts'
import { Broker } from '../../src/broker/broker.ts'
import { regexPort } from '../../src/broker/group-coordinators.ts'
import { resolveConfig } from '../../src/config/resolve.ts'
import { systemHost } from '../../src/host/system.ts'
import { NativeRuntime } from '../../src/native/runtime.ts'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { offsetCommit } from '../../src/protocol/apis/08-offset-commit.ts'
import { heartbeat } from '../../src/protocol/apis/12-heartbeat.ts'
import { listGroups } from '../../src/protocol/apis/16-list-groups.ts'
import { createTopics } from '../../src/protocol/apis/19-create-topics.ts'
import { deleteTopics } from '../../src/protocol/apis/20-delete-topics.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { batch, startTestBroker } from '../support/broker.ts'
import { findGroup, joinAlone, newGroup } from '../support/groups.ts'
import { WireClient } from '../support/wire-client.ts'

const test = suite('group coordinators')

test('the lag of a group grows with its topic and shrinks with its commits', async () => {
  const resolved = resolveConfig([], { host: '127.0.0.1', port: 0, dir: 'memory' })
  if (!resolved.ok) throw new Error('the default config is refused')
  const host = systemHost()
  const runtime = NativeRuntime.open({ host })
  runtime.ref()
  const disk = { memory: runtime.createMemoryDisk() }
  const broker = await Broker.start({ host, logger: silentLogger, runtime, disk, config: resolved.config })
  const client = await WireClient.connect(broker.listeners[0]!.port)
  try {
    assert.equal(await broker.groupLags(), [])
    const topic = { name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
    await client.send(createTopics, 5, { topics: [topic], timeoutMs: 10_000 })
    const records = batch(['a', 'b', 'c'])
    await client.send(produce, 8, {
      acks: -1,
      timeoutMs: 10_000,
      topicData: [{ name: 't', partitionData: [{ index: 0, records }] }],
    })
    await findGroup(client, 'g')
    const lagAfter = async (committedOffset: bigint) => {
      const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: null }]
      await client.send(offsetCommit, 8, { groupId: 'g', topics: [{ name: 't', partitions }] })
      return broker.groupLags()
    }
    const expected = { groupId: 'g', topic: 't', partition: 0, highWatermark: 3 }
    assert.equal(await lagAfter(1n), [{ ...expected, committedOffset: 1n, lag: 2 }])
    assert.equal(await lagAfter(3n), [{ ...expected, committedOffset: 3n, lag: 0 }])
    assert.equal(await lagAfter(9n), [{ ...expected, committedOffset: 9n, lag: 0 }])
  } finally {
    await client.close()
    await broker.close()
    runtime.unref()
    await runtime.close()
  }
})

test('groups end with their topic and begin anew with another', async () => {
  const fixture = await startTestBroker()
  try {
    const client = await fixture.connect()
    const groupId = await newGroup(client)
    const member = await joinAlone(client, groupId)
    const topicNames = ['__consumer_offsets']
    const deleted = await client.send(deleteTopics, 5, { topics: [], topicNames, timeoutMs: 10_000 })
    assert.is(deleted.responses[0]!.errorCode, 0)
    const beat = () => client.send(heartbeat, 3, { groupId, ...member })
    assert.is((await beat()).errorCode, ErrorCode.NOT_COORDINATOR)
    const { groups } = await client.send(listGroups, 4, { statesFilter: [], typesFilter: [] })
    assert.equal(groups, [])
    await findGroup(client, groupId)
    assert.is((await beat()).errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
    await joinAlone(client, groupId)
  } finally {
    await fixture.close()
  }
})

test('a subscription that is given up for its cost matches nothing, and the log says so', () => {
  const warnings: object[] = []
  const port = regexPort({ ...silentLogger, warn: (fields: string | object) => void warnings.push(Object(fields)) })
  assert.equal(port.matching('fo+', ['foo', 'bar']), ['foo'])
  assert.equal(warnings, [])
  const noise = Array.from({ length: 1000 }, (_, name) => {
    let seed = name
    return Array.from({ length: 240 }, () => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      return seed >>> 31 === 0 ? 'a' : 'b'
    }).join('')
  })
  assert.equal(port.matching('.*a.{200}.*b.{200}c', noise), [])
  assert.equal(warnings, [{ pattern: '.*a.{200}.*b.{200}c', reason: 'it is too costly to match' }])
})

test.run()
