import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { SUPPORTED_FEATURES } from '../../src/metadata/features.ts'
import type { CreateTopicsResponse } from '../../src/protocol/apis/19-create-topics.ts'
import type { DeleteTopicsResponse } from '../../src/protocol/apis/20-delete-topics.ts'
import type { CreatePartitionsResponse } from '../../src/protocol/apis/37-create-partitions.ts'
import type { BrokerRegistrationResponse } from '../../src/protocol/apis/62-broker-registration.ts'
import type { BrokerHeartbeatResponse } from '../../src/protocol/apis/63-broker-heartbeat.ts'
import type { AllocateProducerIdsResponse } from '../../src/protocol/apis/67-allocate-producer-ids.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { TestNode } from '../support/metadata-node.ts'

const test = suite('controller')
const ZERO = 'AAAAAAAAAAAAAAAAAAAAAA'

const started = async (config: Record<string, string> = {}) =>
  (await new TestNode(undefined, 1, { config }).start()).serve()

/** Name and code of each result. */
const codes = ({ topics }: CreateTopicsResponse) => topics.map(({ name, errorCode }) => [name, errorCode])

const creatable = (name: string, more: object = {}) => ({
  name,
  numPartitions: -1,
  replicationFactor: -1,
  assignments: [],
  configs: [],
  ...more,
})

const create = (node: TestNode, topics: object[], more: object = {}) =>
  node.handle<CreateTopicsResponse>(19, 7, { topics, timeoutMs: 1000, validateOnly: false, ...more })

const remove = (node: TestNode, request: object, version = 6) =>
  node.handle<DeleteTopicsResponse>(20, version, { topics: [], topicNames: [], timeoutMs: 1000, ...request })

const grow = (node: TestNode, topics: object[], validateOnly = false) =>
  node.handle<CreatePartitionsResponse>(37, 3, { topics, timeoutMs: 1000, validateOnly })

test('a created topic is in the image when its answer comes', async () => {
  const node = await started({ 'num.partitions': '3' })
  const answer = await node.createTopic('a', { configs: [{ name: 'retention.ms', value: '5' }] })
  const topic = node.metadata.image().topicsByName.get('a')!
  assert.is(topic.partitions.length, 3)
  const [result] = answer.topics
  assert.is(result!.topicId, topic.id)
  assert.is(result!.numPartitions, 3)
  assert.is(result!.replicationFactor, 1)
  const names = result!.configs!.map(config => config.name)
  assert.equal(names, [...names].sort())
  const retention = result!.configs!.find(config => config.name === 'retention.ms')!
  assert.equal([retention.value, retention.configSource], ['5', 1])
  const [partition] = topic.partitions
  assert.equal(
    { ...partition!, directories: undefined },
    {
      replicas: [1],
      directories: undefined,
      isr: [1],
      removingReplicas: [],
      addingReplicas: [],
      elr: [],
      lastKnownElr: [],
      leader: 1,
      leaderRecoveryState: 0,
      leaderEpoch: 0,
      partitionEpoch: 0,
    },
  )
  assert.equal(partition!.directories, [...node.metadata.directoryIds.values()])
})

test('names that no topic may have are refused, one by one', async () => {
  const node = await started()
  const bad = ['', '.', '..', '../x', 'a'.repeat(250), 'ä', 'a b', 'a/b', '\u0000']
  const good = ['a'.repeat(249), 'A-z_0.9', '...']
  const answer = await create(
    node,
    [...bad, ...good].map(name => creatable(name)),
  )
  for (const [name, code] of codes(answer)) {
    assert.is(
      code,
      bad.includes(String(name)) ? ErrorCode.INVALID_TOPIC_EXCEPTION : ErrorCode.NONE,
      JSON.stringify(name),
    )
  }
})

test('a name that collides with another in metrics is refused, until the other is gone', async () => {
  const node = await started()
  await node.createTopic('a.b')
  assert.equal(codes(await node.createTopic('a_b')), [['a_b', ErrorCode.INVALID_TOPIC_EXCEPTION]])
  assert.equal(codes(await node.createTopic('a.b')), [['a.b', ErrorCode.TOPIC_ALREADY_EXISTS]])
  await remove(node, { topics: [{ name: 'a.b', topicId: ZERO }] })
  assert.equal(codes(await node.createTopic('a_b')), [['a_b', ErrorCode.NONE]])
  const again = await (await new TestNode(node.disk, 2).start()).serve()
  assert.equal(codes(await again.createTopic('a.b')), [['a.b', ErrorCode.INVALID_TOPIC_EXCEPTION]])
})

