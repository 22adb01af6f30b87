/**
 * The cleaner at work: a log of keys that come again, of which a tenth of the records is left, and what another topic's
 * producers notice.
 *
 * Invariants: the log is written under `cleanup.policy=delete`, so that the cleaner has all of it to do at once from
 * the moment it is told. It is done when the checkpoint of both brokers' making says that the log is clean up to its
 * last segment. CPU is the whole broker's, less what the quiet load takes in that time.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { buildBatch } from '../../src/records/builder.ts'
import type { Case } from './interleaved.ts'
import { cpuSeconds } from './machine.ts'
import { type RunningBroker, startKafka, startOdradek } from './peers.ts'
import { batchFrame, loadFrame, rawLoop } from './raw.ts'
import { createTopic } from './topics.ts'

const VALUE_BYTES = 1000
/** A batch of about 16 KiB, the default of Kafka's producer. */
const RECORDS = 15
const SEGMENT_BYTES = 256 << 20
/** Produces a second on the other topic. */
const RATE = 1000
const QUIET_SECONDS = 10
const MOST_SECONDS = 240

/** Writes `bytes` in records whose keys are drawn from a tenth as many. */
async function fill(broker: RunningBroker, topic: string, bytes: number): Promise<void> {
  const key = (index: number) => new TextEncoder().encode(`key ${index}`.padEnd(16, '.'))
  const value = new Uint8Array(VALUE_BYTES).fill(120)
  const batch = buildBatch(
    Array.from({ length: RECORDS }, (_, index) => ({ key: key(index), value })),
    { baseOffset: 0, leaderEpoch: -1, timestamp: BigInt(Date.now()) },
  )
  const { frame, errorAt } = batchFrame(topic, 0, batch)
  const found = Buffer.from(frame)
  const [batchAt, first, second] = [found.indexOf(batch), found.indexOf(key(0)), found.indexOf(key(1))]
  const requests = Math.ceil(bytes / batch.length)
  const numbers = {
    'error-at': errorAt,
    requests,
    keys: Math.ceil((requests * RECORDS) / 10),
    count: RECORDS,
    'key-at': first,
    'key-step': second - first,
    'crc-at': batchAt + 17,
    'crc-to': batchAt + batch.length,
  }
  const options = Object.entries(numbers).flatMap(([name, number]) => [`--${name}`, `${number}`])
  await loadFrame(frame, ['keys', '--address', broker.bootstrap, ...options])
}

async function configure(broker: RunningBroker, topic: string, config: Record<string, string>): Promise<void> {
  const admin = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
    // A topic, by its number in the protocol.
    await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topic, configEntries }] })
  } finally {
    await admin.disconnect()
  }
}

/** Sizes of the partition's segments by their first offset, in order. */
function segments(folder: string): { base: number; bytes: number }[] {
  return readdirSync(folder)
    .filter(name => name.endsWith('.log'))
    .sort()
    .map(name => ({ base: Number.parseInt(name, 10), bytes: statSync(join(folder, name)).size }))
}

/** Up to where the log is clean. */
function cleanedTo(data: string, topic: string): number {
  const path = join(data, 'cleaner-offset-checkpoint')
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const line = text.split('\n').find(entry => entry.startsWith(`${topic} 0 `))
  return line === undefined ? -1 : Number(line.split(' ')[2])
}

async function untilCleaned(data: string, topic: string, offset: number): Promise<void> {
  const deadline = performance.now() + MOST_SECONDS * 1000
  while (cleanedTo(data, topic) < offset) {
    if (performance.now() > deadline) throw new Error(`${topic} is not clean up to ${offset} after ${MOST_SECONDS} s`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

const sum = (values: readonly { bytes: number }[]): number => values.reduce((total, { bytes }) => total + bytes, 0)

function compaction(bytes: number): Case {
  return {
    fsync: false,
    alone: true,
    async run({ peer, topic, scale }) {
      const [start, port] = peer === 'odradek' ? [startOdradek, 22192] : [startKafka, 22292]
      const broker = await start({ port, fsync: false, config: { 'log.cleaner.backoff.ms': '100' } })
      try {
        const data = join(broker.dataFolder, 'data')
        const settings = { 'segment.bytes': `${SEGMENT_BYTES}`, 'retention.ms': '-1' }
        await createTopic(broker, topic, { config: { ...settings, 'cleanup.policy': 'delete' } })
        await createTopic(broker, `${topic}-busy`)
        await fill(broker, topic, bytes * scale + SEGMENT_BYTES)
        // What is still to be written of it would be charged to whoever writes next.
        execFileSync('sync')
        const load = { connections: 4, recordBytes: 1024, rate: RATE }
        await rawLoop(broker, `${topic}-busy`, { ...load, requests: 2 * RATE })
        const quiet = await rawLoop(broker, `${topic}-busy`, { ...load, requests: QUIET_SECONDS * RATE })
        const before = segments(join(data, `${topic}-0`))
        const [dirty, last] = [before.slice(0, -1), before.at(-1)]
        const [began, cpu] = [performance.now(), cpuSeconds(broker.pid)]
        await configure(broker, topic, {
          ...settings,
          'cleanup.policy': 'compact',
          'min.cleanable.dirty.ratio': '0.01',
        })
        const until = join(broker.dataFolder, 'cleaned')
        const beside = rawLoop(broker, `${topic}-busy`, { ...load, requests: MOST_SECONDS * RATE, until })
        try {
          await untilCleaned(data, topic, last?.base ?? 0)
        } finally {
          writeFileSync(until, '')
        }
        const seconds = (performance.now() - began) / 1000
        const quietCpu = (quiet['brokerCpuUsPerRequest'] ?? Number.NaN) * 1e-6 * RATE * seconds
        const cleanerCpuSeconds = cpuSeconds(broker.pid) - cpu - quietCpu
        const meanwhile = await beside
        const left = segments(join(data, `${topic}-0`)).filter(({ base }) => base < (last?.base ?? 0))
        return {
          megabytesPerSecond: sum(dirty) / 1e6 / seconds,
          cleanerCpuSecondsPerGb: cleanerCpuSeconds / (sum(dirty) / 1e9),
          keptPercent: (sum(left) / sum(dirty)) * 100,
          quietP99Us: quiet['p99Us'] ?? Number.NaN,
          meanwhileP99Us: meanwhile['p99Us'] ?? Number.NaN,
          meanwhileP999Us: meanwhile['p999Us'] ?? Number.NaN,
        }
      } finally {
        await broker.stop()
      }
    },
  }
}

export const compactionCases: ReadonlyMap<string, Case> = new Map<string, Case>([['compaction-5gb', compaction(5e9)]])
