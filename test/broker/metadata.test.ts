import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startBroker } from '../../src/index.ts'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { metadata } from '../../src/protocol/apis/03-metadata.ts'
import { apiVersions } from '../../src/protocol/apis/18-api-versions.ts'
import { initProducerId } from '../../src/protocol/apis/22-init-producer-id.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { apis } from '../../src/protocol/registry.ts'
import { batch, everyVersion, startTestBroker, type TestBroker } from '../support/broker.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

const test = suite('metadata, versions and producer ids')
let fixture: TestBroker
test.before(async () => {
  fixture = await startTestBroker()
})
test.after(() => fixture.close())

test('every version lists the broker and the topics that are asked for', async () => {
  const { name, id } = await fixture.topic({ partitions: 2 })
  const client = await fixture.connect()
  for (const version of everyVersion(metadata)) {
    const answer = await client.send(metadata, version, { topics: [{ name }], allowAutoTopicCreation: true })
    assert.equal(
      answer.brokers.map(broker => [broker.nodeId, broker.host, broker.port]),
      [[1, '127.0.0.1', fixture.broker.port]],
    )
    if (version >= 2) assert.is(answer.clusterId, fixture.broker.clusterId)
    const [topic] = answer.topics
    assert.equal([topic!.errorCode, topic!.name, topic!.isInternal], [0, name, false])
    if (version >= 10) assert.is(topic!.topicId, id)
    assert.equal(
      topic!.partitions.map(each => [
        each.errorCode,
        each.partitionIndex,
        each.leaderId,
        each.replicaNodes,
        each.isrNodes,
      ]),
      [
        [0, 0, 1, [1], [1]],
        [0, 1, 1, [1], [1]],
      ],
    )
  }
})

test('all topics are asked for by an empty list in version 0 and by none later', async () => {
  await fixture.topic()
  const client = await fixture.connect()
  assert.ok((await client.send(metadata, 0, { topics: [] })).topics.length > 0)
  assert.ok((await client.send(metadata, 1, { topics: null })).topics.length > 0)
  assert.is((await client.send(metadata, 1, { topics: [] })).topics.length, 0)
})

test('topics are found by id, and an unknown id is answered as such', async () => {
  const { name, id } = await fixture.topic()
  const client = await fixture.connect()
  const unknown = 'AAAAAAAAAAAAAAAAAAAACA'
  const { topics } = await client.send(metadata, 12, {
    topics: [
      { topicId: id, name: null },
      { topicId: unknown, name: null },
    ],
  })
  assert.equal(
    new Map(topics.map(topic => [topic.topicId, [topic.errorCode, topic.name]])),
    new Map<string, unknown>([
      [id, [0, name]],
      [unknown, [ErrorCode.UNKNOWN_TOPIC_ID, null]],
    ]),
  )
})

test('a topic that is asked for is created and can be written at once', async () => {
  const client = await fixture.connect()
  const { topics } = await client.send(metadata, 12, { topics: [{ name: 'on-demand' }], allowAutoTopicCreation: true })
  assert.equal([topics[0]!.errorCode, topics[0]!.partitions.length], [0, 1])
  const { responses } = await client.send(produce, 9, {
    acks: -1,
    timeoutMs: 1000,
    topicData: [{ name: 'on-demand', partitionData: [{ index: 0, records: batch(['a']) }] }],
  })
  assert.is(responses[0]!.partitionResponses[0]!.errorCode, 0)
})

