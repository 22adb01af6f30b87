import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { fetch } from '../../src/protocol/apis/01-fetch.ts'
import { deleteTopics } from '../../src/protocol/apis/20-delete-topics.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { batch, everyVersion, startTestBroker, type TestBroker, valuesIn } from '../support/broker.ts'
import { temporaryFolder } from '../support/temporary.ts'
import type { WireClient } from '../support/wire-client.ts'

const test = suite('fetch')
let fixture: TestBroker
test.before(async () => {
  fixture = await startTestBroker()
})
test.after(() => fixture.close())

const ZERO = 'AAAAAAAAAAAAAAAAAAAAAA'

interface Topic {
  name: string
  id: string
}

interface Want {
  index?: number
  offset?: number
  maxBytes?: number
  currentLeaderEpoch?: number
  lastFetchedEpoch?: number
}

interface How {
  version?: number
  maxWaitMs?: number
  minBytes?: number
  maxBytes?: number
  isolationLevel?: number
  sessionId?: number
  sessionEpoch?: number
  replicaId?: number
}

function request(topic: Topic, wants: readonly Want[], how: How = {}) {
  const { version = 12, replicaId = -1, ...rest } = how
  return {
    ...(version >= 15 ? { replicaState: { replicaId, replicaEpoch: -1 } } : { replicaId }),
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1 << 20,
    isolationLevel: 0,
    ...(version >= 7 ? { sessionId: 0, sessionEpoch: -1 } : {}),
    ...rest,
    topics:
      wants.length === 0
        ? []
        : [
            {
              topic: topic.name,
              topicId: version >= 13 ? topic.id : ZERO,
              partitions: wants.map(want => ({
                partition: want.index ?? 0,
                currentLeaderEpoch: want.currentLeaderEpoch ?? -1,
                fetchOffset: want.offset ?? 0,
                ...(version >= 12 ? { lastFetchedEpoch: want.lastFetchedEpoch ?? -1 } : {}),
                partitionMaxBytes: want.maxBytes ?? 1 << 20,
              })),
            },
          ],
    forgottenTopicsData: [],
  }
}

async function read(client: WireClient, topic: Topic, wants: readonly Want[] = [{}], how: How = {}) {
  const { response, frame } = await client.exchange(fetch, how.version ?? 12, request(topic, wants, how))
  const partitions = response.responses.flatMap(each => each.partitions)
  return { response, partitions, values: partitions.map(each => valuesIn(frame, each.records)) }
}

async function write(client: WireClient, topic: Topic, values: readonly string[], index = 0) {
  const { responses } = await client.send(produce, 9, {
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ name: topic.name, partitionData: [{ index, records: batch(values) }] }],
  })
  assert.is(responses[0]!.partitionResponses[0]!.errorCode, 0)
}

test('every version reads what was written, from the offset on', async () => {
  const topic = await fixture.topic()
  const client = await fixture.connect()
  for (const value of ['a', 'b', 'c']) await write(client, topic, [value])
  for (const version of everyVersion(fetch)) {
    const { partitions, values } = await read(client, topic, [{ offset: 1 }], { version })
    assert.equal(values, [['1:b', '2:c']], `version ${version}`)
    const [answer] = partitions
    assert.equal([answer!.errorCode, answer!.highWatermark, answer!.lastStableOffset], [0, 3, 3])
    if (version >= 5) assert.is(answer!.logStartOffset, 0)
  }
})

test('at the end there is nothing, beyond it the offset is out of range', async () => {
  const topic = await fixture.topic()
  const client = await fixture.connect()
  await write(client, topic, ['a'])
  const atEnd = await read(client, topic, [{ offset: 1 }])
  assert.equal([atEnd.partitions[0]!.errorCode, atEnd.values], [0, [[]]])
  for (const offset of [2, -1, Number.MAX_SAFE_INTEGER]) {
    const [answer] = (await read(client, topic, [{ offset }])).partitions
    assert.equal([answer!.errorCode, answer!.highWatermark], [ErrorCode.OFFSET_OUT_OF_RANGE, -1])
  }
})

