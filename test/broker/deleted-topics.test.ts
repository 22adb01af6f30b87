/** Topics that are deleted while their logs are at something: compacted, written to, brought to disk. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { createTopics } from '../../src/protocol/apis/19-create-topics.ts'
import { deleteTopics } from '../../src/protocol/apis/20-delete-topics.ts'
import { describeLogDirs } from '../../src/protocol/apis/35-describe-log-dirs.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { buildBatch } from '../../src/records/builder.ts'
import { startTestBroker, type TestBroker } from '../support/broker.ts'
import { temporaryFolder } from '../support/temporary.ts'
import type { WireClient } from '../support/wire-client.ts'

const deleted = suite('deleted topics')

const dir = temporaryFolder('deleted-topics')
const encoder = new TextEncoder()

let fixture: TestBroker
let client: WireClient

deleted.before(async () => {
  // Slow enough to be met at it.
  const config = { 'log.cleaner.backoff.ms': 20, 'log.cleaner.io.max.bytes.per.second': 20_000 }
  fixture = await startTestBroker({ dir, config })
  client = await fixture.connect()
})

deleted.after(() => fixture.close())

async function create(name: string, configs: Record<string, string> = {}): Promise<void> {
  const all = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
  const topic = { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: all }
  const { topics } = await client.send(createTopics, 7, { topics: [topic], timeoutMs: 10_000 })
  assert.is(topics[0]!.errorCode, 0)
}

async function remove(name: string): Promise<void> {
  const { responses } = await client.send(deleteTopics, 5, { topics: [], topicNames: [name], timeoutMs: 10_000 })
  assert.is(responses[0]!.errorCode, 0)
}

async function send(by: WireClient, name: string, key: string, value: string): Promise<{ code: number; base: number }> {
  const records = [{ key: encoder.encode(key), value: encoder.encode(value) }]
  const bytes = buildBatch(records, { baseOffset: 0, leaderEpoch: -1, timestamp: BigInt(Date.now()) })
  const topicData = [{ name, partitionData: [{ index: 0, records: bytes }] }]
  const { responses } = await by.send(produce, 9, { acks: -1, timeoutMs: 5000, topicData })
  const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!
  return { code: errorCode, base: baseOffset }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    assert.ok(tries < 1000, `never came: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

/** Another topic's record is brought to disk, and the directory is online. */
async function servesOthers(): Promise<void> {
  assert.is((await send(client, 'other', 'k', 'v')).code, 0)
  const { results } = await client.send(describeLogDirs, 4, { topics: null })
  assert.equal(
    results.map(({ errorCode }) => errorCode),
    [0],
  )
}

const foldersOf = (name: string) => readdirSync(dir).filter(each => each.startsWith(name))

deleted('a topic goes in the middle of its compaction, and its name can be taken again', async () => {
  await create('other')
  const configs = {
    'cleanup.policy': 'compact',
    'internal.segment.bytes': '20000',
    'min.cleanable.dirty.ratio': '0.01',
  }
  for (let round = 0; round < 3; round++) {
    await create('compacted', configs)
    for (let n = 0; n < 60; n++) {
      assert.equal(await send(client, 'compacted', `k${n % 7}`, `${n}`.repeat(500)), { code: 0, base: n })
    }
    const folder = join(dir, 'compacted-0')
    // A pass takes some seconds by the limit of its bytes: at its beginning, its middle and near its end.
    await new Promise(resolve => setTimeout(resolve, [50, 500, 1500][round]))
    await remove('compacted')
    await until('its folder has another name', () => !existsSync(folder))
    await servesOthers()
  }
  await until('its folders are gone', () => foldersOf('compacted').length === 0)
})

deleted(
  'a topic goes while it is written to and brought to disk, and what follows is refused or is the next one’s',
  async () => {
    const writers = await Promise.all(Array.from({ length: 8 }, () => fixture.connect()))
    for (let round = 0; round < 5; round++) {
      await create('written')
      let ending = false
      const codes = new Set<number>()
      const writing = writers.map(async writer => {
        while (!ending) codes.add((await send(writer, 'written', 'k', 'v'.repeat(2000))).code)
      })
      await until('records', () => codes.has(0))
      await remove('written')
      await until('a refusal', () => codes.size > 1)
      ending = true
      await Promise.all(writing)
      codes.delete(0)
      assert.equal(
        [...codes].filter(code => code !== ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        [],
      )
      await servesOthers()
    }
    await create('written')
    assert.equal(await send(client, 'written', 'k', 'v'), { code: 0, base: 0 })
    await remove('written')
    await until('its folders are gone', () => foldersOf('written').length === 0)
  },
)

deleted.run()