test('a topic is not created when the client does not want it, nor one of the broker itself', async () => {
  const client = await fixture.connect()
  const code = async (name: string, allowAutoTopicCreation: boolean) =>
    (await client.send(metadata, 12, { topics: [{ name }], allowAutoTopicCreation })).topics[0]!.errorCode
  assert.is(await code('unwanted', false), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.is(await code('unwanted', false), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.is(await code('__consumer_offsets', true), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
})

test('names that no topic may have are refused and make no topic', async () => {
  const client = await fixture.connect()
  const bad = ['', '.', '..', '../x', 'a/b', 'x'.repeat(250), 'naïve', 'tab\t', '\0']
  const { topics } = await client.send(metadata, 12, {
    topics: bad.map(name => ({ name })),
    allowAutoTopicCreation: true,
  })
  assert.equal(new Map(topics.map(topic => [topic.name, topic.errorCode])), new Map(bad.map(name => [name, 17])))
  await fixture.topic()
  const good = 'x'.repeat(249)
  const created = await client.send(metadata, 12, { topics: [{ name: good }], allowAutoTopicCreation: true })
  assert.is(created.topics[0]!.errorCode, 0)
})

test('a name that differs from another only in dot and underscore is refused', async () => {
  const client = await fixture.connect()
  const create = async (name: string) =>
    (await client.send(metadata, 12, { topics: [{ name }], allowAutoTopicCreation: true })).topics[0]!.errorCode
  assert.is(await create('a.b'), 0)
  assert.is(await create('a_b'), ErrorCode.INVALID_TOPIC_EXCEPTION)
})

test('operations are told when they are asked for', async () => {
  const { name } = await fixture.topic()
  const client = await fixture.connect()
  const asked = await client.send(metadata, 8, {
    topics: [{ name }],
    includeClusterAuthorizedOperations: true,
    includeTopicAuthorizedOperations: true,
  })
  assert.equal([asked.clusterAuthorizedOperations, asked.topics[0]!.topicAuthorizedOperations], [8096, 3576])
  const quiet = await client.send(metadata, 8, { topics: [{ name }] })
  assert.equal(
    [quiet.clusterAuthorizedOperations, quiet.topics[0]!.topicAuthorizedOperations],
    [-2147483648, -2147483648],
  )
})

test('what ApiVersions shows is what is served', async () => {
  const client = await fixture.connect()
  for (const version of everyVersion(apiVersions)) {
    const answer = await client.send(apiVersions, version, { clientSoftwareName: 'test', clientSoftwareVersion: '1.0' })
    assert.is(answer.errorCode, 0)
    const shown = new Map(answer.apiKeys.map(each => [each.apiKey, [each.minVersion, each.maxVersion]]))
    assert.equal(shown.get(0), [0, 13])
    for (const [key, range] of shown) {
      const api = apis.find(each => each.key === key)!
      if (key !== 0) assert.equal(range, [api.minVersion, api.maxVersion])
    }
    assert.equal(
      [...shown.keys()],
      [
        ...[
          0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 32, 33, 34, 35, 37, 42, 44, 45, 46, 47,
        ],
        ...[60, 68, 69, 74, 75],
      ],
    )
  }
})

test('finalised is what has effects: metadata.version, group.version and kraft.version', async () => {
  const client = await fixture.connect()
  const software = { clientSoftwareName: 'test', clientSoftwareVersion: '1.0' }
  const answer = await client.send(apiVersions, 4, software)
  assert.equal(
    answer.finalizedFeatures.map(each => [each.name, each.minVersionLevel, each.maxVersionLevel]),
    [
      ['metadata.version', 30, 30],
      ['group.version', 1, 1],
      ['kraft.version', 1, 1],
    ],
  )
  assert.ok(answer.finalizedFeaturesEpoch >= 0)
  assert.ok(answer.supportedFeatures.some(each => each.name === 'transaction.version'))
  const older = await client.send(apiVersions, 3, software)
  assert.equal(
    older.supportedFeatures.map(each => each.name),
    ['metadata.version'],
  )
})

test('a client that does not say who it is gets INVALID_REQUEST', async () => {
  const client = await fixture.connect()
  for (const name of ['', '-x', 'x-', 'a b', 'ä']) {
    const answer = await client.send(apiVersions, 3, { clientSoftwareName: name, clientSoftwareVersion: '1' })
    assert.is(answer.errorCode, ErrorCode.INVALID_REQUEST)
  }
})

test('producer ids are given once', async () => {
  const client = await fixture.connect()
  const seen = new Set<bigint>()
  for (const version of everyVersion(initProducerId)) {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        client.send(initProducerId, version, { transactionalId: null, transactionTimeoutMs: 1 }),
      ),
    )
    for (const answer of answers) {
      assert.equal([answer.errorCode, answer.producerEpoch], [0, 0])
      seen.add(answer.producerId)
    }
  }
  assert.is(seen.size, 20 * everyVersion(initProducerId).length)
})

test('a transactional id and half a producer identity are refused', async () => {
  const client = await fixture.connect()
  const ask = (request: object) =>
    client.send(initProducerId, 4, { transactionalId: null, transactionTimeoutMs: 1, ...request })
  for (const request of [
    { transactionalId: 'tx' },
    { transactionalId: '' },
    { producerId: 5n },
    { producerEpoch: 5 },
  ]) {
    const answer = await ask(request)
    assert.equal([answer.errorCode, answer.producerId, answer.producerEpoch], [ErrorCode.INVALID_REQUEST, -1n, -1])
  }
  assert.is((await ask({ producerId: 5n, producerEpoch: 3 })).errorCode, 0)
})

test('of a topic with many partitions that is created on demand the last can be written at once', async () => {
  const config = { 'num.partitions': 300 }
  const many = await startTestBroker({ dir: temporaryFolder('metadata'), config })
  try {
    const client = await many.connect()
    await client.send(metadata, 12, { topics: [{ name: 'many' }], allowAutoTopicCreation: true })
    const { responses } = await client.send(produce, 9, {
      acks: 1,
      timeoutMs: 1000,
      topicData: [{ name: 'many', partitionData: [{ index: 299, records: batch(['a']) }] }],
    })
    assert.is(responses[0]!.partitionResponses[0]!.errorCode, 0)
  } finally {
    await many.close()
  }
})

for (const [host, dial, told] of [
  ['127.0.0.1', '127.0.0.1', '127.0.0.1'],
  ['127.0.0.2', '127.0.0.2', '127.0.0.2'],
  ['::1', '::1', '::1'],
  ['0.0.0.0', '127.0.0.1', '127.0.0.1'],
  ['0.0.0.0', '127.0.0.3', '127.0.0.3'],
] as const) {
  test(`a client that dials ${dial} on a broker bound to ${host} is told ${told}`, async () => {
    const broker = await startBroker({ host, logger: false })
    try {
      const client = await WireClient.connect(broker.port, dial)
      const { brokers } = await client.send(metadata, 12, { topics: [] })
      assert.equal(
        brokers.map(each => [each.host, each.port]),
        [[told, broker.port]],
      )
      await client.close()
    } finally {
      await broker.close()
    }
  })
}

test('advertised.listeners is told whatever the client dialled', async () => {
  const config = { 'advertised.listeners': 'PLAINTEXT://kafka.example:1234' }
  const broker = await startBroker({ config, logger: false })
  try {
    const client = await WireClient.connect(broker.port)
    const { brokers } = await client.send(metadata, 12, { topics: [] })
    assert.equal(
      brokers.map(each => [each.host, each.port]),
      [['kafka.example', 1234]],
    )
    await client.close()
  } finally {
    await broker.close()
  }
})

test('with auto.create.topics.enable=false nothing is created', async () => {
  const broker = await startBroker({ config: { 'auto.create.topics.enable': false }, logger: false })
  try {
    const client = await WireClient.connect(broker.port)
    const { topics } = await client.send(metadata, 12, { topics: [{ name: 'x' }], allowAutoTopicCreation: true })
    assert.is(topics[0]!.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    await client.close()
  } finally {
    await broker.close()
  }
})

test.run()
