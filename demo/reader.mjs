/**
 * One member of the demo's consumer group, in a process of its own: hands what it reads to the process that
 * started it, and commits only what has left. Killed at any moment it loses nothing; what it had not committed
 * comes again, to another member.
 *
 *   node reader.mjs BOOTSTRAP TOPIC GROUP       over IPC: out [{ partition, first, origins }], in 'stop'
 */
import { Consumer } from '@platformatic/kafka'

const FLUSH_RECORDS = 5000
const FLUSH_MS = 100

const [bootstrap, topic, groupId] = process.argv.slice(2)
const consumer = new Consumer({
  clientId: 'demo',
  bootstrapBrokers: [bootstrap],
  groupId,
  autocommit: false,
  sessionTimeout: 6000,
  heartbeatInterval: 500,
  rebalanceTimeout: 10_000,
  maxWaitTime: 200,
  // Small answers leave room for heartbeats between them.
  maxBytes: 1 << 20,
})

/** Between two generations a commit would be refused, and the library would answer that with a rebalance of its own. */
let settled = false
consumer.on('consumer:group:join', () => {
  settled = true
})
consumer.on('consumer:group:rebalance', () => {
  settled = false
})

/** Runs of offsets without a gap, in the order that they were read. */
let runs = []
let records = 0

function take({ partition, offset, key }) {
  const at = Number(offset)
  let run = runs.findLast(each => each.partition === partition)
  if (run === undefined || run.first + run.origins.length !== at) {
    run = { partition, first: at, origins: [] }
    runs.push(run)
  }
  run.origins.push(key.toString())
  records++
}

async function flush() {
  if (records === 0) return
  const sent = runs
  runs = []
  records = 0
  await new Promise((resolve, reject) => process.send(sent, error => (error ? reject(error) : resolve())))
  const ends = new Map(sent.map(({ partition, first, origins }) => [partition, BigInt(first + origins.length)]))
  const offsets = [...ends].map(([partition, offset]) => ({ topic, partition, offset, leaderEpoch: -1 }))
  // What is not committed comes again, to whoever has the partition next.
  if (settled) await consumer.commit({ offsets }).catch(() => {})
}

let flushed = Promise.resolve()
function flushNow() {
  flushed = flushed.then(flush)
  return flushed
}

process.on('disconnect', () => process.exit(1))
process.on('message', async () => {
  await flushNow()
  await consumer.close(true)
  process.exit(0)
})

const stream = await consumer.consume({ topics: [topic], mode: 'committed', fallbackMode: 'earliest' })
setInterval(flushNow, FLUSH_MS)
for await (const message of stream) {
  take(message)
  if (records >= FLUSH_RECORDS) await flushNow()
}
