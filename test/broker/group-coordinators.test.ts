import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { silentLogger } from '../../src/base/logger.ts'
import { Broker } from '../../src/broker/broker.ts'
import { GROUPS_TOPIC, GroupCoordinators, regexPort } from '../../src/broker/group-coordinators.ts'
import { resolveConfig } from '../../src/config/resolve.ts'
import { SimulatedHost } from '../../src/host/simulated.ts'
import { systemHost } from '../../src/host/system.ts'
import type { MetadataImage } from '../../src/metadata/image.ts'
import { NativeRuntime } from '../../src/native/runtime.ts'
import { Partition } from '../../src/partition/partition.ts'
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

test('whoever looks for a coordinator on an offline directory hears of it at once', async () => {
  const resolved = resolveConfig([], { host: '127.0.0.1', port: 0, dir: 'memory' })
  if (!resolved.ok) throw new Error('the default config is refused')
  const nodeId = 1
  const host = new SimulatedHost({ seed: 1 })
  const partitions = [0, 1].map(index => new Partition(GROUPS_TOPIC, 'id', index, nodeId))
  const topic = { id: 'id', name: GROUPS_TOPIC, partitions: partitions.map(() => ({ leader: nodeId, leaderEpoch: 0 })) }
  const image = { topicsByName: new Map([[GROUPS_TOPIC, topic]]) } as unknown as MetadataImage
  const unused = () => assert.unreachable()
  const coordinators = new GroupCoordinators({
    host,
    logger: silentLogger,
    nodeId,
    config: () => resolved.config,
    image: () => image,
    controller: { handle: unused } as never,
    replicas: {
      partition: (_, index) => partitions[index],
      whenReady: () => Promise.resolve(),
      logDirectories: () => [],
      move: async () => 0,
    },
    writer: {} as never,
    listenFirst: { whenHeard: unused },
  })
  const heard: number[] = []
  for (const index of [0, 1]) void coordinators.whenReady(index).then(leader => heard.push(index, leader))
  partitions[0]!.fail(ErrorCode.KAFKA_STORAGE_ERROR)
  void coordinators.whenReady(0).then(leader => heard.push(0, leader))
  await host.settle()
  assert.equal(heard, [0, -1])
  await host.advance(1000)
  assert.equal(heard, [0, -1, 0, -1], 'the one whose log is being opened is awaited')
  partitions[1]!.fail(ErrorCode.KAFKA_STORAGE_ERROR)
  await host.advance(100)
  assert.equal(heard, [0, -1, 0, -1, 1, -1])
  coordinators.close()
})

test.run()