test('a name that comes twice is refused for both, and the metadata topic is not to be created', async () => {
  const node = await started()
  const answer = await create(
    node,
    ['a', 'b', 'a', '__cluster_metadata'].map(name => creatable(name)),
  )
  assert.equal(codes(answer), [
    ['b', ErrorCode.NONE],
    ['a', ErrorCode.INVALID_REQUEST],
    ['__cluster_metadata', ErrorCode.INVALID_REQUEST],
  ])
})

test('numbers of partitions and replicas that make no sense are refused with their own codes', async () => {
  const node = await started()
  const cases: [object, number][] = [
    [{ replicationFactor: 0 }, ErrorCode.INVALID_REPLICATION_FACTOR],
    [{ replicationFactor: -2 }, ErrorCode.INVALID_REPLICATION_FACTOR],
    [{ replicationFactor: 2 }, ErrorCode.INVALID_REPLICATION_FACTOR],
    [{ numPartitions: 0 }, ErrorCode.INVALID_PARTITIONS],
    [{ numPartitions: -2 }, ErrorCode.INVALID_PARTITIONS],
    [{ numPartitions: 0, replicationFactor: 0 }, ErrorCode.INVALID_REPLICATION_FACTOR],
    [{ numPartitions: 10_001 }, ErrorCode.POLICY_VIOLATION],
    [{ numPartitions: 10_000 }, ErrorCode.POLICY_VIOLATION],
  ]
  for (const [more, code] of cases)
    assert.equal(codes(await node.createTopic('t', more)), [['t', code]], JSON.stringify(more))
  assert.is(node.metadata.image().topicsByName.size, 0)
})

test('a manual assignment is checked and kept', async () => {
  const node = await started()
  const assigned = (...list: [number, number[]][]) => ({
    assignments: list.map(([partitionIndex, brokerIds]) => ({ partitionIndex, brokerIds })),
  })
  const cases: [object, number][] = [
    [{ ...assigned([0, [1]]), replicationFactor: 1 }, ErrorCode.INVALID_REQUEST],
    [{ ...assigned([0, [1]]), numPartitions: 1 }, ErrorCode.INVALID_REQUEST],
    [assigned([0, [2]]), ErrorCode.INVALID_REPLICA_ASSIGNMENT],
    [assigned([0, []]), ErrorCode.INVALID_REPLICA_ASSIGNMENT],
    [assigned([0, [1, 1]]), ErrorCode.INVALID_REPLICA_ASSIGNMENT],
    [assigned([1, [1]]), ErrorCode.INVALID_REPLICA_ASSIGNMENT],
    [assigned([0, [1]], [0, [1]]), ErrorCode.INVALID_REPLICA_ASSIGNMENT],
    [assigned([1, [1]], [0, [1]]), ErrorCode.NONE],
  ]
  for (const [more, code] of cases)
    assert.equal(codes(await node.createTopic('t', more)), [['t', code]], JSON.stringify(more))
  assert.is(node.metadata.image().topicsByName.get('t')!.partitions.length, 2)
})

test('configs that a topic cannot have are refused', async () => {
  const node = await started()
  for (const [name, value] of [
    ['no.such.config', '1'],
    ['retention.ms', 'soon'],
    ['retention.ms', null],
    ['retention.ms', '1'.repeat(40_000)],
  ]) {
    assert.equal(
      codes(await node.createTopic('t', { configs: [{ name, value }] })),
      [['t', ErrorCode.INVALID_CONFIG]],
      name!,
    )
  }
})

