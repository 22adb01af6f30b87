/** kafkajs 2.2: consumers in a group, and its admin client's calls for groups. */
import kafkajs, { type Consumer } from 'kafkajs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { eventually, freshTopic, quickGroups, startTarget, type Target } from './target.ts'

const { AssignerProtocol, Kafka, logLevel } = kafkajs
const client = { client: 'kafkajs', version: '2.2.4' }
const PARTITIONS = 6

export const timeoutMs = 90_000

const tests = suite('kafkajs groups')

let target: Target
let kafka: InstanceType<typeof Kafka>
let admin: ReturnType<typeof kafka.admin>
let producer: ReturnType<typeof kafka.producer>
const running = new Set<Consumer>()

tests.before(async () => {
  target = await startTarget(quickGroups)
  kafka = new Kafka({ brokers: [target.bootstrap], logLevel: logLevel.NOTHING, clientId: 'kafkajs-test' })
  admin = kafka.admin()
  producer = kafka.producer()
  await Promise.all([admin.connect(), producer.connect()])
})

tests.after.each(async () => {
  for (const consumer of running) await consumer.disconnect()
  running.clear()
})

tests.after(async () => {
  await Promise.all([admin?.disconnect(), producer?.disconnect()])
  await target?.close()
})

async function createTopic(numPartitions = PARTITIONS): Promise<string> {
  const topic = freshTopic('kafkajs-group')
  await admin.createTopics({ topics: [{ topic, numPartitions }] })
  return topic
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)

async function produce(topic: string, from: number, to: number, partitions = PARTITIONS): Promise<void> {
  const messages = numbers(from, to).map(number => ({ value: `${number}`, partition: number % partitions }))
  await producer.send({ topic, messages })
}

/** It waits for its last fetch before it leaves, and asks whether it should rebalance with each heartbeat. */
const quick = { sessionTimeout: 6000, heartbeatInterval: 200, rebalanceTimeout: 10_000, maxWaitTimeInMs: 100 }

interface Member {
  readonly consumer: Consumer
  readonly values: number[]
  /** Partitions of its generation. */
  assigned: number[]
  generations: number
}

async function join(groupId: string, topic: string): Promise<Member> {
  const consumer = kafka.consumer({ groupId, ...quick })
  running.add(consumer)
  const member: Member = { consumer, values: [], assigned: [], generations: 0 }
  consumer.on('consumer.group_join', ({ payload }) => {
    member.assigned = payload.memberAssignment[topic] ?? []
    member.generations++
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({ eachMessage: async ({ message }) => void member.values.push(Number(message.value)) })
  return member
}

async function leave(member: Member): Promise<void> {
  await member.consumer.disconnect()
  running.delete(member.consumer)
  member.assigned = []
}

/** Until all partitions are with these members, each with the same number. */
const shared = (...members: Member[]) =>
  eventually(
    () => members.map(({ assigned }) => assigned),
    assigned =>
      assigned.flat().sort().join() === numbers(0, PARTITIONS).join() &&
      assigned.every(({ length }) => length === PARTITIONS / members.length),
  )

const delivered = (members: Member[], from: number, to: number) =>
  eventually(
    () => members.flatMap(({ values }) => values),
    values => numbers(from, to).every(number => values.includes(number)),
  )

tests('a group of three shares its topic and rebalances when a member leaves and one joins', async () => {
  const topic = await createTopic()
  const [a, b, c] = [await join(topic, topic), await join(topic, topic), await join(topic, topic)]
  await shared(a, b, c)
  await produce(topic, 0, 60)
  await delivered([a, b, c], 0, 60)
  await leave(c)
  await shared(a, b)
  await produce(topic, 60, 120)
  await delivered([a, b], 60, 120)
  const d = await join(topic, topic)
  await shared(a, b, d)
  await produce(topic, 120, 180)
  await delivered([a, b, d], 120, 180)
  target.works(client, 'consumer group')
})

tests('a group resumes where it stopped when all of it was gone', async () => {
  const topic = await createTopic()
  const first = await join(topic, topic)
  await produce(topic, 0, 30)
  await delivered([first], 0, 30)
  await leave(first)
  await produce(topic, 30, 40)
  const second = await join(topic, topic)
  await delivered([second], 30, 40)
  assert.equal(
    second.values.sort((a, b) => a - b),
    numbers(30, 40),
  )
  target.works(client, 'resume from committed offsets')
})

tests('a consumer commits what it is told, and its group goes on there, when it does so itself', async () => {
  const topic = await createTopic(1)
  const groupId = freshTopic('committed')
  await produce(topic, 0, 10, 1)
  const consumer = kafka.consumer({ groupId, ...quick })
  running.add(consumer)
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  let seen = 0
  await consumer.run({ autoCommit: false, eachMessage: async () => void seen++ })
  await eventually(
    () => seen,
    count => count === 10,
  )
  await consumer.commitOffsets([{ topic, partition: 0, offset: '4', metadata: 'by hand' }])
  const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] })
  assert.equal(committed?.partitions, [{ partition: 0, offset: '4', metadata: 'by hand' }])
  await consumer.disconnect()
  running.delete(consumer)
  const next = await join(groupId, topic)
  await delivered([next], 4, 10)
  assert.equal(next.values, numbers(4, 10))
  target.works(client, 'commit offsets')
})

tests('the admin client lists, describes, sets, resets and deletes when asked', async () => {
  const topic = await createTopic()
  const groupId = topic
  await produce(topic, 0, 60)
  const member = await join(groupId, topic)
  await delivered([member], 0, 60)

  const { groups } = await admin.listGroups()
  assert.equal(
    groups.find(group => group.groupId === groupId),
    { groupId, protocolType: 'consumer' },
  )
  const [described] = (await admin.describeGroups([groupId])).groups
  assert.equal([described?.state, described?.protocol, described?.members.length], ['Stable', 'RoundRobinAssigner', 1])
  const [only] = described?.members ?? []
  assert.equal([only?.clientId, only?.clientHost], ['kafkajs-test', '/127.0.0.1'])
  const assignment = AssignerProtocol.MemberAssignment.decode(only?.memberAssignment ?? Buffer.alloc(0))
  assert.equal(assignment?.assignment[topic]?.sort(), numbers(0, PARTITIONS))
  const refused = await admin.deleteGroups([groupId]).catch(error => error.groups?.[0]?.error?.type)
  assert.is(refused, 'NON_EMPTY_GROUP')
  await leave(member)

  const offsets = async () => {
    const [fetched] = await admin.fetchOffsets({ groupId, topics: [topic] })
    return fetched?.partitions.sort((a, b) => a.partition - b.partition).map(({ offset }) => Number(offset))
  }
  assert.equal(await offsets(), Array(PARTITIONS).fill(10))
  const partitions = [
    { partition: 0, offset: '3' },
    { partition: 5, offset: '7' },
  ]
  await admin.setOffsets({ groupId, topic, partitions })
  assert.equal(await offsets(), [3, 10, 10, 10, 10, 7])
  await admin.resetOffsets({ groupId, topic, earliest: true })
  const again = await join(groupId, topic)
  await delivered([again], 0, 60)
  await leave(again)

  const [deleted] = await admin.deleteGroups([groupId])
  assert.equal([deleted?.groupId, deleted?.errorCode], [groupId, 0])
  assert.not.ok((await admin.listGroups()).groups.some(group => group.groupId === groupId))
  target.works(client, 'list, describe and delete groups', 'fetch, set and reset offsets')
})

tests.run()
