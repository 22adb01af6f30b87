/**
 * A server whose handler does nothing: answers each frame with its first bytes, over the reactor or over node:net.
 * Prints its port; for each line on its standard input it prints its counters. A program: bench/boundary.ts starts it.
 *
 *   echo-server.ts reactor|net
 */
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { systemHost } from '../../src/host/system.ts'
import { NativeRuntime } from '../../src/native/runtime.ts'
import { listen } from '../../src/net/reactor-listener.ts'

const ANSWER_BYTES = 22

if (process.argv[2] === 'reactor') reactor()
else net()

function reactor(): void {
  const runtime = NativeRuntime.open({ host: systemHost() })
  runtime.ref()
  const listener = listen(
    runtime,
    { host: '127.0.0.1', port: 0, maxFrameBytes: 1 << 20, overlapKeys: [0] },
    {
      onRequest: incoming =>
        incoming.connection.reply(incoming.sequence, incoming.frame, [incoming.bytes.subarray(0, ANSWER_BYTES)]),
    },
  )
  console.log(listener.port)
  createInterface({ input: process.stdin }).on('line', () => console.log(JSON.stringify(runtime.counters())))
}

/** What a broker on node:net would have to do at the least: join pieces, cut frames, write once for each piece. */
function net(): void {
  const server = createServer(socket => {
    socket.setNoDelay(true)
    socket.on('error', () => {})
    let rest: Uint8Array = new Uint8Array(0)
    socket.on('data', (piece: Uint8Array) => {
      let data = piece
      if (rest.length > 0) {
        data = new Uint8Array(rest.length + piece.length)
        data.set(rest)
        data.set(piece, rest.length)
      }
      const view = new DataView(data.buffer, data.byteOffset, data.length)
      const answers: Uint8Array[] = []
      let at = 0
      while (data.length - at >= 4) {
        const length = view.getUint32(at)
        if (data.length - at - 4 < length) break
        const answer = new Uint8Array(4 + Math.min(length, ANSWER_BYTES))
        answer.set(data.subarray(at + 4, at + answer.length), 4)
        new DataView(answer.buffer).setUint32(0, answer.length - 4)
        answers.push(answer)
        at += 4 + length
      }
      rest = data.subarray(at)
      socket.cork()
      for (const answer of answers) socket.write(answer)
      socket.uncork()
    })
  })
  server.listen(0, '127.0.0.1', () => console.log((server.address() as { port: number }).port))
  createInterface({ input: process.stdin }).on('line', () => console.log('{}'))
}
