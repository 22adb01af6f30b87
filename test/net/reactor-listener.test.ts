import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemHost } from '../../src/host/system.ts'
import { ListenError, NativeRuntime } from '../../src/native/runtime.ts'
import type { Connection, IncomingRequest, Listener, ListenerHandler, ListenOptions } from '../../src/net/net.ts'
import { listen } from '../../src/net/reactor-listener.ts'
import { requires } from '../support/requires.ts'
import { request, TestSocket } from '../support/sockets.ts'

const test = suite('reactor listener')

let runtime: NativeRuntime
let listeners: Listener[] = []
let sockets: TestSocket[] = []

test.before.each(() => {
  runtime = NativeRuntime.open({ host: systemHost() })
  runtime.ref()
})

test.after.each(async () => {
  await Promise.all(sockets.map(socket => socket.end()))
  for (const listener of listeners) await listener.close()
  sockets = []
  listeners = []
  runtime.unref()
  await runtime.close()
})

function serve(
  handler: ListenerHandler | ListenerHandler['onRequest'],
  options: Partial<ListenOptions> = {},
): Listener {
  const whole = typeof handler === 'function' ? { onRequest: handler } : handler
  const listener = listen(
    runtime,
    { host: '127.0.0.1', port: 0, maxFrameBytes: 100 << 20, overlapKeys: [0], ...options },
    whole,
  )
  listeners.push(listener)
  return listener
}

async function connect(listener: Listener, host?: string): Promise<TestSocket> {
  const socket = await TestSocket.connect(listener.port, host)
  sockets.push(socket)
  return socket
}

function echo(incoming: IncomingRequest): void {
  incoming.connection.reply(incoming.sequence, incoming.frame, [incoming.bytes])
}

const numbers = (length: number, seed = 0) => Uint8Array.from({ length }, (_, index) => (index * 31 + seed) & 255)

test('answers each frame with its own bytes, whatever its size', async () => {
  const listener = serve(echo)
  const socket = await connect(listener)
  for (const length of [1, 4, 100, 4096, 4097, 70_000, 500_000, 600_000, 3_000_000]) {
    const body = numbers(length, length)
    socket.send(body)
    assert.equal(await socket.receive(), body)
  }
  assert.is(runtime.counters().heldFrameBytes, 0)
})

test('tells who is connected, from where and to where, and why it ended', async () => {
  const heard: string[] = []
  let connection: Connection | undefined
  const ended = new Promise<void>(resolve => {
    const listener = serve({
      onConnected: opened => {
        connection = opened
        opened.context = 'mine'
        heard.push('connected')
      },
      onRequest: incoming => {
        heard.push(`request ${incoming.connection.context}`)
        echo(incoming)
      },
      onClosed: (closed, reason) => {
        heard.push(`closed ${closed.context}: ${reason}`)
        assert.not(closed.open)
        resolve()
      },
    })
    void connect(listener).then(async socket => {
      socket.send(numbers(5))
      await socket.receive()
      assert.is(connection?.remotePort, socket.socket.localPort)
      assert.equal([connection?.remoteHost, connection?.localHost], ['127.0.0.1', '127.0.0.1'])
      assert.equal([connection?.localPort, connection?.listener.port], [listener.port, listener.port])
      assert.ok(connection?.open)
      await socket.end()
    })
  })
  await ended
  assert.equal(heard, ['connected', 'request mine', 'closed mine: the peer closed'])
})

test('says which address was dialled when it is bound to all of them', async () => {
  requires('linux')
  const dialled: string[] = []
  const listener = serve(
    {
      onConnected: connection => dialled.push(connection.localHost),
      onRequest: echo,
    },
    { host: '0.0.0.0' },
  )
  assert.is(listener.host, '0.0.0.0')
  for (const host of ['127.0.0.1', '127.0.0.2']) {
    const socket = await connect(listener, host)
    socket.send(numbers(1))
    await socket.receive()
  }
  assert.equal(dialled, ['127.0.0.1', '127.0.0.2'])
})

