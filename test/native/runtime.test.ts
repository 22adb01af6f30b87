import { Worker } from 'node:worker_threads'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { LogConfig } from '../../src/config/log-config.ts'
import { SimulatedHost } from '../../src/host/simulated.ts'
import { systemHost } from '../../src/host/system.ts'
import { Code, EngineError } from '../../src/native/engine-code.ts'
import { NativeRuntime } from '../../src/native/runtime.ts'
import type { AppendedRecord, LogHandle, OpenedLog, Outcome, ReadRecord } from '../../src/native/types.ts'
import { siblingUrl, startSibling } from '../support/own-runtime.ts'
import { plainConfig } from '../support/plain-config.ts'

const test = suite('native runtime')
export const timeoutMs = 120_000

const config: LogConfig = { ...plainConfig, segmentBytes: 1 << 20, producerIdExpirationMs: 1000 }
const fields = { leaderEpoch: 0, origin: 0, wake: 1, transactionVersion: 0, expectedBase: -1 }

interface Manual {
  host: SimulatedHost
  runtime: NativeRuntime
  directory: number
  log: LogHandle
  opened: OpenedLog
  /** Runs every role until none has work, and hands out the news. */
  settle(): Promise<void>
}

async function manual(): Promise<Manual> {
  const host = new SimulatedHost({ seed: 1 })
  const runtime = NativeRuntime.open({ host, manual: true })
  const settle = async () => {
    for (;;) {
      await host.settle()
      runtime.drain()
      const ran = (['lane', 'sync', 'read', 'background'] as const).filter(role => runtime.step(role))
      if (ran.length === 0) break
    }
    runtime.drain()
    await host.settle()
  }
  const disk = { memory: runtime.createMemoryDisk() }
  const directory = runtime.openDirectory('/data', disk, { failed: () => {} }).id
  const box: { opened?: OpenedLog } = {}
  const options = { directory, name: 'topic-0', config, topicId: undefined, clean: false, mustExist: false }
  const log = runtime.openLog(options, { synced: () => {} }, result => {
    box.opened = result
  })
  await settle()
  if (box.opened === undefined) throw new Error('not opened')
  return { host, runtime, directory, log, opened: box.opened, settle }
}

test('one runtime serves its environment, until as many have closed it as opened it', async () => {
  const host = systemHost()
  const first = NativeRuntime.open({ host })
  const second = NativeRuntime.open({ host })
  assert.is(first, second)
  await first.close()
  assert.ok(second.counters().nativeCalls > 0)
  await second.close()
  assert.throws(() => second.counters(), /closed/)
  const third = NativeRuntime.open({ host })
  assert.is.not(third, first)
  await third.close()
})

test('each manual runtime is its own, moves only when stepped, and has no sockets', async () => {
  const { runtime, log, opened, settle } = await manual()
  assert.is(opened.code, Code.ok)
  assert.ok(opened.created)
  const failed: AppendedRecord[] = []
  runtime.append(log, new Uint8Array(61), fields, record => failed.push(record))
  runtime.drain()
  assert.is(failed.length, 0)
  await settle()
  assert.is(failed.length, 1)
  assert.is.not(failed[0]?.code, Code.ok)
  const options = { host: '127.0.0.1', port: 0, maxFrameBytes: 1, overlapKeys: [], backlog: 1 }
  const limits = { idleTimeoutMs: 0, limits: { ofAll: 1, ofListener: 1, perIp: 1 } }
  const sink = { connected() {}, arrived() {}, closed() {} }
  assert.throws(() => runtime.listen({ ...options, ...limits }, sink), /sockets/)
  await runtime.close()
})

test('files of any size go out and come back, and names are listed', async () => {
  const { runtime, directory, settle } = await manual()
  const outcomes: Outcome[] = []
  const contents = [new Uint8Array(0), Uint8Array.of(1, 2, 3), new Uint8Array(3 << 20).fill(7)]
  for (const [index, content] of contents.entries()) {
    runtime.writeFile(directory, `file-${index}`, content, outcome => outcomes.push(outcome))
  }
  await settle()
  assert.equal(
    outcomes.map(outcome => outcome.code),
    [0, 0, 0],
  )
  const read: Uint8Array[] = []
  for (const index of contents.keys()) runtime.readFile(directory, `file-${index}`, file => read.push(file.content))
  await settle()
  assert.equal(
    read.map(content => [content.length, content[1]]),
    contents.map(content => [content.length, content[1]]),
  )
  let names: readonly string[] = []
  runtime.listFiles(directory, '', found => {
    names = found.names
  })
  let missing = 0
  runtime.readFile(directory, 'nowhere', file => {
    missing = file.code
  })
  await settle()
  assert.equal(
    names.filter(name => name.startsWith('file-')),
    ['file-0', 'file-1', 'file-2'],
  )
  assert.is(missing, Code.notFound)
  await runtime.close()
})

test('a log handle that was closed is answered, never followed', async () => {
  const { runtime, log, settle } = await manual()
  const codes: number[] = []
  runtime.closeLog(log, true, outcome => codes.push(outcome.code))
  await settle()
  const read = { from: 0, limit: 1, maxBytes: 1, atLeastOne: true, abortedList: false, toMemory: false }
  runtime.read(log, { ...read, lastFetchedEpoch: -1 }, record => codes.push(record.code))
  runtime.append(log, new Uint8Array(61), fields, record => codes.push(record.code))
  runtime.sync(log, outcome => codes.push(outcome.code))
  await settle()
  assert.equal(codes, [Code.ok, Code.staleLog, Code.staleLog, Code.staleLog])
  await runtime.close()
})

