/** @platformatic/kafka 1.35, the last for Node 20: its producer and admin client. (Its consumer wants a group.) */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  freshTopic,
  loadPlatformatic,
  type Platformatic,
  type PlatformaticAdmin,
  platformaticVersion,
  readPartition,
  startTarget,
  type Target,
} from './target.ts'

const client = { client: '@platformatic/kafka', version: platformaticVersion }
const TOPIC_RESOURCE = 2
const LATEST = -1n

const tests = suite('@platformatic/kafka')

let target: Target
let library: Platformatic
let admin: PlatformaticAdmin

const options = () => ({ clientId: 'platformatic-test', bootstrapBrokers: [target.bootstrap], retries: 3 })

tests.before(async () => {
  target = await startTarget()
  library = await loadPlatformatic()
  admin = new library.Admin(options())
})

tests.after(async () => {
  await admin?.close()
  await target?.close()
})

tests('the admin client creates, lists, describes, grows and deletes when asked', async () => {
  const topic = freshTopic('platformatic')
  const configs = [{ name: 'max.message.bytes', value: '2000' }]
  const [created] = await admin.createTopics({ topics: [topic], partitions: 2, replicas: 1, configs })
  assert.equal([created?.name, created?.partitions, created?.replicas], [topic, 2, 1])
  assert.ok((await admin.listTopics()).includes(topic))

  const resources = [{ resourceType: TOPIC_RESOURCE, resourceName: topic, configurationKeys: ['max.message.bytes'] }]
  const [described] = await admin.describeConfigs({ resources })
  assert.equal(
    described?.configs.map(({ name, value }) => [name, value]),
    [['max.message.bytes', '2000']],
  )

  await admin.createPartitions({ topics: [{ name: topic, count: 4 }] })
  const metadata = await admin.metadata({ topics: [topic], forceUpdate: true })
  assert.is(metadata.topics.get(topic)?.partitions.length, 4)

  await admin.deleteTopics({ topics: [topic] })
  target.works(client, 'create, list, describe, grow and delete topics', 'describe configs')
})

tests('every codec comes back as it was sent when produced', async () => {
  const topic = freshTopic('platformatic')
  await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 })
  const producer = new library.Producer(options())
  // The library has zstd from Node 22.15 on.
  const zstd = process.versions.node.startsWith('20.') ? [] : ['zstd']
  const codecs = ['none', 'gzip', 'snappy', 'lz4', ...zstd]
  const expected: [string, number][] = []
  for (const [number, compression] of codecs.entries()) {
    const values = [1, 2, 3].map(each => `${compression} ${'x'.repeat(each * 100)}`)
    const messages = values.map(value => ({ topic, key: Buffer.from(compression), value: Buffer.from(value) }))
    await producer.send({ messages, compression, acks: -1 })
    expected.push(...values.map((value): [string, number] => [value, number]))
  }
  await producer.close()
  const seen = await readPartition(target.bootstrap, topic)
  assert.equal(
    seen.map(({ value, codec }) => [value, codec]),
    expected,
  )
  target.works(client, 'produce', 'fetch by its protocol calls', ...codecs.slice(1))
})

tests('an idempotent producer counts its sequences when it sends', async () => {
  const topic = freshTopic('platformatic')
  await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 })
  const producer = new library.Producer({ ...options(), idempotent: true })
  const { producerId } = await producer.initIdempotentProducer({})
  assert.ok(producerId >= 0n)
  for (let number = 0; number < 5; number++) {
    const sent = await producer.send({ messages: [{ topic, value: Buffer.from(String(number)) }], acks: -1 })
    assert.is(Number(sent.offsets?.[0]?.offset), number)
  }
  await producer.close()
  assert.equal(
    (await readPartition(target.bootstrap, topic)).map(record => record.value),
    ['0', '1', '2', '3', '4'],
  )
  target.works(client, 'idempotent produce')
})

tests('offsets are found by time and at the end when asked', async () => {
  const topic = freshTopic('platformatic')
  await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 })
  const producer = new library.Producer(options())
  for (const timestamp of [1000n, 2000n, 3000n]) {
    await producer.send({ messages: [{ topic, value: Buffer.from('x'), timestamp }], acks: -1 })
  }
  await producer.close()
  for (const [timestamp, offset] of [
    [LATEST, 3n],
    [1001n, 1n],
  ]) {
    const listed = await admin.listOffsets({
      topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp }] }],
    })
    assert.is(listed[0]?.partitions[0]?.offset, offset)
  }
  target.works(client, 'offsets by time')
})

tests.run()
