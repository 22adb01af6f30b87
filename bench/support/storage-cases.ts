/**
 * Many partitions and what they cost: at rest, and when the broker is started again after kill -9. Each case
 * starts brokers of its own.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { encodeRequest } from '../../src/protocol/headers.ts'
import { joinParts } from '../../src/protocol/messages.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { buildBatch } from '../../src/records/builder.ts'
import { fioReads } from './fio.ts'
import type { Case, CaseInput } from './interleaved.ts'
import { memory } from './machine.ts'
import { type RunningBroker, type StartOptions, startKafka, startOdradek } from './peers.ts'
import { loadFrame, rawLoop } from './raw.ts'
import { createTopic } from './topics.ts'

/** Partitions that one request writes to. */
const together = 100
const PER_TOPIC = 1000

const start = (peer: CaseInput['peer'], options: StartOptions): Promise<RunningBroker> =>
  peer === 'odradek' ? startOdradek(options) : startKafka(options)

/** One Produce request with a batch of about `bytes` for each of `together` partitions from `first` on. */
function wideFrame(topic: string, first: number, bytes: number): Uint8Array {
  const value = new Uint8Array(Math.min(1000, bytes)).fill(120)
  const records = buildBatch(
    Array.from({ length: Math.max(1, Math.floor(bytes / (value.length + 10))) }, () => ({ key: null, value })),
    { baseOffset: 0, leaderEpoch: -1, timestamp: BigInt(Date.now()) },
  )
  const partitionData = Array.from({ length: together }, (_, index) => ({ index: first + index, records }))
  const request = { acks: -1, timeoutMs: 30_000, topicData: [{ name: topic, partitionData }] }
  const body = joinParts(encodeRequest(new Writer(), produce, 9, { correlationId: 1, clientId: 'load' }, request))
  const frame = new Uint8Array(body.length + 4)
  new DataView(frame.buffer).setUint32(0, body.length)
  frame.set(body, 4)
  return frame
}

/** Topics of at most a thousand partitions: a client gives up on one answer about ten thousand. */
function topicsOf(topic: string, partitions: number): { name: string; count: number }[] {
  const topics = []
  for (let from = 0; from < partitions; from += PER_TOPIC)
    topics.push({ name: `${topic}-${from}`, count: Math.min(PER_TOPIC, partitions - from) })
  return topics
}

async function createTopics(broker: RunningBroker, topic: string, partitions: number): Promise<void> {
  for (const { name, count } of topicsOf(topic, partitions)) await createTopic(broker, name, { partitions: count })
}

/** `bytes` over all partitions of the topics, in batches of `batch`; at least one batch for each. */
async function fill(
  broker: RunningBroker,
  topic: string,
  partitions: number,
  bytes: number,
  batch: number,
): Promise<void> {
  const requests = Math.max(1, Math.round(bytes / batch / partitions))
  const args = ['--address', broker.bootstrap, '--pid', `${broker.pid}`, '--connections', '1', '--warm-up', '0']
  for (const { name, count } of topicsOf(topic, partitions)) {
    for (let first = 0; first < count; first += together)
      await loadFrame(wideFrame(name, first, batch), [...args, '--requests', `${requests}`])
  }
}

/** The last partition takes a record. */
async function serve(broker: RunningBroker, topic: string, partitions: number): Promise<void> {
  const { name, count } = topicsOf(topic, partitions).at(-1) as { name: string; count: number }
  await rawLoop(broker, name, { connections: 1, requests: 1, recordBytes: 100, partition: count - 1 })
}

interface Restart {
  readonly fsync: boolean
  readonly partitions: number
  readonly bytes: number
  readonly batch: number
  /** What is read at the start comes from the disk; fio's rate beside it. */
  readonly cold?: boolean
}

/** Started, filled, killed, and timed until its last partition takes a record again. */
function restart({ fsync, partitions, bytes, batch, cold = false }: Restart): Case {
  return {
    fsync,
    alone: true,
    rounds: 3,
    async run({ peer, topic, scale }) {
      const count = Math.max(together, Math.round((partitions * scale) / together) * together)
      const port = peer === 'odradek' ? 21792 : 21892
      const first = await start(peer, { port, fsync })
      let running = first
      try {
        await createTopics(first, topic, count)
        await fill(first, topic, count, bytes * scale, batch)
        await serve(first, topic, count)
        await first.stop({ kill: true, keep: true })
        if (cold) dropCaches()
        const fioReadMbps = cold ? fioReads(first.dataFolder, Math.min(1e9, bytes * scale)) : undefined
        const began = performance.now()
        running = await start(peer, { port, fsync, dataFolder: first.dataFolder })
        await serve(running, topic, count)
        const servedSeconds = (performance.now() - began) / 1000
        return {
          listeningSeconds: running.listeningAfterSeconds,
          servedSeconds,
          rssAnonMb: memory(running.pid).rssAnonMb,
          ...(cold ? { recoveredMbps: (bytes * scale) / 1e6 / servedSeconds } : {}),
          ...(fioReadMbps === undefined ? {} : { fioReadMbps }),
        }
      } finally {
        await running.stop()
      }
    },
  }
}

/** What is in the system's cache and on the disk is forgotten. Needs root. */
function dropCaches(): void {
  execFileSync('sync')
  writeFileSync('/proc/sys/vm/drop_caches', '1')
}

const mapsOf = (pid: number): number => readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').length - 1
const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

/** What partitions cost that took one record each and rest, and whether another topic feels them. */
function idle(partitions: number, restSeconds: number): Case {
  return {
    fsync: false,
    alone: true,
    async run({ peer, topic, scale }) {
      const count = Math.max(together, Math.round((partitions * scale) / together) * together)
      const broker = await start(peer, { port: peer === 'odradek' ? 21992 : 22092, fsync: false })
      const single = { connections: 1, requests: 20_000, recordBytes: 100 }
      try {
        await createTopic(broker, `${topic}-busy`)
        const alone = await rawLoop(broker, `${topic}-busy`, single)
        const [rssMb, descriptors, maps] = [memory(broker.pid).rssAnonMb, descriptorsOf(broker.pid), mapsOf(broker.pid)]
        const began = performance.now()
        await createTopics(broker, topic, count)
        const createdSeconds = (performance.now() - began) / 1000
        await fill(broker, topic, count, 0, 100)
        await new Promise(resolve => setTimeout(resolve, restSeconds * 1000))
        const beside = await rawLoop(broker, `${topic}-busy`, single)
        return {
          createdSeconds,
          bytesEach: ((memory(broker.pid).rssAnonMb - rssMb) * 2 ** 20) / count,
          descriptorsEach: (descriptorsOf(broker.pid) - descriptors) / count,
          mapsEach: (mapsOf(broker.pid) - maps) / count,
          p99AloneUs: alone['p99Us'] ?? Number.NaN,
          p99BesideUs: beside['p99Us'] ?? Number.NaN,
        }
      } finally {
        await broker.stop()
      }
    },
  }
}

export const storageCases: ReadonlyMap<string, Case> = new Map<string, Case>([
  ['idle-partitions', idle(10_000, 150)],
  ['restart-5gb-1000-partitions', restart({ fsync: true, partitions: 1_000, bytes: 5e9, batch: 16_384 })],
  ['restart-10000-partitions', restart({ fsync: true, partitions: 10_000, bytes: 0, batch: 100 })],
  ['restart-2gb-cold', restart({ fsync: false, partitions: 100, bytes: 2e9, batch: 16_384, cold: true })],
])