test('serves IPv6', async () => {
  requires('ipv6')
  const listener = serve(echo, { host: '::1' })
  assert.is(listener.host, '::1')
  const socket = await connect(listener, '::1')
  socket.send(numbers(9))
  assert.equal(await socket.receive(), numbers(9))
})

test('lets overlapping requests overlap and sends their answers in request order', async () => {
  const held: IncomingRequest[] = []
  const arrived: number[] = []
  const listener = serve(incoming => {
    arrived.push(incoming.bytes[4]!)
    held.push(incoming)
    if (held.length === 3) {
      for (const one of [...held].reverse())
        one.connection.reply(one.sequence, one.frame, [Uint8Array.of(one.sequence)])
    } else if (held.length > 3) {
      incoming.connection.reply(incoming.sequence, 0, [Uint8Array.of(9)])
    }
  })
  const socket = await connect(listener)
  socket.send(request(0, 9, [0]), request(0, 9, [1]), request(0, 9, [2]), request(1, 9, [3]))
  for (const expected of [0, 1, 2, 9]) assert.equal(await socket.receive(), Uint8Array.of(expected))
  assert.equal(arrived, [0, 1, 2, 3])
})

test('delivers nothing behind a request that may not be overlapped until it is answered', async () => {
  const arrived: number[] = []
  let first: IncomingRequest | undefined
  const listener = serve(incoming => {
    arrived.push(incoming.bytes[4]!)
    if (first === undefined) first = incoming
    else echo(incoming)
  })
  const socket = await connect(listener)
  const other = await connect(listener)
  socket.send(request(1, 9, [0]), request(0, 9, [1]))
  other.send(request(1, 9, [2]))
  await other.receive()
  other.send(request(1, 9, [3]))
  await other.receive()
  assert.equal(
    arrived.filter(mark => mark < 2),
    [0],
  )
  first?.connection.reply(first.sequence, first.frame, [])
  assert.is((await socket.receive()).length, 0)
  assert.is((await socket.receive())[4], 1)
})

test('copies a frame without its record bytes, and takes them back from the frame that is held', async () => {
  // Key and version, one records field, one byte behind it.
  runtime.registerSkim('request', 0, 9, Uint8Array.of(1, 4, 10, 1, 1, 0))
  const seen: { copied: number; frame: boolean; at: number; position: number; length: number }[] = []
  const listener = serve(incoming => {
    const [elision] = incoming.elisions
    if (elision === undefined) throw new Error('nothing was left out')
    seen.push({ copied: incoming.bytes.length, frame: incoming.frame > 0, ...elision })
    assert.is(incoming.bytes[incoming.bytes.length - 1], 77)
    const records = new Uint8Array(elision.length)
    assert.is(runtime.copyOut(incoming.frame, elision.position, records), elision.length)
    incoming.connection.reply(incoming.sequence, incoming.frame, [records])
  })
  const records = numbers(50_000)
  const body = request(0, 9, [0, 0, 0xc3, 0x50, ...records, 77])
  const socket = await connect(listener)
  socket.send(body)
  assert.equal(await socket.receive(), records)
  assert.equal(seen, [{ copied: 8 + 61 + 1, frame: true, at: 8, position: 8, length: 50_000 }])
  assert.is(runtime.counters().heldFrameBytes, 0)
})

test('gives the memory of a held frame back when it is released before the answer', async () => {
  runtime.registerSkim('request', 0, 9, Uint8Array.of(1, 4, 10, 0))
  let waiting: IncomingRequest | undefined
  const listener = serve(incoming => {
    if (waiting === undefined) {
      waiting = incoming
      incoming.connection.releaseFrame(incoming.frame)
    } else {
      echo(incoming)
    }
  })
  const socket = await connect(listener)
  const other = await connect(listener)
  socket.send(request(0, 9, [0, 0, 0x4e, 0x20, ...numbers(20_000)]))
  other.send(numbers(3))
  await other.receive()
  while (waiting === undefined || runtime.counters().heldFrameBytes > 0) {
    other.send(numbers(3))
    await other.receive()
  }
  waiting.connection.reply(waiting.sequence, 0, [numbers(2)])
  assert.equal(await socket.receive(), numbers(2))
})

