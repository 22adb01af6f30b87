/** kafkajs 2.2: its producer and admin client. (Its consumers: kafkajs-groups.test.ts.) */
import kafkajs from 'kafkajs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { freshTopic, readPartition, startTarget, type Target } from './target.ts'

const { CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = kafkajs
const client = { client: 'kafkajs', version: '2.2.4' }

const tests = suite('kafkajs')

let target: Target
let kafka: InstanceType<typeof Kafka>
let admin: ReturnType<typeof kafka.admin>

tests.before(async () => {
  target = await startTarget()
  kafka = new Kafka({ brokers: [target.bootstrap], logLevel: logLevel.NOTHING, clientId: 'kafkajs-test' })
  admin = kafka.admin()
  await admin.connect()
})

tests.after(async () => {
  await admin?.disconnect()
  await target?.close()
})

tests('the admin client creates, lists, describes, grows and deletes when asked', async () => {
  const topic = freshTopic('kafkajs')
  const configEntries = [{ name: 'retention.ms', value: '1000000' }]
  assert.ok(await admin.createTopics({ topics: [{ topic, numPartitions: 3, replicationFactor: 1, configEntries }] }))
  assert.not.ok(await admin.createTopics({ topics: [{ topic }] }))
  assert.ok((await admin.listTopics()).includes(topic))
  const described = await admin.fetchTopicMetadata({ topics: [topic] })
  assert.is(described.topics[0]?.partitions.length, 3)

  const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic }]
  const configs = await admin.describeConfigs({ resources, includeSynonyms: true })
  const retention = configs.resources[0]?.configEntries.find(entry => entry.configName === 'retention.ms')
  assert.is(retention?.configValue, '1000000')

  await admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] })
  const grown = await admin.fetchTopicMetadata({ topics: [topic] })
  assert.is(grown.topics[0]?.partitions.length, 5)

  const cluster = await admin.describeCluster()
  assert.is(cluster.brokers.length, 1)
  assert.is(cluster.brokers[0]?.port, Number(target.bootstrap.split(':')[1]))

  await admin.deleteTopics({ topics: [topic] })
  assert.not.ok((await admin.listTopics()).includes(topic))
  target.works(client, 'create, list, describe, grow and delete topics', 'describe configs', 'describe cluster')
})

tests('a bad topic is refused with Kafka’s error when created', async () => {
  const refused = async (topic: object, type: string) => {
    const error = await admin.createTopics({ topics: [topic as never] }).then(
      () => undefined,
      failure => failure,
    )
    const first = (error as { errors?: { type: string }[] } | undefined)?.errors?.[0] ?? error
    assert.is((first as { type?: string } | undefined)?.type, type)
  }
  await refused({ topic: 'no/slash' }, 'INVALID_TOPIC_EXCEPTION')
  await refused({ topic: freshTopic('kafkajs'), replicationFactor: 2 }, 'INVALID_REPLICATION_FACTOR')
  const configEntries = [{ name: 'retention.ms', value: 'soon' }]
  await refused({ topic: freshTopic('kafkajs'), configEntries }, 'INVALID_CONFIG')
})

tests('the producer writes with every acks and gzip when idempotent or not', async () => {
  const topic = freshTopic('kafkajs')
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] })
  const expected: string[] = []
  for (const idempotent of [false, true]) {
    const producer = kafka.producer({ idempotent, retry: { retries: 5 } })
    await producer.connect()
    for (const acks of idempotent ? [-1] : [-1, 1]) {
      for (const compression of [CompressionTypes.None, CompressionTypes.GZIP]) {
        const values = [1, 2, 3].map(number => `${idempotent}-${acks}-${compression}-${number}`)
        expected.push(...values)
        const messages = values.map(value => ({ key: `key-${value}`, value, headers: { trace: 'yes' } }))
        const [sent] = await producer.send({ topic, acks, compression, messages })
        assert.is(sent?.errorCode, 0)
        assert.is(Number(sent?.baseOffset), expected.length - values.length)
      }
    }
    await producer.disconnect()
  }
  const seen = await readPartition(target.bootstrap, topic)
  assert.equal(
    seen.map(record => record.value),
    expected,
  )
  assert.is(seen[0]?.key, `key-${expected[0]}`)
  target.works(client, 'produce', 'idempotent produce', 'gzip')
})

tests('offsets are found by time and at both ends when asked', async () => {
  const topic = freshTopic('kafkajs')
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] })
  const producer = kafka.producer()
  await producer.connect()
  for (const timestamp of ['1000', '2000', '3000']) {
    await producer.send({ topic, messages: [{ value: timestamp, timestamp }] })
  }
  await producer.disconnect()
  const [offsets] = await admin.fetchTopicOffsets(topic)
  assert.equal([offsets?.low, offsets?.high], ['0', '3'])
  assert.is((await admin.fetchTopicOffsetsByTimestamp(topic, 1500))[0]?.offset, '1')
  target.works(client, 'offsets by time')
})

tests('a topic is made by itself when a producer asks for it', async () => {
  const topic = freshTopic('kafkajs')
  const producer = kafka.producer({ allowAutoTopicCreation: true })
  await producer.connect()
  await producer.send({ topic, messages: [{ value: 'first' }] })
  await producer.disconnect()
  assert.equal(
    (await readPartition(target.bootstrap, topic)).map(record => record.value),
    ['first'],
  )
})

tests('acks=0 is written without an answer when sent', async () => {
  const topic = freshTopic('kafkajs')
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] })
  const producer = kafka.producer()
  await producer.connect()
  await producer.send({ topic, acks: 0, messages: [{ value: 'unanswered' }] })
  // The next request of the same connection is read after it.
  await producer.send({ topic, acks: -1, messages: [{ value: 'answered' }] })
  await producer.disconnect()
  assert.equal(
    (await readPartition(target.bootstrap, topic)).map(record => record.value),
    ['unanswered', 'answered'],
  )
})

tests.run()