test('an append that names a frame that is gone is refused, and the log goes on', async () => {
  const { runtime, log, settle } = await manual()
  const handle = runtime.stage(new Uint8Array(100))
  const codes: number[] = []
  runtime.append(log, { frame: handle, position: 50, length: 51 }, fields, record => codes.push(record.code))
  runtime.release(handle)
  runtime.append(log, { frame: handle, position: 0, length: 61 }, fields, record => codes.push(record.code))
  await settle()
  assert.equal(codes, [Code.internal, Code.internal])
  assert.throws(() => runtime.copyOut(handle, 0, new Uint8Array(1)), /no such handle/)
  await runtime.close()
})

test('staged bytes come back from any position', async () => {
  const { runtime } = await manual()
  const handle = runtime.stage(Uint8Array.of(1, 2, 3, 4))
  const into = new Uint8Array(3)
  assert.is(runtime.copyOut(handle, 2, into), 2)
  assert.equal(into, Uint8Array.of(3, 4, 0))
  assert.is(runtime.copyOut(handle, 9, into), 0)
  await runtime.close()
})

test('closing answers everything that is still asked for', async () => {
  const { runtime, directory, log } = await manual()
  const codes: number[] = []
  const hear = (outcome: Outcome) => codes.push(outcome.code)
  const read = { from: 0, limit: 1, maxBytes: 1, atLeastOne: true, abortedList: false, toMemory: false }
  runtime.append(log, new Uint8Array(61), fields, hear)
  runtime.read(log, { ...read, lastFetchedEpoch: -1 }, (record: ReadRecord) => hear(record))
  runtime.lookupMaxTime(log, 10, hear)
  runtime.sync(log, hear)
  runtime.truncate(log, 0, hear)
  runtime.readFile(directory, 'x', hear)
  runtime.listFiles(directory, '', hear)
  await runtime.close()
  assert.equal(codes, Array(7).fill(Code.directoryOffline))
  assert.throws(
    () => runtime.sync(log, hear),
    (error: unknown) => error instanceof EngineError && error.engineCode === Code.directoryOffline,
  )
})

test('an exception in a callback is fatal, is told, and answers what is still asked for', async () => {
  const { runtime, log, settle } = await manual()
  const told: string[] = []
  const codes: number[] = []
  runtime.onFatal(text => told.push(text))
  runtime.append(log, new Uint8Array(61), fields, () => {
    throw new Error('a bug of ours')
  })
  runtime.append(log, new Uint8Array(61), fields, record => codes.push(record.code))
  await settle().catch(() => {})
  assert.is(told.length, 1)
  assert.match(told[0] ?? '', 'a bug of ours')
  assert.equal(codes, [Code.directoryOffline])
  await runtime.close()
})

test('a directory that is locked or not there says so', async () => {
  const { runtime } = await manual()
  assert.throws(
    () => runtime.openDirectory('/nowhere', { memory: 4711 }, { failed: () => {} }),
    (error: unknown) => error instanceof EngineError && /memory disk/.test(error.message),
  )
  await runtime.close()
})

for (const [how, code] of [
  ['leave', 0],
  ['exit', 7],
  ['unheld', 0],
] as const) {
  test(`a process that ends by ${how} while the reactor works ends with code ${code}`, async () => {
    const program = startSibling(siblingUrl('./programs/environment', import.meta.url), [how])
    const finished = await program.finished
    assert.equal([finished.code, finished.signal], [code, null], finished.stderr)
  })
}

test('who listens first is called after what had arrived was handled, also once the runtime is closed', async () => {
  const { runtime, log, host } = await manual()
  const order: string[] = []
  const append = (name: string) =>
    runtime.append(log, new Uint8Array(1), fields, () => {
      order.push(name)
      // A handler that goes on in a microtask is heard out.
      void Promise.resolve().then(() => order.push(`${name} at its end`))
    })
  append('first')
  append('second')
  runtime.drain()
  while (runtime.step('lane'));
  runtime.whenHeard(() => order.push('heard'))
  runtime.whenHeard(() => order.push('heard too'))
  assert.equal(order, [])
  await host.settle()
  assert.equal(order, ['first', 'second', 'first at its end', 'second at its end', 'heard', 'heard too'])
  await runtime.close()
  runtime.whenHeard(() => order.push('closed'))
  await host.settle()
  assert.is(order.at(-1), 'closed')
})

test('a process that throws while the reactor works ends with an error, not with a crash', async () => {
  const program = startSibling(siblingUrl('./programs/environment', import.meta.url), ['throw'])
  const finished = await program.finished
  assert.equal([finished.code, finished.signal], [1, null])
  assert.match(finished.stderr, 'on purpose')
})

test('a runtime that is held keeps its process alive', async () => {
  const program = startSibling(siblingUrl('./programs/environment', import.meta.url), ['held'])
  await program.sees(/serving/)
  await new Promise(resolve => setTimeout(resolve, 200))
  assert.is(program.child.exitCode, null)
  await program.kill('SIGTERM')
})

test('workers that end or are ended while their reactors work leave the process unharmed', async () => {
  for (let round = 0; round < 5; round++) {
    const workers = ['leave', 'leave', 'leave'].map(
      how => new Worker(siblingUrl('./programs/environment', import.meta.url), { workerData: how, stdout: true }),
    )
    await Promise.all(
      workers.map(async (worker, index) => {
        const ended = new Promise(resolve => worker.once('exit', resolve))
        await new Promise((resolve, reject) => {
          worker.once('message', resolve)
          worker.once('error', reject)
        })
        if (index > 0) await worker.terminate()
        await ended
      }),
    )
  }
  const runtime = NativeRuntime.open({ host: systemHost() })
  assert.ok(runtime.counters().nativeCalls > 0)
  await runtime.close()
})

test.run()
