/**
 * Many topics that come and go while the disk is busy: one topic is compacted and others take records that are
 * synced, and all but the compacted one are deleted meanwhile. `ODRADEK_TOPICS` says how many (20000: a quarter of an
 * hour).
 */
import { readdirSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { metadata } from '../../src/protocol/apis/03-metadata.ts'
import { createTopics } from '../../src/protocol/apis/19-create-topics.ts'
import { deleteTopics } from '../../src/protocol/apis/20-delete-topics.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { buildBatch } from '../../src/records/builder.ts'
import { startBrokerProcess } from '../support/broker-process.ts'
import { createTopic, produceBatch, readAll } from '../support/records-client.ts'
import { requires } from '../support/requires.ts'
import { removeFolder, temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 180_000

const test = suite('many topics')

const topics = Number(process.env['ODRADEK_TOPICS'] ?? 300)
const perRequest = 100
const names = Array.from({ length: topics }, (_, index) => `topic-${index}`)
const requests = Array.from({ length: Math.ceil(topics / perRequest) }, (_, at) =>
  names.slice(at * perRequest, (at + 1) * perRequest),
)
const compacted = 'compacted'
const keys = 50
const began = performance.now()
const say = (what: string): void => {
  if (topics > 300) console.log(`${what} after ${Math.round((performance.now() - began) / 100) / 10} s`)
}

const create = async (client: WireClient, some: readonly string[], configs: [string, string][]): Promise<void> => {
  const answer = await client.send(createTopics, 7, {
    topics: some.map(name => ({
      name,
      numPartitions: 1,
      replicationFactor: 1,
      assignments: [],
      configs: configs.map(([key, value]) => ({ name: key, value })),
    })),
    timeoutMs: 60_000,
  })
  assert.equal(
    answer.topics.filter(({ errorCode }) => errorCode !== 0).map(({ name }) => name),
    [],
  )
}

const listed = async (client: WireClient): Promise<string[]> => {
  const answer = await client.send(metadata, 12, { topics: null })
  assert.ok(answer.topics.every(({ errorCode }) => errorCode === 0))
  return answer.topics.map(({ name }) => name as string)
}

/** Each key once, with the round's number. */
const keyed = (round: number): Uint8Array => {
  const utf8 = new TextEncoder()
  const value = utf8.encode(`${round}`.padEnd(1000, '.'))
  return buildBatch(
    Array.from({ length: keys }, (_, key) => ({ key: utf8.encode(`key ${key}`), value })),
    { baseOffset: 0, leaderEpoch: -1, timestamp: BigInt(Date.now()) },
  )
}

const write = async (client: WireClient, name: string, records: Uint8Array): Promise<number> => {
  const topicData = [{ name, partitionData: [{ index: 0, records }] }]
  const { responses } = await client.send(produce, 9, { acks: -1, timeoutMs: 30_000, topicData })
  return responses[0]?.partitionResponses[0]?.errorCode as number
}

/** Bounded by the test's own time. */
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise(resolve => setTimeout(resolve, 50))
}

test('topics are listed, deleted during compaction and syncs, and gone after kill -9, and one stays whole', async () => {
  requires('linux')
  const dir = `${temporaryFolder('topics')}/data`
  const args = ['-c', 'log.cleaner.backoff.ms=20']
  const first = await startBrokerProcess(dir, { args })
  const [client, writer, dirtier] = await Promise.all([1, 2, 3].map(() => WireClient.connect(first.port)))
  if (client === undefined || writer === undefined || dirtier === undefined) throw new Error('three connections')
  await create(
    client,
    [compacted],
    [
      ['cleanup.policy', 'compact'],
      ['segment.bytes', '1048576'],
      ['min.cleanable.dirty.ratio', '0'],
    ],
  )
  for (const some of requests) await create(client, some, [])
  say('created')
  assert.equal((await listed(client)).sort(), [...names, compacted].sort())
  say('listed')

  let isDeleting = true
  let rounds = 0
  const dirtying = (async () => {
    for (; isDeleting || rounds < 60; rounds++) assert.is(await write(dirtier, compacted, keyed(rounds)), 0)
  })()
  const refusals = new Set<number>()
  const writing = (async () => {
    for (let at = 0; isDeleting; at = (at + 7) % topics)
      refusals.add(await write(writer, names[at] as string, keyed(0)))
  })()
  // Some logs have bytes by now, some are being written to.
  await until(() => rounds > 20)
  for (const some of requests) {
    const answer = await client.send(deleteTopics, 6, {
      topics: some.map(name => ({ name, topicId: 'AAAAAAAAAAAAAAAAAAAAAA' })),
      topicNames: [],
      timeoutMs: 60_000,
    })
    assert.equal(
      answer.responses.filter(({ errorCode }) => errorCode !== 0),
      [],
    )
  }
  isDeleting = false
  await Promise.all([dirtying, writing])
  say('deleted')
  refusals.delete(0)
  assert.equal([...refusals], refusals.size === 0 ? [] : [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
  assert.equal(await listed(client), [compacted])
  const left = (): string[] => readdirSync(dir).filter(name => name.startsWith('topic-'))
  await until(() => left().every(name => name.endsWith('-delete')))
  say('renamed')
  await Promise.all([client, writer, dirtier].map(each => each.close()))
  await first.kill()

  const second = await startBrokerProcess(dir, { args })
  say('started')
  const reader = await WireClient.connect(second.port)
  assert.equal(await listed(reader), [compacted])
  const values = (await readAll(reader, compacted, 0)).slice(-keys).map(({ value }) => Number.parseInt(value, 10))
  assert.equal(new Set(values), new Set([rounds - 1]))
  await until(() => left().length === 0)
  say('removed')
  await createTopic(reader, names[0] as string)
  assert.equal(await produceBatch(reader, { topic: names[0] as string, partition: 0, acks: -1 }, ['new']), {
    errorCode: 0,
    baseOffset: 0,
  })
  await reader.close()
  assert.is((await second.stop()).code, 0)
  removeFolder(dir)
})

test.run()
