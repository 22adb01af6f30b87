/**
 * Ends its environment in one of several ways while native threads are at work. Started by test/native/runtime.test.ts,
 * as a program or as a Worker.
 *
 *   environment.ts leave|exit|throw|held|unheld
 */
import { parentPort, workerData } from 'node:worker_threads'
import { systemHost } from '../../../src/host/system.ts'
import { NativeRuntime } from '../../../src/native/runtime.ts'
import { listen } from '../../../src/net/reactor-listener.ts'
import { TestSocket } from '../../support/sockets.ts'

const how = (workerData as string | null) ?? process.argv[2]
const runtime = NativeRuntime.open({ host: systemHost() })
const listener = listen(
  runtime,
  { host: '127.0.0.1', port: 0, maxFrameBytes: 1000, overlapKeys: [0] },
  { onRequest: incoming => incoming.connection.reply(incoming.sequence, incoming.frame, [incoming.bytes]) },
)

if (how === 'held') {
  // Nothing but the runtime keeps this process alive.
  runtime.ref()
  console.log('serving')
} else if (how === 'unheld') {
  console.log('leaving')
} else {
  const socket = await TestSocket.connect(listener.port)
  socket.send(new Uint8Array(9))
  await socket.receive()
  // Requests stay in flight while the environment ends.
  for (let index = 0; index < 50; index++) socket.send(new Uint8Array(9))
  parentPort?.postMessage('busy')
  console.log('busy')
  if (how === 'exit') process.exit(7)
  if (how === 'throw') throw new Error('on purpose')
  socket.socket.unref()
}
