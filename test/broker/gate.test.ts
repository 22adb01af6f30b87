import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Gate } from '../../src/broker/gate.ts'
import type { Connection, IncomingRequest } from '../../src/net/net.ts'

const test = suite('gate')
const connection = {} as Connection

function request(sequence: number, bytes: Uint8Array): IncomingRequest {
  return { connection, sequence, frame: 0, frameBytes: bytes.length, bytes, elisions: [], arrivedUs: 0 }
}

test('a request that comes while the broker starts is handled when it has started, as it was sent', () => {
  const handled: [number, number[]][] = []
  const gate = new Gate({ onRequest: one => handled.push([one.sequence, [...one.bytes]]) })
  const inbox = Uint8Array.of(1, 2, 3)
  gate.onRequest(request(1, inbox))
  inbox.fill(9)
  gate.onRequest(request(2, Uint8Array.of(4)))
  assert.equal(handled, [])
  gate.open()
  gate.onRequest(request(3, Uint8Array.of(5)))
  assert.equal(handled, [
    [1, [1, 2, 3]],
    [2, [4]],
    [3, [5]],
  ])
})

test('connections are announced at once', () => {
  const heard: string[] = []
  const gate = new Gate({
    onConnected: () => heard.push('connected'),
    onRequest: () => heard.push('request'),
    onClosed: (_, reason) => heard.push(reason),
  })
  gate.onConnected(connection)
  gate.onClosed(connection, 'gone')
  assert.equal(heard, ['connected', 'gone'])
})

test.run()
