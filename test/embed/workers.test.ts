/** Logs and brokers in threads of their own, which may be ended in the midst of anything. */
import { Worker } from 'node:worker_threads'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Log, openLog, startBroker } from '../../src/index.ts'
import { siblingUrl } from '../support/own-runtime.ts'
import { createTopic, produceBatch, readAll } from '../support/records-client.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { unlocked } from '../support/unlocked.ts'
import { WireClient } from '../support/wire-client.ts'

const test = suite('workers')
export const timeoutMs = 120_000

interface Told {
  readonly appended?: number
  readonly closed?: number
  readonly port?: number
  readonly failed?: string
}

class Thread {
  readonly worker: Worker
  readonly told: Told[] = []
  readonly ended: Promise<unknown>
  #waiting: (() => void)[] = []

  constructor(what: 'log' | 'broker', dir: string) {
    this.worker = new Worker(siblingUrl('./programs/embedded', import.meta.url), { workerData: { what, dir } })
    this.ended = new Promise(resolve => this.worker.once('exit', resolve))
    const arrived = (message: Told) => {
      this.told.push(message)
      for (const resolve of this.#waiting.splice(0)) resolve()
    }
    this.worker.on('message', arrived)
    this.worker.on('error', error => arrived({ failed: String(error) }))
  }

  /** The first message that has it, from now on or before. */
  async hear<Key extends keyof Told>(key: Key): Promise<NonNullable<Told[Key]>> {
    for (;;) {
      const found = this.told.find(message => message[key] !== undefined)?.[key]
      if (found !== undefined) return found
      const failed = this.told.find(message => message.failed !== undefined)
      if (failed !== undefined) throw new Error(failed.failed)
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
  }

  /** Lets it close what it has. */
  async close(): Promise<number> {
    this.worker.postMessage('close')
    const closed = await this.hear('closed')
    await this.ended
    return closed
  }
}

const decoder = new TextDecoder()

/** Every record's value is its offset. */
function count(log: Log): number {
  let offset = 0
  for (const record of log) {
    assert.is(record.offset, offset)
    assert.is(decoder.decode(record.value ?? undefined), `${offset++}`)
  }
  return offset
}

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

test('two workers and the main thread each have a log of their own', async () => {
  const dirs = ['one', 'two', 'main'].map(name => `${temporaryFolder(`worker-${name}`)}/audit-0`)
  const [one, two] = dirs.slice(0, 2).map(dir => new Thread('log', dir))
  const own = await openLog({ dir: dirs[2]! })
  await Promise.all([one!.hear('appended'), two!.hear('appended')])
  for (let index = 0; index < 5000; index++) own.append(`${index}`)
  await own.flush()
  const ends = [await one!.close(), await two!.close(), own.endOffset]
  await own.close()
  for (const [index, dir] of dirs.entries()) {
    const log = await openLog({ dir })
    assert.is(count(log), ends[index])
    await log.close()
  }
})

test('a log that another thread has open is locked, and read all the same', async () => {
  const dir = `${temporaryFolder('worker')}/audit-0`
  const thread = new Thread('log', dir)
  const appended = await thread.hear('appended')
  const failure = await openLog({ dir }).catch((error: unknown) => error)
  assert.is((failure as { code?: string }).code, 'ERR_LOCKED')
  for (let round = 0; round < 5; round++) {
    const reader = await openLog({ dir, readOnly: true })
    assert.ok(reader.endOffset > appended)
    assert.is(count(reader), reader.endOffset)
    await reader.close()
  }
  await thread.close()
})

test('a worker that is ended in the midst of its appends leaves a log that goes on', async () => {
  const dir = `${temporaryFolder('worker')}/audit-0`
  let known = 0
  for (let round = 0; round < 5; round++) {
    const thread = new Thread('log', dir)
    // In its start, early, late.
    if (round % 3 > 0) await thread.hear('appended')
    await pause(10 * round)
    await thread.worker.terminate()
    await thread.ended
    const told = Math.max(known, ...thread.told.map(message => message.appended ?? 0))
    const log = await unlocked(() => openLog({ dir }))
    known = count(log)
    assert.ok(known >= told, `${known} of ${told}`)
    await log.close()
  }
  assert.ok(known > 0)
})

test('a broker in a worker serves, and one that is ended has kept what it acknowledged', async () => {
  const dir = temporaryFolder('worker-broker')
  const thread = new Thread('broker', dir)
  const client = await WireClient.connect(await thread.hear('port'))
  await createTopic(client, 'spool')
  const produced = await produceBatch(client, { topic: 'spool', partition: 0, acks: -1 }, ['a', 'b', 'c'])
  assert.is(produced.errorCode, 0)
  await client.close()
  await thread.worker.terminate()
  await thread.ended
  const broker = await unlocked(() => startBroker({ dir, logger: false }))
  const reader = await WireClient.connect(broker.port)
  const values = (await readAll(reader, 'spool', 0)).map(({ value }) => value)
  assert.equal(values, ['a', 'b', 'c'])
  await reader.close()
  await broker.close()
  const again = new Thread('broker', dir)
  await again.hear('port')
  await again.close()
})

test.run()
