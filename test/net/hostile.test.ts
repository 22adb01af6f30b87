import { connect } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemHost } from '../../src/host/system.ts'
import { NativeRuntime } from '../../src/native/runtime.ts'
import { listen } from '../../src/net/reactor-listener.ts'
import { siblingUrl, startSibling } from '../support/own-runtime.ts'
import { TestSocket } from '../support/sockets.ts'

const test = suite('hostile peers')
export const timeoutMs = 180_000

const MAX_FRAME_BYTES = 100 << 20
const CONNECTIONS = 10_000

function serve(runtime: NativeRuntime, reasons: string[]) {
  return listen(
    runtime,
    { host: '127.0.0.1', port: 0, maxFrameBytes: MAX_FRAME_BYTES, overlapKeys: [0], backlog: 1024 },
    {
      onRequest: incoming => incoming.connection.reply(incoming.sequence, incoming.frame, [incoming.bytes]),
      onClosed: (_, reason) => reasons.push(reason),
    },
  )
}

/** Resolves when the other side has closed. */
function sent(port: number, bytes: Uint8Array): Promise<void> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.on('close', () => resolve())
    socket.on('connect', () => socket.write(bytes))
    socket.resume()
  })
}

test('a length of zero, below zero or over the limit and a TLS hello end the connection; the next client is served', async () => {
  const runtime = NativeRuntime.open({ host: systemHost() })
  runtime.ref()
  const reasons: string[] = []
  const listener = serve(runtime, reasons)
  const hello = Uint8Array.of(0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3)
  for (const bytes of [[0, 0, 0, 0], [255, 255, 255, 255], [128, 0, 0, 0], [6, 64, 0, 1], hello]) {
    await sent(listener.port, Uint8Array.from(bytes))
  }
  const socket = await TestSocket.connect(listener.port)
  socket.send(Uint8Array.of(1, 2, 3))
  assert.equal(await socket.receive(), Uint8Array.of(1, 2, 3))
  assert.equal(reasons, [
    'a frame of 0 bytes',
    'a frame of -1 bytes',
    'a frame of -2147483648 bytes',
    'a frame of 104857601 bytes, over the limit of 104857600',
    'a TLS hello on a plain listener',
  ])
  await socket.end()
  await listener.close()
  runtime.unref()
  await runtime.close()
})

test('10,000 connections that declare 100 MiB and send 8 bytes cost less than 64 MiB, and others are served', async () => {
  const runtime = NativeRuntime.open({ host: systemHost() })
  runtime.ref()
  const listener = serve(runtime, [])
  const warm = await TestSocket.connect(listener.port)
  warm.send(new Uint8Array(1000))
  await warm.receive()
  const before = process.memoryUsage().rss
  const program = siblingUrl('./programs/idle-clients', import.meta.url)
  const clients = startSibling(program, [`${listener.port}`, `${CONNECTIONS}`], { timeoutMs: 120_000 })
  await clients.sees(/open/, 100_000)
  while (runtime.counters().heldFrameBytes < CONNECTIONS * 8) await new Promise(resolve => setTimeout(resolve, 20))
  const grown = process.memoryUsage().rss - before
  assert.ok(grown < 64 << 20, `${Math.round(grown / 1024)} KiB`)
  assert.is(runtime.counters().heldFrameBytes, CONNECTIONS * 8)
  warm.send(Uint8Array.of(5))
  assert.equal(await warm.receive(), Uint8Array.of(5))
  await clients.kill('SIGKILL')
  while (runtime.counters().connections > 1) await new Promise(resolve => setTimeout(resolve, 20))
  assert.is(runtime.counters().heldFrameBytes, 0)
  await warm.end()
  await listener.close()
  runtime.unref()
  await runtime.close()
})

test.run()