test('unknown topics, partitions and ids have their codes', async () => {
  const topic = await fixture.topic()
  const client = await fixture.connect()
  const code = async (target: Topic, want: Want, how: How) =>
    (await read(client, target, [want], how)).partitions[0]!.errorCode
  assert.is(await code({ name: 'nowhere', id: ZERO }, {}, { version: 12 }), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.is(await code(topic, { index: 3 }, { version: 12 }), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.is(await code({ name: '', id: 'AAAAAAAAAAAAAAAAAAAACA' }, {}, { version: 13 }), ErrorCode.UNKNOWN_TOPIC_ID)
  assert.is(await code(topic, { currentLeaderEpoch: 9 }, { version: 12 }), ErrorCode.UNKNOWN_LEADER_EPOCH)
  assert.is(await code(topic, {}, { version: 12, replicaId: 2 }), ErrorCode.NOT_LEADER_OR_FOLLOWER)
})

test('a request waits until enough was written', async () => {
  const topic = await fixture.topic()
  const reader = await fixture.connect()
  const writer = await fixture.connect()
  const one = batch(['a']).length
  const waiting = read(reader, topic, [{}], { maxWaitMs: 20_000, minBytes: 2 * one })
  let answered = false
  void waiting.then(() => {
    answered = true
  })
  await write(writer, topic, ['a'])
  await read(writer, topic)
  assert.is(answered, false)
  await write(writer, topic, ['b'])
  assert.equal((await waiting).values, [['0:a', '1:b']])
})

test('a request that waited long enough is answered with what there is', async () => {
  const topic = await fixture.topic({ partitions: 2 })
  const client = await fixture.connect()
  await write(client, topic, ['a'], 1)
  const { values } = await read(client, topic, [{}, { index: 1 }], { maxWaitMs: 50, minBytes: 100_000 })
  assert.equal(values, [[], ['0:a']])
})

test('a waiting request hears of records in any of its partitions', async () => {
  const topic = await fixture.topic({ partitions: 3 })
  const reader = await fixture.connect()
  const writer = await fixture.connect()
  const waiting = read(reader, topic, [{}, { index: 1 }, { index: 2 }], { maxWaitMs: 20_000 })
  await write(writer, topic, ['a'], 2)
  assert.equal((await waiting).values, [[], [], ['0:a']])
})

test('an error is answered at once, however long the request would wait', async () => {
  const topic = await fixture.topic()
  const client = await fixture.connect()
  const { partitions } = await read(client, topic, [{ offset: 99 }], { maxWaitMs: 60_000 })
  assert.is(partitions[0]!.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE)
})

test('a waiting request is answered when its topic is deleted', async () => {
  const topic = await fixture.topic()
  const reader = await fixture.connect()
  const admin = await fixture.connect()
  const waiting = read(reader, topic, [{}], { maxWaitMs: 60_000 })
  await read(admin, topic)
  await admin.send(deleteTopics, 5, { topics: [], topicNames: [topic.name], timeoutMs: 5000 })
  assert.is((await waiting).partitions[0]!.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
})

test('one batch is answered even if it is larger than every limit, but only by the first partition', async () => {
  const topic = await fixture.topic({ partitions: 2 })
  const client = await fixture.connect()
  for (const index of [0, 1]) await write(client, topic, ['x'.repeat(5000)], index)
  const byPartition = await read(client, topic, [{ maxBytes: 10 }, { index: 1, maxBytes: 10 }])
  assert.equal(
    byPartition.values.map(each => each.length),
    [1, 0],
  )
  const byResponse = await read(client, topic, [{}, { index: 1 }], { maxBytes: 10 })
  assert.equal(
    byResponse.values.map(each => each.length),
    [1, 0],
  )
})

test('partitions are read in order until the response is full', async () => {
  const topic = await fixture.topic({ partitions: 4 })
  const client = await fixture.connect()
  const one = batch(['x'.repeat(1000)]).length
  for (const index of [0, 1, 2, 3]) {
    for (const value of ['x', 'y', 'z']) await write(client, topic, [value.repeat(1000)], index)
  }
  const all = [0, 1, 2, 3].map(index => ({ index }))
  const { values } = await read(client, topic, all, { maxBytes: 4 * one })
  assert.equal(
    values.map(each => each.length),
    [3, 1, 0, 0],
  )
  const together = await read(
    client,
    topic,
    all.map(want => ({ ...want, maxBytes: 3 * one })),
    { maxBytes: 4 * one },
  )
  assert.equal(
    together.values.map(each => each.length),
    [3, 1, 0, 0],
  )
  const turned = await read(client, topic, [...all].reverse(), { maxBytes: 3 * one })
  assert.equal(
    turned.values.map(each => each.length),
    [3, 0, 0, 0],
  )
  const bounded = await read(
    client,
    topic,
    all.map(want => ({ ...want, maxBytes: one })),
  )
  assert.equal(
    bounded.values.map(each => each.length),
    [1, 1, 1, 1],
  )
})

test('large answers arrive whole', async () => {
  const topic = await fixture.topic()
  const client = await fixture.connect()
  const big = 'x'.repeat(300_000)
  for (const prefix of ['a', 'b', 'c']) await write(client, topic, [prefix + big])
  const { values } = await read(client, topic)
  assert.equal(
    values[0]!.map(value => value.slice(0, 3)),
    ['0:a', '1:b', '2:c'],
  )
  assert.ok(values[0]!.every(value => value.length === big.length + 3))
})

test('a reader of committed records gets them with an empty list of aborted ones', async () => {
  const topic = await fixture.topic()
  const client = await fixture.connect()
  await write(client, topic, ['a'])
  const committed = await read(client, topic, [{}], { isolationLevel: 1 })
  assert.equal([committed.values, committed.partitions[0]!.abortedTransactions], [[['0:a']], []])
  assert.is((await read(client, topic)).partitions[0]!.abortedTransactions, null)
})

test('a session answers what is news and keeps the partitions in mind', async () => {
  const topic = await fixture.topic({ partitions: 2 })
  const client = await fixture.connect()
  const first = await read(client, topic, [{}, { index: 1 }], { sessionEpoch: 0 })
  const { sessionId } = first.response
  assert.ok(sessionId > 0)
  assert.is(first.partitions.length, 2)
  const still = await read(client, topic, [], { sessionId, sessionEpoch: 1 })
  assert.is(still.partitions.length, 0)
  await write(client, topic, ['a'], 1)
  const news = await read(client, topic, [], { sessionId, sessionEpoch: 2 })
  assert.equal(
    news.partitions.map(each => each.partitionIndex),
    [1],
  )
  assert.equal(news.values, [['0:a']])
  const moved = await read(client, topic, [{ index: 1, offset: 1 }], { sessionId, sessionEpoch: 3 })
  assert.is(moved.partitions.length, 0)
  const wrong = await read(client, topic, [], { sessionId, sessionEpoch: 3 })
  assert.is(wrong.response.errorCode, ErrorCode.INVALID_FETCH_SESSION_EPOCH)
  const unknown = await read(client, topic, [], { sessionId: sessionId + 1, sessionEpoch: 4 })
  assert.is(unknown.response.errorCode, ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
})

test('a waiting session with a partition that does not exist waits for the others', async () => {
  const topic = await fixture.topic()
  const reader = await fixture.connect()
  const writer = await fixture.connect()
  const waiting = read(reader, topic, [{}, { index: 5 }], { maxWaitMs: 20_000 })
  let answered = false
  void waiting.then(() => {
    answered = true
  })
  await read(writer, topic)
  assert.is(answered, false)
  await write(writer, topic, ['a'])
  const { partitions, values } = await waiting
  assert.equal(values, [['0:a'], []])
  assert.equal(
    partitions.map(each => each.errorCode),
    [0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
  )
})

test('a client that goes away while its request waits disturbs nobody', async () => {
  const topic = await fixture.topic()
  const leaving = await fixture.connect()
  const writer = await fixture.connect()
  const waiting = read(leaving, topic, [{}], { maxWaitMs: 60_000 })
  waiting.catch(() => {})
  await read(writer, topic)
  await leaving.close()
  await write(writer, topic, ['a'])
  assert.equal((await read(writer, topic)).values, [['0:a']])
})

test('a last fetched epoch that the log has not reached is out of range', async () => {
  const topic = await fixture.topic()
  const client = await fixture.connect()
  await write(client, topic, ['a', 'b'])
  const same = await read(client, topic, [{ offset: 2, lastFetchedEpoch: 0 }])
  assert.equal([same.partitions[0]!.errorCode, same.partitions[0]!.divergingEpoch.epoch], [0, -1])
  const ahead = await read(client, topic, [{ offset: 2, lastFetchedEpoch: 4 }], { maxWaitMs: 20_000 })
  assert.is(ahead.partitions[0]!.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE)
})

test('a reader of an earlier life is told where its log diverges', async () => {
  const dir = temporaryFolder('fetch')
  const before = await startTestBroker({ dir })
  const topic = await before.topic()
  await write(await before.connect(), topic, ['a', 'b'])
  await before.close()
  const after = await startTestBroker({ dir })
  try {
    const client = await after.connect()
    await write(client, topic, ['c'])
    const agrees = await read(client, topic, [{ offset: 2, lastFetchedEpoch: 0 }])
    assert.equal(agrees.values, [['2:c']])
    const [answer] = (await read(client, topic, [{ offset: 3, lastFetchedEpoch: 0 }], { maxWaitMs: 20_000 })).partitions
    assert.equal(answer!.divergingEpoch, { epoch: 0, endOffset: 2 })
    const fenced = await read(client, topic, [{ currentLeaderEpoch: 0 }])
    assert.is(fenced.partitions[0]!.errorCode, ErrorCode.FENCED_LEADER_EPOCH)
  } finally {
    await after.close()
  }
})

test('a request without partitions is answered at once', async () => {
  const client = await fixture.connect()
  const { response } = await read(client, { name: 'x', id: ZERO }, [], { maxWaitMs: 60_000 })
  assert.equal([response.errorCode, response.responses], [0, []])
})

test.run()
