/** A whole broker in whatever runtime this is: as the installed command over TCP, and embedded. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startBrokerProcess } from '../support/broker-process.ts'
import { createTopic, produceBatch, readAll } from '../support/records-client.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

const test = suite('end to end')

test('serves produce and fetch over TCP when started as a command, and goes on after a restart', async () => {
  const dir = temporaryFolder('runtime')
  const values = Array.from({ length: 50 }, (_, index) => `value ${index}`)
  const broker = await startBrokerProcess(dir)
  const client = await WireClient.connect(broker.port)
  await createTopic(client, 'spool', 2)
  for (const [index, value] of values.entries()) {
    const { errorCode, baseOffset } = await produceBatch(client, { topic: 'spool', partition: 0, acks: -1 }, [value])
    assert.is(errorCode, 0)
    assert.is(baseOffset, index)
  }
  await client.close()
  assert.is((await broker.stop()).code, 0)

  const again = await startBrokerProcess(dir)
  const reader = await WireClient.connect(again.port)
  assert.equal(
    (await readAll(reader, 'spool', 0)).map(({ value }) => value),
    values,
  )
  assert.equal(await readAll(reader, 'spool', 1), [])
  await reader.close()
  assert.is((await again.stop()).code, 0)
})

test('keeps what was acknowledged when it is killed', async () => {
  const dir = temporaryFolder('runtime-kill')
  const broker = await startBrokerProcess(dir)
  const client = await WireClient.connect(broker.port)
  await createTopic(client, 'spool')
  const { errorCode } = await produceBatch(client, { topic: 'spool', partition: 0, acks: -1 }, ['a', 'b', 'c'])
  assert.is(errorCode, 0)
  await client.close()
  await broker.kill()

  const again = await startBrokerProcess(dir)
  const reader = await WireClient.connect(again.port)
  assert.equal(
    (await readAll(reader, 'spool', 0)).map(({ value }) => value),
    ['a', 'b', 'c'],
  )
  await reader.close()
  assert.is((await again.stop()).code, 0)
})

test.run()
