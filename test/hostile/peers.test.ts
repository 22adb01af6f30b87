/** Peers that behave badly without a wrong byte: they don't read, don't go on, hang up half, or never stop asking. */
import { connect, type Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Api } from '../../src/protocol/api.ts'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { fetch } from '../../src/protocol/apis/01-fetch.ts'
import { listOffsets } from '../../src/protocol/apis/02-list-offsets.ts'
import { metadata } from '../../src/protocol/apis/03-metadata.ts'
import { encodeRequest } from '../../src/protocol/headers.ts'
import { joinParts } from '../../src/protocol/messages.ts'
import type { Encodable, Fields } from '../../src/protocol/schema.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { batch } from '../support/broker.ts'
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts'
import { anonymousBytes, outcomeOf, UndisturbedClient } from '../support/disturbance.ts'
import { siblingUrl, startSibling } from '../support/own-runtime.ts'
import { createTopic, produceBatch, readAll } from '../support/records-client.ts'
import { requires } from '../support/requires.ts'
import { framed, TestSocket } from '../support/sockets.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 300_000

const MEBIBYTE = 1 << 20

const test = suite('peers without manners')
let broker: BrokerProcess
let client: WireClient
let undisturbed: UndisturbedClient

test.before(async () => {
  broker = await startBrokerProcess(temporaryFolder('peers'))
  client = await WireClient.connect(broker.port)
  undisturbed = await UndisturbedClient.start(broker.port, 'undisturbed')
})
test.after(async () => {
  assert.ok((await undisturbed.stop()) > 0)
  await client.close()
  assert.is((await broker.stop()).code, 0)
})

const frameOf = <Request extends Fields>(api: Api<Request>, version: number, request: Encodable<Request>): Uint8Array =>
  framed(joinParts(encodeRequest(new Writer(), api, version, { correlationId: 1, clientId: null }, request)))

const fetching = (topic: string, maxWaitMs = 0): Uint8Array =>
  frameOf(fetch, 12, {
    maxWaitMs,
    minBytes: 1,
    maxBytes: 8 * MEBIBYTE,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [
      {
        topic,
        partitions: [{ partition: 0, currentLeaderEpoch: -1, fetchOffset: 0, partitionMaxBytes: 8 * MEBIBYTE }],
      },
    ],
    forgottenTopicsData: [],
  })

const producing = (topic: string, value: string, acks: number): Uint8Array =>
  frameOf(produce, 9, {
    acks,
    timeoutMs: 10_000,
    topicData: [{ name: topic, partitionData: [{ index: 0, records: batch([value]) }] }],
  })

const joined = (frame: Uint8Array, times: number): Uint8Array => {
  const all = new Uint8Array(frame.length * times)
  for (let index = 0; index < times; index += 1) all.set(frame, index * frame.length)
  return all
}

const connected = (): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: broker.port })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      socket.on('error', () => {})
      resolve(socket)
    })
  })

/** Runs `act` and fails when the broker's memory grew by more than `most` meanwhile. */
const within = async (most: number, act: () => Promise<void>): Promise<void> => {
  const before = anonymousBytes(broker.pid)
  let grown = 0
  const timer = setInterval(() => {
    grown = Math.max(grown, anonymousBytes(broker.pid) - before)
  }, 20)
  await act()
  clearInterval(timer)
  assert.ok(grown < most, `${Math.round(grown / 1024)} KiB more memory`)
}

/** Until the undisturbed client has had so many more answers. */
const meanwhile = async (records: number): Promise<void> => {
  const until = undisturbed.written + records
  while (undisturbed.written < until) await new Promise(resolve => setTimeout(resolve, 5))
}

test('clients that never read their Fetch answers cost little memory', async () => {
  await createTopic(client, 'large')
  for (let count = 0; count < 16; count += 1) {
    const { errorCode } = await produceBatch(client, { topic: 'large', partition: 0, acks: 1 }, ['x'.repeat(900_000)])
    assert.is(errorCode, 0)
  }
  await within(160 * MEBIBYTE, async () => {
    const sockets = await Promise.all(Array.from({ length: 20 }, connected))
    for (const socket of sockets) {
      socket.pause()
      socket.write(joined(fetching('large'), 200))
    }
    await meanwhile(300)
    for (const socket of sockets) socket.destroy()
  })
})

test('clients that never read the answers of other APIs cost little memory', async () => {
  for (let count = 0; count < 3; count += 1) await createTopic(client, `wide-${count}`, 100)
  const asking = frameOf(metadata, 12, { topics: null })
  await within(320 * MEBIBYTE, async () => {
    const sockets = await Promise.all(Array.from({ length: 20 }, connected))
    for (const socket of sockets) {
      socket.pause()
      socket.write(joined(asking, 5000))
    }
    await meanwhile(300)
    for (const socket of sockets) socket.destroy()
  })
})

