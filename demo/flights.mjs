/**
 * A million flights through a broker: vega-datasets' flights-20k.json, sent 50 times, keyed by origin airport,
 * into a topic of 6 partitions by @platformatic/kafka's producer. A consumer group of three processes
 * (reader.mjs) reads them back, one of the three is killed in the middle, and what the others still bring is
 * counted and compared with the file.
 *
 *   npm run demo                        starts a broker of its own, on a free port, and throws its data away afterwards
 *   npm run demo -- 127.0.0.1:9092      uses that one (its topic is deleted afterwards)
 *
 * Exit code 0: every count is right.
 */
import { fork, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Admin, Producer } from '@platformatic/kafka'

const PARTITIONS = 6
const ROUNDS = 50
const CHUNK = 5000
const IN_FLIGHT = 4
const READERS = 3
/** One reader is killed when this share of the flights has come back. */
const KILL_AT = 0.4

const here = dirname(fileURLToPath(import.meta.url))

/** A broker in a process of its own, in a folder that goes with it. */
async function ownBroker() {
  const dir = mkdtempSync(join(tmpdir(), 'odradek-demo-'))
  const program = join(here, '../dist/src/cli/main.js')
  const child = spawn(process.execPath, [program, 'serve', '--port', '0', '--dir', dir], {
    env: { ...process.env, ODRADEK_LOG: 'warn' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const discard = () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  process.on('exit', () => {
    child.kill('SIGKILL')
    discard()
  })
  const address = await new Promise((resolve, reject) => {
    let said = ''
    child.stdout.setEncoding('utf8').on('data', text => {
      said += text
      const match = /listening on (\S+)/.exec(said)
      if (match) resolve(match[1])
    })
    child.on('exit', code => reject(new Error(`the broker ended with ${code} before it listened`)))
  })
  const stop = async () => {
    child.removeAllListeners('exit')
    const ended = new Promise(resolve => child.on('exit', resolve))
    child.kill('SIGTERM')
    const code = await ended
    discard()
    if (code !== 0) throw new Error(`the broker stopped with exit code ${code}`)
  }
  return { address, stop }
}

/** One line on a terminal that grows to the right; nothing elsewhere. */
function progress(label, total) {
  const width = 30
  let drawn = -1
  return done => {
    const share = Math.floor((done * 100) / total)
    if (!process.stderr.isTTY || share === drawn) return
    drawn = share
    const filled = Math.round((share * width) / 100)
    const line = `${label.padEnd(8)} ${'━'.repeat(filled)}${'─'.repeat(width - filled)} ${String(share).padStart(3)} %`
    process.stderr.write(`\r${line}${share === 100 ? '\n' : ''}`)
  }
}

function add(counts, key, number = 1) {
  counts.set(key, (counts.get(key) ?? 0) + number)
}

async function produce(bootstrap, topic, flights) {
  const producer = new Producer({ clientId: 'demo', bootstrapBrokers: [bootstrap] })
  const chunks = []
  for (let at = 0; at < flights.length; at += CHUNK) {
    chunks.push(
      flights.slice(at, at + CHUNK).map(flight => ({
        topic,
        key: Buffer.from(flight.origin),
        value: Buffer.from(JSON.stringify(flight)),
      })),
    )
  }
  const total = chunks.length * ROUNDS
  const show = progress('produce', total)
  let next = 0
  let done = 0
  const worker = async () => {
    while (next < total) {
      const messages = chunks[next++ % chunks.length]
      await producer.send({ messages, acks: -1 })
      show(++done)
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
  await producer.close()
}

/** Which offsets came back, each counted once however often it came. */
function ledger(total) {
  const seen = Array.from({ length: PARTITIONS }, () => new Uint8Array(total))
  const counts = new Map()
  const state = { counts, distinct: 0, twice: 0 }
  state.take = ({ partition, first, origins }) => {
    for (const [index, origin] of origins.entries()) {
      const at = first + index
      if (seen[partition][at]++ > 0) {
        state.twice++
        continue
      }
      add(counts, origin)
      state.distinct++
    }
  }
  return state
}

/** Reads everything with a group of three, one of which does not live to see the end. */
async function consume(bootstrap, topic, group, total) {
  const book = ledger(total)
  const show = progress('consume', total)
  const readers = Array.from({ length: READERS }, () =>
    fork(join(here, 'reader.mjs'), [bootstrap, topic, group], { serialization: 'advanced' }),
  )
  const brought = readers.map(() => 0)
  process.on('exit', () => {
    for (const reader of readers) reader.kill('SIGKILL')
  })
  const readerOf = new Map()
  let killed
  let killedMs
  let takenOverMs
  const kill = number => {
    killed = number
    killedMs = performance.now()
    readers[number].kill('SIGKILL')
  }
  await new Promise((resolve, reject) => {
    for (const [number, reader] of readers.entries()) {
      reader.on('exit', code => {
        if (number !== killed) reject(new Error(`reader ${number + 1} ended with ${code}`))
      })
      reader.on('message', runs => {
        for (const run of runs) {
          book.take(run)
          brought[number] += run.origins.length
          const before = readerOf.get(run.partition)
          if (killed !== undefined && before === killed && number !== killed) {
            takenOverMs ??= performance.now() - killedMs
          }
          readerOf.set(run.partition, number)
        }
        show(book.distinct)
        if (killed === undefined && book.distinct >= total * KILL_AT) kill(number)
        if (book.distinct === total) resolve()
      })
    }
  })
  const left = readers.filter((_, number) => number !== killed)
  await Promise.all(
    left.map(reader => {
      reader.removeAllListeners('exit')
      const ended = new Promise(resolve => reader.on('exit', resolve))
      reader.send('stop')
      return ended
    }),
  )
  return { ...book, brought, killed, takenOverMs }
}

function report(counts) {
  const rows = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 10)
  console.log('origin   flights')
  for (const [origin, flights] of rows) console.log(`${origin.padEnd(6)} ${String(flights).padStart(9)}`)
  console.log(`… and ${counts.size - rows.length} airports more`)
}

function rate(what, records, bytes, startedMs) {
  const seconds = (performance.now() - startedMs) / 1000
  const perSecond = Math.round(records / seconds).toLocaleString('en')
  const megabytes = (bytes / seconds / 1e6).toFixed(1)
  console.log(
    `${what} ${records.toLocaleString('en')} records in ${seconds.toFixed(1)} s: ${perSecond}/s, ${megabytes} MB/s`,
  )
}

async function main() {
  const file = join(here, 'node_modules/vega-datasets/data/flights-20k.json')
  const flights = JSON.parse(readFileSync(file, 'utf8'))
  const records = flights.length * ROUNDS
  const bytes = flights.reduce((sum, flight) => sum + flight.origin.length + JSON.stringify(flight).length, 0) * ROUNDS
  const expected = new Map()
  for (const { origin } of flights) add(expected, origin, ROUNDS)

  const broker = process.argv[2] ? { address: process.argv[2], stop: async () => {} } : await ownBroker()
  const topic = `flights-${process.pid}`
  console.log(
    `${records.toLocaleString('en')} flights through ${broker.address}, topic ${topic} of ${PARTITIONS} partitions`,
  )
  const admin = new Admin({ clientId: 'demo', bootstrapBrokers: [broker.address] })
  await admin.createTopics({ topics: [topic], partitions: PARTITIONS, replicas: 1 })
  try {
    let startedMs = performance.now()
    await produce(broker.address, topic, flights)
    rate('produced', records, bytes, startedMs)

    startedMs = performance.now()
    const { counts, twice, brought, killed, takenOverMs } = await consume(broker.address, topic, topic, records)
    rate('consumed', records, bytes, startedMs)
    const shares = brought.map(
      (number, index) => `${number.toLocaleString('en')}${index === killed ? ' (killed)' : ''}`,
    )
    const later = takenOverMs === undefined ? '' : `, the others took over ${(takenOverMs / 1000).toFixed(1)} s later`
    console.log(`the readers brought ${shares.join(', ')}${later}; ${twice.toLocaleString('en')} flights came twice`)

    report(counts)
    for (const origin of new Set([...expected.keys(), ...counts.keys()])) {
      if (expected.get(origin) === counts.get(origin)) continue
      throw new Error(`${origin}: ${counts.get(origin) ?? 0} flights came back, ${expected.get(origin) ?? 0} were sent`)
    }
    console.log('every count is that of the file')
  } finally {
    await admin.deleteGroups({ groups: [topic] }).catch(() => {})
    await admin.deleteTopics({ topics: [topic] })
    await admin.close()
    await broker.stop()
  }
}

// What was started goes with whoever ends it early, too.
process.on('SIGINT', () => process.exit(130))
process.on('SIGTERM', () => process.exit(143))

try {
  await main()
  process.exit(0)
} catch (error) {
  console.error(error)
  process.exit(1)
}
