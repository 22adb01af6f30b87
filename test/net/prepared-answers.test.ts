import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemHost } from '../../src/host/system.ts'
import { openEngineDirectory } from '../../src/log/engine-directory.ts'
import type { Appended, Log, LogConfig } from '../../src/log/log.ts'
import { NativeRuntime } from '../../src/native/runtime.ts'
import type { IncomingRequest, Listener } from '../../src/net/net.ts'
import { listen } from '../../src/net/reactor-listener.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { type BatchOptions, buildBatch } from '../../src/records/builder.ts'
import { plainConfig } from '../support/plain-config.ts'
import { request, TestSocket } from '../support/sockets.ts'

const test = suite('prepared answers')

const config: LogConfig = { ...plainConfig, flush: 'os' }
const HEAD = 4
const options = { leaderEpoch: 0, origin: 0, wake: 0 } as const

let runtime: NativeRuntime
let listener: Listener
let socket: TestSocket
let closeDisk: () => Promise<void>
let log: Log
let untilSynced: boolean
/** The results of the appends, in their order, and what the request behind them saw. */
let results: Appended[]

/** Key 0: the batch behind the head is appended, its answer prepared. Any other: told how far the log counts. */
function serve({ connection, sequence, frame, bytes }: IncomingRequest): void {
  if (bytes[1] !== 0) {
    const counts = untilSynced ? log.syncedEnd : log.endOffset
    connection.reply(sequence, frame, [Uint8Array.of(9, counts >> 8, counts & 255)])
    return
  }
  const answer = Uint8Array.of(1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 4)
  const prepared = connection.prepare(sequence, answer, 3, untilSynced)
  const done = (result: Appended) => {
    results.push(result)
    if (!result.answered) connection.reply(sequence, 0, [Uint8Array.of(7, result.code, result.base)])
  }
  log.append(bytes.subarray(HEAD), options, done, prepared)
  if (frame !== 0) connection.releaseFrame(frame)
}

async function openLog(changed: Partial<LogConfig> = {}): Promise<void> {
  const directory = openEngineDirectory(runtime, '/data', { memory: runtime.createMemoryDisk() })
  log = await directory.open('t-0', { config: { ...config, ...changed } })
  untilSynced = changed.flush === 'group'
  closeDisk = async () => {
    await log.close(true)
    await directory.close({ clean: true, brokerEpoch: -1 })
  }
}

test.before.each(async () => {
  runtime = NativeRuntime.open({ host: systemHost() })
  runtime.ref()
  results = []
  listener = listen(
    runtime,
    { host: '127.0.0.1', port: 0, maxFrameBytes: 1 << 20, overlapKeys: [0] },
    { onRequest: serve },
  )
  socket = await TestSocket.connect(listener.port)
})

test.after.each(async () => {
  await socket.end()
  await listener.close()
  await closeDisk()
  runtime.unref()
  await runtime.close()
})

const produced = (more: Partial<BatchOptions> = {}) => {
  const value = new Uint8Array(10)
  const whole = buildBatch([{ key: null, value }], { baseOffset: 0, leaderEpoch: -1, timestamp: 1n, ...more })
  return request(0, 0, whole)
}
const withOffset = (offset: number) => Uint8Array.of(1, 2, 3, 0, 0, 0, 0, 0, 0, offset >> 8, offset & 255, 4)
const end = () => request(1, 0, [])

test('leave with the offset of their batch, in order, and the request behind them finds the batch', async () => {
  await openLog()
  await pipeline()
})

test('leave when their batch is synced, in order, and the request behind them finds it synced', async () => {
  await openLog({ flush: 'group' })
  await pipeline()
})

async function pipeline(): Promise<void> {
  const count = 1000
  for (let index = 0; index < count; index++) {
    socket.send(produced())
    if (index % 10 === 9) socket.send(end())
  }
  for (let index = 0; index < count; index++) {
    assert.equal(await socket.receive(), withOffset(index))
    if (index % 10 === 9) assert.equal(await socket.receive(), Uint8Array.of(9, (index + 1) >> 8, (index + 1) & 255))
  }
  assert.is(results.length, count)
  assert.ok(results.every(result => result.answered))
}

test('one after another, the completion is known before the next request is handled', async () => {
  await openLog()
  await oneByOne()
})

test('one after another, the sync is known before the next request is handled', async () => {
  await openLog({ flush: 'group' })
  await oneByOne()
})

async function oneByOne(): Promise<void> {
  // A test build of the addon loses one wake-up in a thousand.
  for (let index = 0; runtime.counters().wakeUps < 1200; index++) {
    socket.send(produced())
    assert.equal(await socket.receive(), withOffset(index))
    socket.send(end())
    assert.equal(await socket.receive(), Uint8Array.of(9, (index + 1) >> 8, (index + 1) & 255))
  }
}

test('are forgotten when the batch is refused, and the ones around it leave', async () => {
  await openLog()
  const damaged = produced()
  damaged[damaged.length - 1]! ^= 1
  socket.send(produced(), damaged, produced())
  assert.equal(await socket.receive(), withOffset(0))
  assert.equal(await socket.receive(), Uint8Array.of(7, ErrorCode.CORRUPT_MESSAGE, 0))
  assert.equal(await socket.receive(), withOffset(1))
  // Its completion may still be on its way; what is asked next is handled behind it.
  socket.send(end())
  assert.equal(await socket.receive(), Uint8Array.of(9, 0, 2))
  assert.equal(
    results.map(result => result.answered),
    [true, false, true],
  )
})

test('that await the sync are forgotten when the batch is refused, and the ones around it leave', async () => {
  await openLog({ flush: 'group' })
  const damaged = produced()
  damaged[damaged.length - 1]! ^= 1
  socket.send(produced(), damaged, produced())
  assert.equal(await socket.receive(), withOffset(0))
  assert.equal(await socket.receive(), Uint8Array.of(7, ErrorCode.CORRUPT_MESSAGE, 0))
  assert.equal(await socket.receive(), withOffset(1))
})

test('are forgotten for a duplicate, which is told with its first offset', async () => {
  await openLog()
  const numbered = (baseSequence: number) => produced({ producerId: 5n, producerEpoch: 0, baseSequence })
  socket.send(numbered(0), numbered(1), numbered(1), numbered(2))
  for (const answer of [withOffset(0), withOffset(1), Uint8Array.of(7, 0, 1), withOffset(2)]) {
    assert.equal(await socket.receive(), answer)
  }
  assert.ok(results[2]?.duplicate)
})

test('are forgotten when the log stamps the batch', async () => {
  await openLog({ timestampType: 'LogAppendTime' })
  socket.send(produced())
  assert.equal(await socket.receive(), Uint8Array.of(7, 0, 0))
  assert.is(results[0]?.answered, false)
})

test('go nowhere when their connection is gone, and leave the others alone', async () => {
  await openLog()
  for (let round = 0; round < 20; round++) {
    const gone = await TestSocket.connect(listener.port)
    gone.send(produced(), produced(), produced())
    await gone.end()
  }
  const before = log.endOffset
  socket.send(produced())
  const answer = await socket.receive()
  assert.is(answer[0], 1)
  const offset = answer[9]! * 256 + answer[10]!
  assert.ok(offset >= before && offset <= 60)
  socket.send(end())
  const seen = await socket.receive()
  assert.ok(seen[1]! * 256 + seen[2]! > offset)
})

test.run()