test('joins the parts of an answer: bytes, staged bytes, many, large and none', async () => {
  const answers: Uint8Array[][] = [
    [numbers(1), numbers(2), numbers(3)],
    [],
    [numbers(0)],
    [numbers(400_000), numbers(5), numbers(300_000)],
    Array.from({ length: 200 }, (_, index) => numbers(index, index)),
  ]
  let next = 0
  const listener = serve(incoming => {
    const parts = answers[next++] as Uint8Array[]
    // Every second one from native memory.
    const mixed = parts.map((part, index) =>
      index % 2 === 0 || part.length < 2
        ? part
        : { handle: runtime.stage(numbers(part.length + 2)), from: 1, length: part.length },
    )
    incoming.connection.reply(incoming.sequence, incoming.frame, mixed)
  })
  const socket = await connect(listener)
  for (const parts of answers) {
    socket.send(numbers(1))
    const expected = parts.flatMap((part, index) => [
      ...(index % 2 === 0 || part.length < 2 ? part : numbers(part.length + 2).subarray(1, -1)),
    ])
    assert.equal(await socket.receive(), Uint8Array.from(expected))
  }
})

test('closes the connection instead of answering with bytes that are gone', async () => {
  const listener = serve(incoming => {
    const handle = runtime.stage(numbers(10))
    runtime.release(handle)
    incoming.connection.reply(incoming.sequence, incoming.frame, [{ handle, from: 0, length: 10 }])
  })
  const socket = await connect(listener)
  socket.send(numbers(1))
  await socket.closed
})

test('counts a request without an answer as answered, and closes after an answer when told to', async () => {
  const listener = serve(incoming => {
    const { connection, sequence, frame } = incoming
    if (sequence === 0) connection.reply(sequence, frame, [], { noAnswer: true })
    else connection.reply(sequence, frame, [numbers(3)], { closeAfter: true })
  })
  const socket = await connect(listener)
  socket.send(request(3, 0, [1]), request(3, 0, [2]), request(3, 0, [3]))
  assert.equal(await socket.receive(), numbers(3))
  await socket.closed
})

test('a handler that throws ends its own connection and no other', async () => {
  const reasons: string[] = []
  const listener = serve({
    onRequest: incoming => {
      if (incoming.bytes.length === 13) throw new Error('unlucky')
      echo(incoming)
    },
    onClosed: (_, reason) => reasons.push(reason),
  })
  const other = await connect(listener)
  other.send(numbers(3))
  await other.receive()
  const socket = await connect(listener)
  socket.send(numbers(13))
  await socket.closed
  other.send(numbers(4))
  assert.equal(await other.receive(), numbers(4))
  assert.equal(reasons, ['its handler failed: unlucky'])
})

test('answers from a promise reach the connection in order', async () => {
  const listener = serve(async incoming => {
    const body = incoming.bytes.slice()
    const { connection, sequence, frame } = incoming
    await new Promise(resolve => setTimeout(resolve, sequence === 0 ? 20 : 1))
    connection.reply(sequence, frame, [body])
  })
  const socket = await connect(listener)
  socket.send(request(0, 0, [1]), request(0, 0, [2]))
  assert.is((await socket.receive())[4], 1)
  assert.is((await socket.receive())[4], 2)
})

test('refuses a port in use with the system error in its code', () => {
  const listener = serve(echo)
  try {
    serve(echo, { port: listener.port })
    assert.unreachable()
  } catch (error) {
    assert.instance(error, ListenError)
    assert.is((error as ListenError).code, 'EADDRINUSE')
    assert.match((error as ListenError).message, `127.0.0.1:${listener.port}`)
  }
})

