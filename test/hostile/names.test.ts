/** Topic names that are no names, through every door that takes one, and what lies on the disk afterwards. */
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { listOffsets } from '../../src/protocol/apis/02-list-offsets.ts'
import { metadata } from '../../src/protocol/apis/03-metadata.ts'
import { createTopics } from '../../src/protocol/apis/19-create-topics.ts'
import { deleteTopics } from '../../src/protocol/apis/20-delete-topics.ts'
import { describeConfigs } from '../../src/protocol/apis/32-describe-configs.ts'
import { createPartitions } from '../../src/protocol/apis/37-create-partitions.ts'
import { describeTopicPartitions } from '../../src/protocol/apis/75-describe-topic-partitions.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { batch } from '../support/broker.ts'
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts'
import { produceBatch, readAll } from '../support/records-client.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

const test = suite('topic names')

const noNames = [
  '',
  '.',
  '..',
  '../x',
  '../../x',
  'a/b',
  '/absolute',
  './x',
  'a\\b',
  'a\0b',
  'a b',
  'a\nb',
  '%2e%2e',
  'ümlaut',
  '話題',
  '😀',
  // A Cyrillic letter that looks like a Latin one, and a full-width dot.
  'tоpic',
  '．．',
  'x'.repeat(250),
  'x'.repeat(32_000),
  '\ud800',
]
const longest = 'y'.repeat(249)
const odd = ['-', '_', '...', 'CON', 'a-0', 'a.0123456789abcdef0123456789abcdef-delete', longest]

let around: string
let dir: string
let broker: BrokerProcess
let client: WireClient

const start = async () => {
  broker = await startBrokerProcess(dir)
  client = await WireClient.connect(broker.port)
}

test.before(async () => {
  around = temporaryFolder('names')
  dir = join(around, 'deep', 'data')
  await start()
})
test.after(async () => {
  await client.close()
  assert.is((await broker.stop()).code, 0)
})

const creatable = (name: string) => ({ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] })

/** Everything below `folder`, without what lies in the data directory. */
const outside = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name)
    if (path === dir || !entry.isDirectory()) return [path]
    return [path, ...outside(path)]
  })

/** The partitions' folders; Kafka's own are left out. */
const folders = (): string[] =>
  readdirSync(dir, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && entry.name !== '__cluster_metadata-0')
    .map(entry => entry.name)
    .sort()

const nothingMade = () => {
  assert.equal(outside(around), [dirname(dir), dir])
  assert.equal(folders(), [])
}

for (const version of [2, 5, 7]) {
  test(`CreateTopics ${version} refuses every name that no topic may have, and makes nothing`, async () => {
    const { topics } = await client.send(createTopics, version, { topics: noNames.map(creatable), timeoutMs: 10_000 })
    assert.is(topics.length, noNames.length)
    for (const { name, errorCode } of topics) assert.is(errorCode, ErrorCode.INVALID_TOPIC_EXCEPTION, name)
    nothingMade()
  })
}

for (const version of [1, 4, 9, 12]) {
  test(`Metadata ${version} creates no topic of a name that none may have`, async () => {
    const { topics } = await client.send(metadata, version, {
      topics: noNames.map(name => ({ name })),
      ...(version >= 4 ? { allowAutoTopicCreation: true } : {}),
    })
    assert.is(topics.length, noNames.length)
    for (const { name, errorCode } of topics) assert.is(errorCode, ErrorCode.INVALID_TOPIC_EXCEPTION, name ?? 'null')
    nothingMade()
  })
}

