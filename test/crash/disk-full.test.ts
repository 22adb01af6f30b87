/**
 * A disk that fills up while producing: refused with Kafka's code, the process lives, and goes on when there is room.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startBrokerProcess } from '../support/broker-process.ts'
import { createTopic, produceBatch, readAll } from '../support/records-client.ts'
import { requires } from '../support/requires.ts'
import { filled, smallDisk } from '../support/small-disk.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 120_000

const test = suite('disk full')

test.before(() => requires('mount'))

test('refuses with KAFKA_STORAGE_ERROR when the disk is full, and goes on when there is room', async () => {
  const { path: disk } = smallDisk(48)
  const filler = join(disk, 'filler')
  writeFileSync(filler, new Uint8Array(24 << 20))
  const broker = await startBrokerProcess(join(disk, 'data'))
  const client = await WireClient.connect(broker.port)
  await createTopic(client, 'filling')
  const target = { topic: 'filling', partition: 0, acks: -1 } as const
  const big = (name: string): string => `${name}:${'x'.repeat(500_000)}`
  const kept: string[] = []
  let refused = 0
  for (let count = 0; refused === 0 && count < 200; count += 1) {
    const value = big(`${count}`)
    const { errorCode } = await produceBatch(client, target, [value])
    if (errorCode === 0) kept.push(value)
    else refused = errorCode
  }
  const storageError = 56
  assert.is(refused, storageError)
  assert.ok(kept.length > 0)

  assert.is((await produceBatch(client, target, [big('still full')])).errorCode, storageError)

  rmSync(filler)
  for (const value of [big('room'), big('again')]) {
    const { errorCode, baseOffset } = await produceBatch(client, target, [value])
    assert.is(errorCode, 0, `after room was made: ${errorCode}`)
    assert.is(baseOffset, kept.length)
    kept.push(value)
  }
  const records = await readAll(client, 'filling', 0)
  assert.is(records.length, kept.length)
  assert.ok(records.every(({ offset, value }, index) => offset === index && value === kept[index]))
  await client.close()
  const { code, stderr } = await broker.stop()
  assert.is(code, 0)
  assert.is(stderr.match(/no room for the log filling-0 in /g)?.length, 1, stderr)

  const again = await startBrokerProcess(join(disk, 'data'))
  const reader = await WireClient.connect(again.port)
  assert.is((await readAll(reader, 'filling', 0)).length, kept.length)
  await reader.close()
  assert.is((await again.stop()).code, 0)
})

test('a topic that is created on a full disk takes records as soon as there is room', async () => {
  const { path: disk } = smallDisk(40)
  const broker = await startBrokerProcess(join(disk, 'data'))
  const client = await WireClient.connect(broker.port)
  await createTopic(client, 'before')
  const filler = filled(disk)
  // Whether its metadata still finds room on the log's last page is the file system's affair.
  const made = await createTopic(client, 'during', 3).then(
    () => true,
    () => false,
  )
  assert.is((await produceBatch(client, { topic: 'before', partition: 0, acks: -1 }, ['x'.repeat(9000)])).errorCode, 56)
  rmSync(filler)
  if (!made) await createTopic(client, 'during', 3)
  for (const partition of [0, 1, 2]) {
    let errorCode = 56
    while (errorCode === 56) {
      ;({ errorCode } = await produceBatch(client, { topic: 'during', partition, acks: -1 }, ['value']))
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    assert.is(errorCode, 0)
    assert.is((await readAll(client, 'during', partition)).length, 1)
  }
  await client.close()
  assert.is((await broker.stop()).code, 0)
})

test('a stop and a start on a full disk say so, and lose nothing', async () => {
  const { path: disk } = smallDisk(40)
  const broker = await startBrokerProcess(join(disk, 'data'))
  const client = await WireClient.connect(broker.port)
  await createTopic(client, 'kept')
  assert.is((await produceBatch(client, { topic: 'kept', partition: 0, acks: -1 }, ['value'])).errorCode, 0)
  await client.close()
  const filler = filled(disk)
  const stopped = await broker.stop()
  if (stopped.code !== 0) assert.match(stopped.stderr, /No space left/)
  await startBrokerProcess(join(disk, 'data')).then(
    started => started.stop(),
    error => assert.match(error.message, /^error: .*No space left/m),
  )
  rmSync(filler)
  const again = await startBrokerProcess(join(disk, 'data'))
  const reader = await WireClient.connect(again.port)
  assert.equal(
    (await readAll(reader, 'kept', 0)).map(({ value }) => value),
    ['value'],
  )
  await reader.close()
  assert.is((await again.stop()).code, 0)
})

test.run()
