/** When answers leave and when the disk is synced, seen from outside by strace. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts'
import { createTopic, produceBatch } from '../support/records-client.ts'
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

test.run()