test('every other API knows no such topic', async () => {
  const { responses } = await client.send(produce, 9, {
    acks: -1,
    timeoutMs: 1000,
    topicData: noNames.map(name => ({ name, partitionData: [{ index: 0, records: batch(['a']) }] })),
  })
  const produced = responses.map(topic => topic.partitionResponses[0]?.errorCode)
  assert.equal(new Set(produced), new Set([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]))
  const listed = await client.send(listOffsets, 7, {
    replicaId: -1,
    isolationLevel: 0,
    topics: noNames.map(name => ({ name, partitions: [{ partitionIndex: 0, timestamp: -1n }] })),
  })
  const answers = listed.topics.map(topic => topic.partitions[0]?.errorCode)
  assert.equal(new Set(answers), new Set([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]))
  const deleted = await client.send(deleteTopics, 5, { topics: [], topicNames: noNames, timeoutMs: 1000 })
  assert.equal(
    new Set(deleted.responses.map(topic => topic.errorCode)),
    new Set([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]),
  )
  const grown = await client.send(createPartitions, 3, {
    topics: noNames.map(name => ({ name, count: 2, assignments: null })),
    timeoutMs: 1000,
    validateOnly: false,
  })
  assert.equal(new Set(grown.results.map(topic => topic.errorCode)), new Set([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]))
  const described = await client.send(describeConfigs, 4, {
    resources: noNames.map(name => ({ resourceType: 2, resourceName: name, configurationKeys: null })),
  })
  assert.equal(new Set(described.results.map(topic => topic.errorCode)), new Set([ErrorCode.INVALID_TOPIC_EXCEPTION]))
  const paged = await client.send(describeTopicPartitions, 0, {
    topics: noNames.map(name => ({ name })),
    responsePartitionLimit: 100,
    cursor: null,
  })
  assert.equal(new Set(paged.topics.map(topic => topic.errorCode)), new Set([ErrorCode.INVALID_TOPIC_EXCEPTION]))
  nothingMade()
})

test('a name that differs from another only in dots and underscores is refused by both doors', async () => {
  const made = await client.send(createTopics, 7, { topics: [creatable('col.li_de')], timeoutMs: 10_000 })
  assert.is(made.topics[0]?.errorCode, 0)
  const colliding = ['col_li_de', 'col.li.de', 'col_li.de']
  const refused = await client.send(createTopics, 7, { topics: colliding.map(creatable), timeoutMs: 10_000 })
  for (const { errorCode } of refused.topics) assert.is(errorCode, ErrorCode.INVALID_TOPIC_EXCEPTION)
  const asked = await client.send(metadata, 12, {
    topics: colliding.map(name => ({ name })),
    allowAutoTopicCreation: true,
  })
  for (const { errorCode } of asked.topics) assert.is(errorCode, ErrorCode.INVALID_TOPIC_EXCEPTION)
  assert.equal(folders(), ['col.li_de-0'])
  const gone = await client.send(deleteTopics, 5, { topics: [], topicNames: ['col.li_de'], timeoutMs: 1000 })
  assert.is(gone.responses[0]?.errorCode, 0)
})

test('odd names and the longest are topics like others, over a restart and a deletion', async () => {
  const made = await client.send(createTopics, 7, { topics: odd.map(creatable), timeoutMs: 10_000 })
  for (const { name, errorCode, errorMessage } of made.topics) assert.is(errorCode, 0, `${name}: ${errorMessage}`)
  const written = async (value: string) => {
    for (const topic of odd) {
      assert.is((await produceBatch(client, { topic, partition: 0, acks: -1 }, [value])).errorCode, 0, topic)
    }
  }
  await written('first')
  await client.close()
  assert.is((await broker.stop()).code, 0)
  await start()
  await written('second')
  for (const topic of odd)
    assert.equal(
      (await readAll(client, topic, 0)).map(({ value }) => value),
      ['first', 'second'],
    )
  const gone = await client.send(deleteTopics, 5, { topics: [], topicNames: odd, timeoutMs: 10_000 })
  for (const { name, errorCode } of gone.responses) assert.is(errorCode, 0, name ?? 'null')
  await client.close()
  assert.is((await broker.stop()).code, 0)
  assert.equal(folders(), [], 'deleted topics left folders')
  assert.equal(outside(around), [dirname(dir), dir])
  await start()
})

test.run()