test('many tiny requests in one piece are answered in order, each once', async () => {
  await createTopic(client, 'tiny')
  const socket = await TestSocket.connect(broker.port)
  const count = 5000
  const frames = Array.from({ length: count }, (_, index) =>
    joinParts(
      encodeRequest(
        new Writer(),
        produce,
        9,
        { correlationId: index, clientId: null },
        {
          acks: index % 3 === 0 ? 1 : -1,
          timeoutMs: 10_000,
          topicData: [{ name: 'tiny', partitionData: [{ index: 0, records: batch([`${index}`]) }] }],
        },
      ),
    ),
  )
  socket.send(...frames)
  for (let index = 0; index < count; index += 1) {
    const answer = await socket.receive()
    assert.is(new DataView(answer.buffer).getInt32(0), index)
  }
  await socket.end()
  const records = await readAll(client, 'tiny', 0)
  assert.equal(
    records.map(({ value }) => value),
    Array.from({ length: count }, (_, index) => `${index}`),
  )
})

test('requests that arrived before the peer hung up its half are answered, and then the connection ends', async () => {
  await createTopic(client, 'half')
  const socket = await TestSocket.connect(broker.port)
  const listing = frameOf(listOffsets, 7, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: 'half', partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
  })
  socket.socket.end(Uint8Array.from([...joined(producing('half', 'value', -1), 10), ...listing]))
  for (let index = 0; index < 11; index += 1) await socket.receive()
  await socket.closed
  assert.is((await readAll(client, 'half', 0)).length, 10)
})

test('a Fetch that waits is forgotten when its client hangs up', async () => {
  await createTopic(client, 'silent')
  const sockets = await Promise.all(Array.from({ length: 50 }, connected))
  for (const socket of sockets) socket.write(fetching('silent', 2_000_000_000))
  await meanwhile(20)
  for (const socket of sockets) socket.destroy()
  await meanwhile(20)
  const { errorCode } = await produceBatch(client, { topic: 'silent', partition: 0, acks: -1 }, ['news'])
  assert.is(errorCode, 0)
})

test('acks=0 with an error ends the connection, and what the client sent behind it is not done', async () => {
  await createTopic(client, 'unasked')
  const socket = await TestSocket.connect(broker.port)
  socket.socket.write(
    Uint8Array.from([...producing('nowhere', 'a', 0), ...joined(producing('unasked', 'behind it', 0), 20)]),
  )
  await socket.closed
  assert.equal(await readAll(client, 'unasked', 0), [])
})

test('nothing behind a malformed request is done', async () => {
  await createTopic(client, 'behind')
  const malformed = framed(Uint8Array.of(0, 0, 0, 9, 0, 0, 0, 1, 0, 1))
  const behind = joined(producing('behind', 'behind it', 1), 20)
  assert.equal(await outcomeOf(broker.port, Uint8Array.from([...malformed, ...behind])), { answers: 0, closed: true })
  assert.equal(await readAll(client, 'behind', 0), [])
})

test('frames that are begun and never finished do not keep others from being served', async () => {
  // Together more than the broker holds of frames at once.
  const beginning = new Uint8Array(8 * MEBIBYTE)
  new DataView(beginning.buffer).setInt32(0, 50 * MEBIBYTE)
  await within(256 * MEBIBYTE, async () => {
    const sockets = await Promise.all(Array.from({ length: 16 }, connected))
    for (const socket of sockets) socket.write(beginning)
    await meanwhile(5)
    for (const socket of sockets) socket.destroy()
  })
  await meanwhile(5)
})

test('a crowd that asks half a million questions at once is answered, in bounded memory', async () => {
  const count = 500_000
  // ListOffsets 11: topics without a name and without partitions, three bytes each, before the time limit.
  const head = [0, 2, 0, 11, 0, 0, 0, 1, 255, 255, 0, 255, 255, 255, 255, 0, 0xa1, 0xc2, 0x1e]
  const frame = framed(Uint8Array.from([...head, ...joined(Uint8Array.of(1, 1, 0), count), 0, 0, 0, 0, 0]))
  await within(768 * MEBIBYTE, async () => {
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => outcomeOf(broker.port, frame)))
    for (const outcome of outcomes) assert.equal(outcome, { answers: 1, closed: false })
  })
})

test('ten thousand connections that declare 100 MiB and send 8 bytes cost less than 64 MiB, and others are served', async () => {
  requires('linux')
  const program = siblingUrl('../net/programs/idle-clients', import.meta.url)
  await within(64 * MEBIBYTE, async () => {
    const clients = startSibling(program, [`${broker.port}`, '10000'], { timeoutMs: 120_000 })
    await clients.sees(/open/, 100_000)
    await meanwhile(50)
    const other = await WireClient.connect(broker.port)
    const { brokers } = await other.send(metadata, 12, { topics: [] })
    assert.is(brokers.length, 1)
    await other.close()
    await clients.kill('SIGKILL')
  })
})

test.run()