test('validateOnly answers as if, and writes nothing', async () => {
  const node = await started()
  const end = node.logEnd
  const answer = await create(node, [creatable('a'), creatable('.')], { validateOnly: true })
  assert.equal(codes(answer), [
    ['a', ErrorCode.NONE],
    ['.', ErrorCode.INVALID_TOPIC_EXCEPTION],
  ])
  const { results } = await grow(node, [{ name: 'a', count: 2, assignments: null }], true)
  assert.is(results[0]!.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.is(node.logEnd, end)
})

test('one topic that fails does not hinder the others', async () => {
  const node = await started()
  await create(node, [creatable('a'), creatable('b', { replicationFactor: 9 }), creatable('c')])
  assert.equal([...node.metadata.image().topicsByName.keys()].sort(), ['a', 'c'])
})

test('topics are deleted by name and by id, each once', async () => {
  const node = await started()
  const ids: Record<string, string> = {}
  for (const name of ['a', 'b', 'c', 'd']) ids[name] = (await node.createTopic(name)).topics[0]!.topicId
  const topics = [
    { name: 'a', topicId: ZERO },
    { name: null, topicId: ids['b'] },
    { name: 'c', topicId: ZERO },
    { name: null, topicId: ids['c'] },
    { name: 'd', topicId: ids['d'] },
    { name: null, topicId: ZERO },
    { name: 'nobody', topicId: ZERO },
    { name: null, topicId: 'AAAAAAAAAAAAAAAAAAABBA' },
    { name: 'twice', topicId: ZERO },
    { name: 'twice', topicId: ZERO },
  ]
  const { responses } = await remove(node, { topics })
  const found = responses.map(({ name, errorCode }) => `${name} ${errorCode}`).sort()
  assert.equal(
    found,
    [
      `a ${ErrorCode.NONE}`,
      `b ${ErrorCode.NONE}`,
      `c ${ErrorCode.INVALID_REQUEST}`,
      `d ${ErrorCode.INVALID_REQUEST}`,
      `nobody ${ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}`,
      `null ${ErrorCode.UNKNOWN_TOPIC_ID}`,
      `null ${ErrorCode.INVALID_REQUEST}`,
      `twice ${ErrorCode.INVALID_REQUEST}`,
    ].sort(),
  )
  assert.equal([...node.metadata.image().topicsByName.keys()].sort(), ['c', 'd'])
})

test('deletion that is switched off is refused, in old versions with another code', async () => {
  const node = await started({ 'delete.topic.enable': 'false' })
  await node.createTopic('a')
  const request = { topicNames: ['a'] }
  assert.is((await remove(node, request, 5)).responses[0]!.errorCode, ErrorCode.TOPIC_DELETION_DISABLED)
  assert.is((await remove(node, request, 1)).responses[0]!.errorCode, ErrorCode.INVALID_REQUEST)
})

test('a topic gets more partitions, never fewer', async () => {
  const node = await started()
  await node.createTopic('a', { numPartitions: 2 })
  const cases: [object, number][] = [
    [{ name: 'nobody', count: 3, assignments: null }, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    [{ name: 'a', count: 2, assignments: null }, ErrorCode.INVALID_PARTITIONS],
    [{ name: 'a', count: 1, assignments: null }, ErrorCode.INVALID_PARTITIONS],
    [{ name: 'a', count: 4, assignments: [{ brokerIds: [1] }] }, ErrorCode.INVALID_REPLICA_ASSIGNMENT],
    [{ name: 'a', count: 3, assignments: [{ brokerIds: [2] }] }, ErrorCode.INVALID_REPLICA_ASSIGNMENT],
    [{ name: 'a', count: 3, assignments: [{ brokerIds: [] }] }, ErrorCode.INVALID_REPLICA_ASSIGNMENT],
    [{ name: 'a', count: 20_000, assignments: null }, ErrorCode.POLICY_VIOLATION],
    [{ name: 'a', count: 3, assignments: [{ brokerIds: [1] }] }, ErrorCode.NONE],
    [{ name: 'a', count: 5, assignments: null }, ErrorCode.NONE],
  ]
  for (const [topic, code] of cases) {
    assert.is((await grow(node, [topic])).results[0]!.errorCode, code, JSON.stringify(topic))
  }
  assert.is(node.metadata.image().topicsByName.get('a')!.partitions.length, 5)
  const twice = { name: 'a', count: 6, assignments: null }
  assert.equal(
    (await grow(node, [twice, twice])).results.map(result => result.errorCode),
    [ErrorCode.INVALID_REQUEST],
  )
})

test('blocks of producer ids never overlap, over restarts too', async () => {
  const node = await started()
  const block = async (from: TestNode, brokerEpoch: number) => {
    const answer = await from.handle<AllocateProducerIdsResponse>(67, 0, { brokerId: 1, brokerEpoch })
    return [answer.errorCode, answer.producerIdStart, answer.producerIdLen]
  }
  const epoch = node.lifecycle!.brokerEpoch
  assert.equal(await Promise.all([block(node, epoch), block(node, epoch)]), [
    [0, 0n, 1000],
    [0, 1000n, 1000],
  ])
  assert.is((await block(node, epoch - 1))[0], ErrorCode.STALE_BROKER_EPOCH)
  const again = await (await new TestNode(node.disk, 2).start()).serve()
  assert.equal(await block(again, again.lifecycle!.brokerEpoch), [0, 2000n, 1000])
})

test('an answer leaves when its records are synced, not before', async () => {
  const node = await started()
  node.directory.faults.holdSync = true
  let answered = false
  const answer = node.createTopic('a').then(() => (answered = true))
  await node.host.settle()
  assert.is(node.logEnd > node.disk.logs.get('__cluster_metadata-0')!.synced, true)
  assert.is(answered, false)
  assert.is(node.metadata.image().topicsByName.size, 0)
  node.directory.faults.holdSync = false
  node.directory.sync()
  await answer
  assert.is(node.metadata.image().topicsByName.size, 1)
})

test('a later operation sees what an earlier one has proposed, and answers after it', async () => {
  const node = await started()
  node.directory.faults.holdSync = true
  const order: string[] = []
  const first = node.createTopic('a').then(() => order.push('created'))
  const second = node.createTopic('a').then(answer => order.push(`again ${answer.topics[0]!.errorCode}`))
  await node.host.settle()
  assert.equal(order, [])
  node.directory.faults.holdSync = false
  node.directory.sync()
  await Promise.all([first, second])
  assert.equal(order, ['created', `again ${ErrorCode.TOPIC_ALREADY_EXISTS}`])
})

test('a refused append is answered with a storage error and leaves no trace; the next one works', async () => {
  const node = await started()
  const end = node.logEnd
  node.directory.faults.appendCode = ErrorCode.KAFKA_STORAGE_ERROR
  const refused = await Promise.all([node.createTopic('a'), node.createTopic('b'), node.createTopic('a')])
  for (const answer of refused) {
    const { errorCode } = answer.topics[0]!
    assert.is(errorCode, ErrorCode.KAFKA_STORAGE_ERROR)
  }
  assert.is(node.logEnd, end)
  assert.is(node.metadata.image().topicsByName.size, 0)
  node.directory.faults.appendCode = 0
  assert.equal(codes(await node.createTopic('a')), [['a', ErrorCode.NONE]])
  assert.is(node.logEnd, end + 2)
})

test('a refused append does not take along what was appended before it', async () => {
  const node = await started()
  const first = node.createTopic('a')
  // The first is in the log's hands by now; what comes next finds the disk full.
  await Promise.resolve()
  node.directory.faults.appendCode = ErrorCode.KAFKA_STORAGE_ERROR
  const second = node.createTopic('b')
  const both = await Promise.all([first, second])
  assert.equal(
    both.map(answer => answer.topics[0]!.errorCode),
    [ErrorCode.NONE, ErrorCode.KAFKA_STORAGE_ERROR],
  )
  node.directory.faults.appendCode = 0
  assert.equal(codes(await node.createTopic('c')), [['c', ErrorCode.NONE]])
  assert.equal([...node.metadata.image().topicsByName.keys()].sort(), ['a', 'c'])
})

test('a failed directory fails what waits and everything after it, and is told once', async () => {
  const node = await started()
  const told: string[] = []
  node.metadata.onFailed(text => told.push(text))
  node.directory.faults.holdSync = true
  const waiting = node.createTopic('a')
  await node.host.settle()
  node.directory.fail('fsync failed')
  assert.is((await waiting).topics[0]!.errorCode, ErrorCode.KAFKA_STORAGE_ERROR)
  assert.is((await node.createTopic('b')).topics[0]!.errorCode, ErrorCode.NOT_CONTROLLER)
  assert.equal(told, ['fsync failed'])
})

test('an operation whose time is over before it starts is refused', async () => {
  const node = await started()
  await node.host.advance(10)
  const request = { topics: [creatable('a')], timeoutMs: 1, validateOnly: false }
  const answer = (await node.metadata.controller.handle(19, 7, request, {
    clientId: null,
    deadlineMs: 5,
  })) as CreateTopicsResponse
  assert.equal(codes(answer), [['a', ErrorCode.REQUEST_TIMED_OUT]])
})

test('a thousand topics are created by a thousand requests', async () => {
  const node = await started()
  const answers = await Promise.all(Array.from({ length: 1000 }, (_, i) => node.createTopic(`topic-${i}`)))
  assert.ok(answers.every(answer => answer.topics[0]!.errorCode === 0))
  assert.is(node.metadata.image().topicsByName.size, 1000)
})

const registration = (node: TestNode, more: object = {}) => ({
  brokerId: 1,
  clusterId: node.metadata.clusterId,
  incarnationId: 'AAAAAAAAAAAAAAAAAAAAEA',
  listeners: [],
  features: SUPPORTED_FEATURES,
  rack: null,
  isMigratingZkBroker: false,
  logDirs: [...node.metadata.directoryIds.values()],
  previousBrokerEpoch: -1,
  ...more,
})

test('a registration that does not fit the cluster is refused', async () => {
  const node = await new TestNode().start()
  const without = (name: string) => SUPPORTED_FEATURES.filter(feature => feature.name !== name)
  const cases: [object, number][] = [
    [{ clusterId: 'other' }, ErrorCode.INCONSISTENT_CLUSTER_ID],
    [{ isMigratingZkBroker: true }, ErrorCode.BROKER_ID_NOT_REGISTERED],
    [{ logDirs: [] }, ErrorCode.INVALID_REGISTRATION],
    [{ logDirs: [ZERO] }, ErrorCode.INVALID_REGISTRATION],
    [{ logDirs: ['AAAAAAAAAAAAAAAAAAAAEA', 'AAAAAAAAAAAAAAAAAAAAEA'] }, ErrorCode.INVALID_REGISTRATION],
    [{ features: without('metadata.version') }, ErrorCode.INVALID_REGISTRATION],
    [{ features: without('group.version') }, ErrorCode.UNSUPPORTED_VERSION],
    [
      { features: [{ name: 'metadata.version', minSupportedVersion: 7, maxSupportedVersion: 29 }] },
      ErrorCode.UNSUPPORTED_VERSION,
    ],
  ]
  for (const [more, code] of cases) {
    const answer = await node.handle<BrokerRegistrationResponse>(62, 4, registration(node, more))
    assert.is(answer.errorCode, code, JSON.stringify(more))
  }
})

test('another process may not register as a broker that is alive; the same one may again, and keeps its epoch', async () => {
  const node = await started()
  const { incarnationId, epoch } = node.metadata.image().brokers.get(1)!
  const other = await node.handle<BrokerRegistrationResponse>(62, 4, registration(node))
  assert.is(other.errorCode, ErrorCode.DUPLICATE_BROKER_REGISTRATION)
  const again = await node.handle<BrokerRegistrationResponse>(62, 4, registration(node, { incarnationId }))
  assert.equal([again.errorCode, again.brokerEpoch], [0, epoch])
  assert.is(node.metadata.image().brokers.get(1)!.fenced, false)
  node.lifecycle!.close()
  await node.host.advance(9001)
  const later = await node.handle<BrokerRegistrationResponse>(62, 4, registration(node))
  assert.is(later.errorCode, 0)
})

test('a heartbeat of another epoch is stale, and one without the metadata does not lift the fence', async () => {
  const node = await new TestNode().start()
  const { brokerEpoch } = await node.handle<BrokerRegistrationResponse>(62, 4, registration(node))
  const heartbeat = (more: object) =>
    node.handle<BrokerHeartbeatResponse>(63, 2, {
      brokerId: 1,
      brokerEpoch,
      currentMetadataOffset: brokerEpoch,
      wantFence: false,
      wantShutDown: false,
      offlineLogDirs: [],
      cordonedLogDirs: null,
      ...more,
    })
  assert.is((await heartbeat({ brokerEpoch: brokerEpoch + 1 })).errorCode, ErrorCode.STALE_BROKER_EPOCH)
  const behind = await heartbeat({ currentMetadataOffset: brokerEpoch - 1 })
  assert.equal([behind.isCaughtUp, behind.isFenced], [false, true])
  const ready = await heartbeat({})
  assert.equal([ready.isCaughtUp, ready.isFenced], [true, false])
})

test('partitions in a directory that went offline lose their leader', async () => {
  const node = await started()
  await node.createTopic('a')
  const lost = [...node.metadata.directoryIds.values()]
  const { epoch: brokerEpoch } = node.metadata.image().brokers.get(1)!
  await node.handle(63, 2, {
    brokerId: 1,
    brokerEpoch,
    currentMetadataOffset: node.metadata.image().offset,
    wantFence: false,
    wantShutDown: false,
    offlineLogDirs: lost,
    cordonedLogDirs: [],
  })
  assert.is(node.metadata.image().topicsByName.get('a')!.partitions[0]!.leader, -1)
})

test('an idle node writes nothing', async () => {
  const node = await started()
  const end = node.logEnd
  const steps = node.directory.steps.length
  await node.host.advance(3_600_000)
  assert.is(node.logEnd, end)
  assert.is(node.directory.steps.length, steps)
})

test.run()
