/**
 * Opens many connections that each declare a large frame and send eight bytes of it, says so, and keeps them open until
 * it is killed. Started by test/net/hostile.test.ts.
 *
 *   idle-clients.ts PORT COUNT
 */
import { connect } from 'node:net'

const [port, count] = process.argv.slice(2).map(Number) as [number, number]
const AT_ONCE = 100
const beginning = Uint8Array.of(0x06, 0x40, 0, 0, 0, 0, 0, 9)

function one(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', reject)
    socket.once('connect', () => socket.write(beginning, () => resolve()))
  })
}

let left = count
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    while (left-- > 0) await one()
  }),
)
console.log('open')