test('connects out, asks, and hears the answers, skimmed and whole, then the end', async () => {
  // One records field behind four bytes.
  runtime.registerSkim('response', 1, 18, Uint8Array.of(1, 4, 10, 0))
  const records = numbers(9000)
  const answer = Uint8Array.from([0, 0, 0, 1, 0, 0, 0x23, 0x28, ...records])
  const listener = serve(incoming => {
    const { connection, sequence, frame } = incoming
    const body = incoming.bytes[0] === 7 ? answer : incoming.bytes.slice()
    connection.reply(sequence, frame, [body], { closeAfter: sequence === 2 })
  })
  const heard: string[] = []
  const got: Uint8Array[] = []
  await new Promise<void>(resolve => {
    runtime.connect(
      { host: '127.0.0.1', port: listener.port, maxFrameBytes: 1 << 20 },
      {
        failed: reason => heard.push(reason),
        connected: ({ connection, remotePort }) => {
          assert.is(remotePort, listener.port)
          runtime.send(connection, [numbers(3), numbers(2)], {})
          runtime.send(connection, [Uint8Array.of(7)], { skim: { apiKey: 1, version: 18 } })
          runtime.send(connection, [numbers(4)], {})
        },
        arrived: (_slot, _generation, frame) => {
          got.push(frame.bytes.slice())
          heard.push(`${frame.sequence}: ${frame.frameBytes} bytes, ${frame.elisions.length} left out`)
          runtime.release(frame.frame)
        },
        closed: (_slot, _generation, reason) => {
          heard.push(reason)
          resolve()
        },
      },
    )
  })
  assert.equal(heard, [
    '0: 5 bytes, 0 left out',
    '1: 9008 bytes, 1 left out',
    '2: 4 bytes, 0 left out',
    'the peer closed',
  ])
  assert.equal(got, [Uint8Array.of(...numbers(3), ...numbers(2)), answer.subarray(0, 8 + 61), numbers(4)])
  assert.is(runtime.counters().heldFrameBytes, 0)
})

test('says why it could not connect', async () => {
  const listener = serve(echo)
  const { port } = listener
  await listener.close()
  const never = () => assert.unreachable()
  const sink = { connected: never, arrived: never, closed: never }
  const reason = await new Promise<string>(resolve => {
    const attempt = () => runtime.connect({ host: '127.0.0.1', port, maxFrameBytes: 1 }, { ...sink, failed: resolve })
    // The reactor may still be closing the listener: wait until nobody is accepted there.
    const probe = (): Promise<void> =>
      TestSocket.connect(port).then(
        socket => socket.end().then(probe),
        () => attempt(),
      )
    void probe()
  })
  assert.match(reason, /refused/i)
})

test('goes on serving its connections when it is closed, and ends them when told to', async () => {
  const listener = serve(echo)
  const socket = await connect(listener)
  socket.send(numbers(2))
  await socket.receive()
  await listener.close()
  socket.send(numbers(3))
  assert.equal(await socket.receive(), numbers(3))
  let refused = false
  await TestSocket.connect(listener.port).then(
    late => late.end(),
    () => {
      refused = true
    },
  )
  assert.ok(refused)
  listener.closeConnections()
  await socket.closed
})

test('answers thousands of requests of many connections', async () => {
  const listener = serve(echo)
  const clients = await Promise.all(Array.from({ length: 8 }, () => connect(listener)))
  await Promise.all(
    clients.map(async (socket, client) => {
      for (let index = 0; index < 500; index++) {
        socket.send(request(0, client, [index & 255, index >> 8]))
        const answer = await socket.receive()
        assert.equal([answer[3], answer[4], answer[5]], [client, index & 255, index >> 8])
      }
    }),
  )
  assert.ok(runtime.counters().requests >= 4000)
})

test('answers one request after another, each of which needs a wake-up, also when a wake-up gets lost', async () => {
  const listener = serve(echo)
  const socket = await connect(listener)
  // A test build of the addon loses one wake-up in a thousand.
  while (runtime.counters().wakeUps < 1200) {
    socket.send(numbers(8))
    await socket.receive()
  }
})

test.run()
