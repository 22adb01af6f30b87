import { cpSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigError, type Logger, StorageError, startBroker } from '../../src/index.ts'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { fetch } from '../../src/protocol/apis/01-fetch.ts'
import { metadata } from '../../src/protocol/apis/03-metadata.ts'
import { deleteTopics } from '../../src/protocol/apis/20-delete-topics.ts'
import { batch, startTestBroker } from '../support/broker.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

const test = suite('start broker')

async function refusal(promise: Promise<{ close(): Promise<void> }>): Promise<Error & { code?: string }> {
  try {
    await (await promise).close()
  } catch (error) {
    return error as Error
  }
  throw new Error('it started')
}

test('a broker in memory says where it is and is gone when closed', async () => {
  const broker = await startBroker({ logger: false })
  assert.equal(broker.bootstrapServers, [`127.0.0.1:${broker.port}`])
  assert.match(broker.clusterId, /^[\w-]{22}$/)
  const client = await WireClient.connect(broker.port)
  const closing = broker.close()
  assert.is(broker.close(), closing)
  await closing
  await client.closed
  assert.is(
    await WireClient.connect(broker.port).then(
      () => 'open',
      () => 'closed',
    ),
    'closed',
  )
})

test('brokers beside each other know nothing of one another', async () => {
  const one = await startTestBroker()
  const two = await startTestBroker()
  await one.topic()
  const { topics } = await (await two.connect()).send(metadata, 12, { topics: null })
  assert.equal(topics, [])
  assert.is.not(one.broker.clusterId, two.broker.clusterId)
  await one.close()
  await two.topic()
  await two.close()
})

test('a broker on disk goes on where it stopped', async () => {
  const dir = temporaryFolder('broker')
  const before = await startTestBroker({ dir })
  const { name } = await before.topic({ partitions: 3 })
  const client = await before.connect()
  await client.send(produce, 9, {
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ name, partitionData: [{ index: 2, records: batch(['a', 'b']) }] }],
  })
  const { clusterId } = before.broker
  await before.close()
  const after = await startTestBroker({ dir })
  try {
    assert.is(after.broker.clusterId, clusterId)
    const again = await after.connect()
    const { responses } = await again.send(fetch, 12, {
      maxWaitMs: 0,
      minBytes: 1,
      topics: [{ topic: name, partitions: [{ partition: 2, fetchOffset: 0, partitionMaxBytes: 1000 }] }],
      forgottenTopicsData: [],
    })
    const [answer] = responses[0]!.partitions
    assert.equal([answer!.errorCode, answer!.highWatermark], [0, 2])
  } finally {
    await after.close()
  }
})

test('what a deleted topic has left on disk does not stand in the way of a new one of its name', async () => {
  const dir = temporaryFolder('broker')
  const before = await startTestBroker({ dir })
  const { name } = await before.topic({ partitions: 2 })
  await before.close()
  // A crash between the deletion's record and that of the folders: the folder is there, its topic is not.
  const kept = temporaryFolder('kept')
  cpSync(`${dir}/${name}-0`, `${kept}/${name}-0`, { recursive: true })
  const deleting = await startTestBroker({ dir })
  const admin = await deleting.connect()
  await admin.send(deleteTopics, 5, { topics: [], topicNames: [name], timeoutMs: 5000 })
  await deleting.close()
  cpSync(`${kept}/${name}-0`, `${dir}/${name}-0`, { recursive: true })

  const after = await startTestBroker({ dir })
  try {
    const strays = readdirSync(dir).filter(folder => folder.endsWith('-stray'))
    assert.is(strays.length, 1)
    assert.match(strays[0]!, new RegExp(`^${name}-0\\.[0-9a-f]{32}-stray$`))
    const client = await after.connect()
    await client.send(metadata, 12, { topics: [{ name }], allowAutoTopicCreation: true })
    const { responses } = await client.send(produce, 9, {
      acks: -1,
      timeoutMs: 5000,
      topicData: [{ name, partitionData: [{ index: 0, records: batch(['a']) }] }],
    })
    assert.equal(
      [responses[0]!.partitionResponses[0]!.errorCode, responses[0]!.partitionResponses[0]!.baseOffset],
      [0, 0],
    )
  } finally {
    await after.close()
  }
})

