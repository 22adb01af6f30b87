/**
 * @platformatic/kafka: consumers in a group, by the classic protocol and the newer one, and its admin
 * client's calls for groups.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  eventually,
  freshTopic,
  loadPlatformatic,
  type Platformatic,
  type PlatformaticAdmin,
  type PlatformaticConsumer,
  type PlatformaticStream,
  platformaticVersion,
  quickGroups,
  startTarget,
  type Target,
} from './target.ts'

const client = { client: '@platformatic/kafka', version: platformaticVersion }
const PARTITIONS = 6

export const timeoutMs = 90_000

const tests = suite('@platformatic/kafka groups')

let target: Target
let library: Platformatic
let admin: PlatformaticAdmin
const joined = new Set<Member>()

const options = () => ({ clientId: 'platformatic-test', bootstrapBrokers: [target.bootstrap], retries: 3 })

tests.before(async () => {
  target = await startTarget(quickGroups)
  library = await loadPlatformatic()
  admin = new library.Admin(options())
})

tests.after.each(async () => {
  for (const member of joined) await leave(member)
})

tests.after(async () => {
  await admin?.close()
  await target?.close()
})

interface Member {
  readonly consumer: PlatformaticConsumer
  readonly stream: PlatformaticStream
  readonly values: number[]
}

const classic = { sessionTimeout: 6000, heartbeatInterval: 200, rebalanceTimeout: 10_000 }

async function join(groupId: string, topic: string, protocol: 'classic' | 'consumer'): Promise<Member> {
  const kind = protocol === 'classic' ? classic : { groupProtocol: 'consumer' }
  const consumer = new library.Consumer({ ...options(), ...kind, groupId, maxWaitTime: 100 })
  const stream = await consumer.consume({ topics: [topic], mode: 'committed', fallbackMode: 'earliest' })
  const member: Member = { consumer, stream, values: [] }
  joined.add(member)
  // A commit between two generations is refused, and the stream ends; what it had read is read again by others.
  stream.on('error', () => {})
  stream.on('data', message => void member.values.push(Number(new TextDecoder().decode(message.value))))
  return member
}

async function leave(member: Member): Promise<void> {
  joined.delete(member)
  await member.stream.close()
  await member.consumer.close(true)
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)

async function produce(topic: string, from: number, to: number): Promise<void> {
  // It sends everything again when one partition of a young topic has no leader yet.
  const producer = new library.Producer({ ...options(), idempotent: true })
  const messages = numbers(from, to).map(number => ({
    ...{ topic, partition: number % PARTITIONS },
    value: Buffer.from(`${number}`),
  }))
  await producer.send({ messages, acks: -1 })
  await producer.close()
}

async function createTopic(): Promise<string> {
  const topic = freshTopic('platformatic-group')
  await admin.createTopics({ topics: [topic], partitions: PARTITIONS, replicas: 1 })
  return topic
}

/** Until all partitions are with these members, each with the same number. */
const shared = (...members: Member[]) =>
  eventually(
    () => members.map(({ consumer }) => consumer.assignments?.[0]?.partitions ?? []),
    assigned =>
      assigned.flat().sort().join() === numbers(0, PARTITIONS).join() &&
      assigned.every(({ length }) => length === PARTITIONS / members.length),
  )

const delivered = (members: Member[], from: number, to: number) =>
  eventually(
    () => members.flatMap(({ values }) => values),
    values => numbers(from, to).every(number => values.includes(number)),
  )

async function committed(groupId: string): Promise<number[]> {
  const [group] = await admin.listConsumerGroupOffsets({ groups: [groupId] })
  const partitions = group?.topics[0]?.partitions ?? []
  return [...partitions].sort((a, b) => a.partitionIndex - b.partitionIndex).map(each => Number(each.committedOffset))
}

for (const protocol of ['classic', 'consumer'] as const) {
  tests(`a ${protocol} group of three shares its topic and goes on when a member leaves`, async () => {
    const topic = await createTopic()
    const [a, b, c] = [
      await join(topic, topic, protocol),
      await join(topic, topic, protocol),
      await join(topic, topic, protocol),
    ]
    await shared(a, b, c)
    await produce(topic, 0, 60)
    await delivered([a, b, c], 0, 60)
    await leave(c)
    await shared(a, b)
    await produce(topic, 60, 120)
    await delivered([a, b, c], 60, 120)
    target.works(client, `${protocol} group`)
  })

  tests(`a ${protocol} group resumes where it stopped when all of it was gone`, async () => {
    const topic = await createTopic()
    await produce(topic, 0, 60)
    const first = await join(topic, topic, protocol)
    await delivered([first], 0, 60)
    await eventually(
      () => committed(topic),
      offsets => offsets.join() === Array(PARTITIONS).fill(10).join(),
    )
    await leave(first)
    await produce(topic, 60, 72)
    const second = await join(topic, topic, protocol)
    await delivered([second], 60, 72)
    assert.equal(
      second.values.sort((a, b) => a - b),
      numbers(60, 72),
    )
    target.works(client, 'resume from committed offsets')
  })
}

tests('the admin client lists, describes, alters and deletes when asked', async () => {
  const topic = await createTopic()
  await produce(topic, 0, 60)
  const member = await join(topic, topic, 'classic')
  await delivered([member], 0, 60)
  assert.is((await admin.listGroups({ states: ['STABLE'] })).get(topic)?.groupType, 'classic')
  const described = (await admin.describeGroups({ groups: [topic] })).get(topic)
  assert.equal([described?.state, described?.protocol, described?.members.size], ['STABLE', 'roundrobin', 1])
  const [only] = [...(described?.members.values() ?? [])]
  assert.equal([only?.clientId, only?.clientHost], ['platformatic-test', '/127.0.0.1'])
  assert.equal([...(only?.assignments?.get(topic)?.partitions ?? [])].sort(), numbers(0, PARTITIONS))
  await leave(member)

  const partitionOffsets = [{ partition: 2, offset: 4n }]
  await admin.alterConsumerGroupOffsets({ groupId: topic, topics: [{ name: topic, partitionOffsets }] })
  assert.equal(await committed(topic), [10, 10, 4, 10, 10, 10])
  await admin.deleteConsumerGroupOffsets({ groupId: topic, topics: [{ name: topic, partitionIndexes: [0] }] })
  assert.is((await committed(topic)).filter(offset => offset >= 0).length, PARTITIONS - 1)
  await admin.deleteGroups({ groups: [topic] })
  assert.not.ok((await admin.listGroups()).has(topic))
  target.works(client, 'list, describe and delete groups', 'list, alter and delete offsets of groups')
})

tests.run()
