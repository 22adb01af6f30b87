/**
 * Many partitions and what they cost: at rest, and when the broker is started again after kill -9. Each case starts brokers
 * of its own.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { encodeRequest } from '../../src/protocol/headers.ts'
import { joinParts } from '../../src/protocol/messages.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { buildBatch } from '../../src/records/builder.ts'
import type { Case, CaseInput } from './interleaved.ts'
import { memory } from './machine.ts'
import { type RunningBroker, type StartOptions, startKafka, startOdradek } from './peers.ts'
import { loadFrame, rawLoop } from './raw.ts'
import { createTopic } from './topics.ts'

/** Partitions that one request writes to. */
const together = 100

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

/** `bytes` over all partitions of the topic, in batches of `batch`; at least one batch for each. */
async function fill(
  broker: RunningBroker,
  topic: string,
  partitions: number,
  bytes: number,
  batch: number,
): Promise<void> {
  const requests = Math.max(1, Math.round(bytes / batch / partitions))
  const args = ['--address', broker.bootstrap, '--pid', `${broker.pid}`, '--connections', '1', '--warm-up', '0']
  for (let first = 0; first < partitions; first += together)
    await loadFrame(wideFrame(topic, first, batch), [...args, '--requests', `${requests}`])
}

interface Part {
  readonly name: string
  readonly partitions: number
}

/** Topics of a thousand: Kafka refuses to make ten thousand partitions at once, and a client gives up on one answer about them. */
function topicsOf(topic: string, count: number): Part[] {
  return Array.from({ length: Math.ceil(count / 1000) }, (_, index) => ({
    name: `${topic}-${index}`,
    partitions: Math.min(1000, count - index * 1000),
  }))
}

/** Started, filled, killed, and timed until its last partition takes a record again. */
function restart(partitions: number, bytes: number, batch: number): Case {
  return {
    fsync: true,
    alone: true,
    async run({ peer, topic, scale }) {
      const count = Math.max(together, Math.round((partitions * scale) / together) * together)
      const port = peer === 'odradek' ? 21792 : 21892
      const first = await start(peer, { port, fsync: true })
      const final = topicsOf(topic, count).at(-1) as Part
      const last = { connections: 1, requests: 1, recordBytes: 100, partition: final.partitions - 1 }
      try {
        for (const { name, partitions } of topicsOf(topic, count)) await createTopic(first, name, { partitions })
        await rawLoop(first, final.name, last)
        for (const { name, partitions } of topicsOf(topic, count))
          await fill(first, name, partitions, (bytes * scale * partitions) / count, batch)
      } catch (error) {
        await first.stop()
        throw error
      }
      await first.stop({ kill: true, keep: true })
      const began = performance.now()
      const second = await start(peer, { port, fsync: true, dataFolder: first.dataFolder })
      try {
        await rawLoop(second, final.name, last)
        return {
          listeningSeconds: second.listeningAfterSeconds,
          servedSeconds: (performance.now() - began) / 1000,
          rssAnonMb: memory(second.pid).rssAnonMb,
        }
      } finally {
        await second.stop()
      }
    },
  }
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
        for (const { name, partitions } of topicsOf(topic, count)) await createTopic(broker, name, { partitions })
        const createdSeconds = (performance.now() - began) / 1000
        for (const { name, partitions } of topicsOf(topic, count)) await fill(broker, name, partitions, 0, 100)
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
  ['restart-5gb-1000-partitions', restart(1_000, 5e9, 16_384)],
  ['restart-10000-partitions', restart(10_000, 0, 100)],
])
