/**
 * A broker whose thread can be held up. Started by test/broker/held-up.test.ts.
 *
 *   held-up.ts broker              says its port; each line of input holds the thread up for so many milliseconds
 *   held-up.ts together MEMBERS MS has members in the same process, holds all of it up, and says what became of them
 */
import { startBroker } from '../../../src/index.ts'
import { startMembers } from '../../support/group-member.ts'

const holdUp = (ms: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

const broker = await startBroker({ logger: false })
const [how, count, ms] = process.argv.slice(2)
if (how === 'together') {
  const options = { port: broker.port, groupId: 'together', sessionTimeoutMs: 10_000, heartbeatIntervalMs: 1_000 }
  const members = await startMembers(Number(count), options)
  const before = members.map(member => member.generationId)
  holdUp(Number(ms))
  await new Promise(resolve => setTimeout(resolve, 5_000))
  const after = members.map(member => member.generationId)
  const evictions = members.flatMap(member => member.evictions)
  console.log(`members ${JSON.stringify({ before, after, evictions })}`)
  process.exit(0)
}
process.stdin.setEncoding('utf8').on('data', line => {
  console.log('held up')
  setTimeout(() => {
    holdUp(Number(line))
    console.log('goes on')
  }, 50)
})
console.log(`listening on ${broker.port}`)
