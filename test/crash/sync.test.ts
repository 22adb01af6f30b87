/** When answers leave and when the disk is synced, seen from outside by strace. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { incrementalAlterConfigs } from '../../src/protocol/apis/44-incremental-alter-configs.ts'
import { batch } from '../support/broker.ts'
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts'
import { createTopic, produceBatch, readAll } from '../support/records-client.ts'
import { requires } from '../support/requires.ts'
import { attachStrace } from '../support/strace.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 120_000

const test = suite('sync')

const target = { topic: 'synced', partition: 0 }

const withTopic = async (): Promise<{ broker: BrokerProcess; client: WireClient }> => {
  const broker = await startBrokerProcess(temporaryFolder('sync'))
  const client = await WireClient.connect(broker.port)
  await createTopic(client, 'synced')
  // The first append makes files; from the second on only data is synced.
  assert.is((await produceBatch(client, { ...target, acks: -1 }, ['first'])).errorCode, 0)
  return { broker, client }
}

test.before(() => requires('strace', 'linux'))

test('syncs less than once per 8 answers when 64 requests are in flight', async () => {
  const { broker, client } = await withTopic()
  const clients = await Promise.all(Array.from({ length: 16 }, () => WireClient.connect(broker.port)))
  const trace = await attachStrace(broker.pid, ['-e', 'trace=fdatasync,fsync'])
  let answers = 0
  const lane = async (connection: WireClient): Promise<void> => {
    for (let count = 0; count < 40; count += 1) {
      const { errorCode } = await produceBatch(connection, { ...target, acks: -1 }, ['x'.repeat(100)])
      assert.is(errorCode, 0)
      answers += 1
    }
  }
  await Promise.all(clients.flatMap(connection => Array.from({ length: 4 }, () => lane(connection))))
  const lines = await trace.detach()
  const syncs = lines.filter(line => /\b(?:fdatasync|fsync)\(/.test(line)).length
  assert.is(answers, 64 * 40)
  assert.ok(syncs > 0, 'nothing was synced')
  assert.ok(syncs < answers / 8, `${syncs} syncs for ${answers} answers`)
  await Promise.all([client, ...clients].map(connection => connection.close()))
  assert.is((await broker.stop()).code, 0)
})

test('answers acks=1 and not acks=all when the sync is held back', async () => {
  const { broker, client } = await withTopic()
  const other = await WireClient.connect(broker.port)
  const trace = await attachStrace(broker.pid, ['-e', 'inject=fdatasync:delay_enter=3000000'])
  const order: string[] = []
  const all = produceBatch(client, { ...target, acks: -1 }, ['waits']).then(({ errorCode }) => {
    assert.is(errorCode, 0)
    order.push('acks=all')
  })
  const one = produceBatch(other, { ...target, acks: 1 }, ['hurries']).then(({ errorCode }) => {
    assert.is(errorCode, 0)
    order.push('acks=1')
  })
  await Promise.all([all, one])
  assert.equal(order, ['acks=1', 'acks=all'])
  await trace.detach()
  await Promise.all([client.close(), other.close()])
  await broker.stop()
})

for (const error of ['EIO', 'ENOSPC']) {
  test(`never acknowledges again when a sync fails with ${error}`, async () => {
    const { broker, client } = await withTopic()
    const trace = await attachStrace(broker.pid, ['-e', `inject=fdatasync,fsync:error=${error}:when=1`])
    const attempt = (): Promise<number> =>
      produceBatch(client, { ...target, acks: -1 }, ['lost']).then(
        ({ errorCode }) => errorCode,
        () => -1,
      )
    const storageError = 56
    // The sync fails once only: a retry of it would succeed, and would be a lie.
    for (let count = 0; count < 3; count += 1) {
      const code = await attempt()
      assert.ok(code === storageError || code === -1, `answered ${code}`)
    }
    await trace.detach()
    await client.close()
    await broker.stop()
  })
}

const isSync = (line: string) => /\b(?:fdatasync|fsync)\(/.test(line)

test('many partitions share a sync, and what it covered is there after kill -9', async () => {
  const partitions = 64
  const rounds = 20
  const dir = temporaryFolder('sync')
  const broker = await startBrokerProcess(dir)
  const client = await WireClient.connect(broker.port)
  await createTopic(client, 'many', partitions)
  const write = async (value: string): Promise<void> => {
    const partitionData = Array.from({ length: partitions }, (_, index) => ({ index, records: batch([value]) }))
    const { responses } = await client.send(produce, 9, {
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name: 'many', partitionData }],
    })
    for (const { errorCode } of responses[0]!.partitionResponses) assert.is(errorCode, 0)
  }
  // Files are made, and the journal.
  await write('0')
  await write('1')
  const trace = await attachStrace(broker.pid, ['-e', 'trace=fdatasync,fsync'])
  for (let round = 2; round < rounds; round++) await write(`${round}`)
  const syncs = (await trace.detach()).filter(isSync).length
  const appends = (rounds - 2) * partitions
  // Each by itself, it would be one an append; how many share depends on how busy the machine is.
  assert.ok(syncs < appends * 0.75, `${syncs} syncs for ${appends} appends`)
  const marker = join(dir, 'odradek-journal.recover-with-odradek')
  assert.ok(existsSync(marker))
  await broker.kill()
  const again = await startBrokerProcess(dir)
  assert.not(existsSync(marker))
  const reader = await WireClient.connect(again.port)
  const expected = Array.from({ length: rounds }, (_, offset) => ({ offset, value: `${offset}` }))
  for (const partition of [0, 17, partitions - 1]) assert.equal(await readAll(reader, 'many', partition), expected)
  await reader.close()
  assert.is((await again.stop()).code, 0)
})

test('flush.messages and flush.ms sync a log of the page cache, from the moment that they are altered', async () => {
  const broker = await startBrokerProcess(temporaryFolder('sync'), { args: ['--flush', 'os'] })
  const client = await WireClient.connect(broker.port)
  await createTopic(client, 'synced')
  const alter = async (name: string, value: string): Promise<void> => {
    const { responses } = await client.send(incrementalAlterConfigs, 1, {
      resources: [{ resourceType: 2, resourceName: 'synced', configs: [{ name, configOperation: 0, value }] }],
      validateOnly: false,
    })
    assert.is(responses[0]!.errorCode, 0)
  }
  const write = async (): Promise<void> =>
    assert.is((await produceBatch(client, { ...target, acks: -1 }, ['value'])).errorCode, 0)
  /** Syncs of segments, seen by the paths of their descriptors. */
  const syncs = (lines: string[]) => lines.filter(line => isSync(line) && line.includes('synced-0/')).length
  await write()
  const trace = await attachStrace(broker.pid, ['-y', '-e', 'trace=fdatasync,fsync'])
  for (let n = 0; n < 5; n++) await write()
  assert.is(syncs(trace.lines()), 0)
  await alter('flush.messages', '1')
  const before = syncs(trace.lines())
  for (let n = 0; n < 3; n++) await write()
  assert.ok(syncs(trace.lines()) - before >= 3, 'what is acknowledged is synced')
  await alter('flush.messages', '9223372036854775807')
  await alter('flush.ms', '100')
  const beforeMs = syncs(trace.lines())
  await write()
  for (let tries = 0; syncs(trace.lines()) === beforeMs; tries++) {
    assert.ok(tries < 1000, 'nothing was synced')
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  await trace.detach()
  await client.close()
  assert.is((await broker.stop()).code, 0)
})

test.run()