test('closing answers a request that is waiting', async () => {
  const fixture = await startTestBroker()
  const { name } = await fixture.topic()
  const client = await fixture.connect()
  const waiting = client.send(fetch, 12, {
    maxWaitMs: 600_000,
    minBytes: 1,
    topics: [{ topic: name, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] }],
    forgottenTopicsData: [],
  })
  await (await fixture.connect()).send(metadata, 12, { topics: [] })
  const closing = fixture.broker.close()
  assert.is((await waiting).responses[0]!.partitions.length, 1)
  await closing
})

test('a bad setting names itself and what is allowed', async () => {
  const error = (await refusal(startBroker({ config: { 'log.segment.bytes': 'x' }, logger: false }))) as ConfigError
  assert.instance(error, ConfigError)
  assert.equal([error.code, error.key, error.value], ['ERR_CONFIG', 'log.segment.bytes', 'x'])
  assert.ok(error.allowed.length > 0)
})

test('an option that is mistyped or cannot be used is refused, never taken for its absence', async () => {
  const cases: [object, RegExp][] = [
    [{ dri: './data' }, /startBroker has no option dri; the nearest is dir/],
    [{ dir: null }, /dir must be a path, as text, not null/],
    [{ dir: '' }, /dir must be a path, as text, not ''/],
    [{ flush: 'never' }, /flush must be one of group, os, not never/],
  ]
  for (const [options, message] of cases) {
    const error = await refusal(startBroker({ logger: false, ...options }))
    assert.instance(error, ConfigError)
    assert.match(error.message, message)
  }
})

test('settings without effect and folders that were renamed are warnings', async () => {
  const dir = temporaryFolder('broker')
  await (await startBroker({ dir, logger: false })).close()
  mkdirSync(`${dir}/audit-0`)
  const warnings: string[] = []
  const note = (first: string | object) => void warnings.push(String(first))
  const logger: Logger = { debug: () => {}, info: () => {}, warn: note, error: note }
  const broker = await startBroker({ dir, logger, config: { 'num.io.threads': 2 } })
  await broker.close()
  const said = warnings.join('\n')
  assert.match(said, /nothing acts on it yet: num\.io\.threads/)
  assert.match(said, /belong to no topic were renamed: .*audit-0\.[0-9a-f]+-stray/)
})

test('an unknown setting is a warning that names the nearest one', async () => {
  const warnings: string[] = []
  const note = (first: string | object, text?: string) =>
    void warnings.push(typeof first === 'string' ? first : (text ?? ''))
  const quiet = () => {}
  const logger: Logger = { debug: quiet, info: quiet, warn: note, error: note }
  await (await startBroker({ config: { 'log.retention.hour': 1 }, logger })).close()
  assert.match(warnings.join('\n'), /log\.retention\.hours/)
})

test('a directory that is in use, and one that is a file, are refused', async () => {
  const dir = temporaryFolder('broker')
  const broker = await startBroker({ dir, logger: false })
  const error = (await refusal(startBroker({ dir, logger: false }))) as StorageError
  assert.instance(error, StorageError)
  assert.equal([error.code, error.dir], ['ERR_LOCKED', dir])
  assert.match(error.message, dir)
  await broker.close()
  const file = await refusal(startBroker({ dir: `${dir}/meta.properties`, logger: false }))
  assert.instance(file, StorageError)
})

test('a port in use is refused and the directory is free again', async () => {
  const dir = temporaryFolder('broker')
  const first = await startBroker({ logger: false })
  const error = await refusal(startBroker({ dir, port: first.port, logger: false }))
  assert.match(error.message, String(first.port))
  await first.close()
  assert.ok(existsSync(`${dir}/.kafka_cleanshutdown`), 'what was opened for nothing was closed cleanly')
  await (await startBroker({ dir, logger: false })).close()
})

test('a broker is closed by its asyncDispose', async () => {
  const broker = await startBroker({ logger: false })
  await broker[Symbol.asyncDispose]()
  assert.is(
    await WireClient.connect(broker.port).then(
      () => 'open',
      () => 'closed',
    ),
    'closed',
  )
})

test.run()
