/** Topics with many partitions: made, written to all together, and asked whether the last of them serves. */
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { encodeRequest } from '../../src/protocol/headers.ts'
import { joinParts } from '../../src/protocol/messages.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { buildBatch } from '../../src/records/builder.ts'
import type { CaseInput } from './interleaved.ts'
import { type RunningBroker, type StartOptions, startKafka, startOdradek } from './peers.ts'
import { loadFrame, rawLoop } from './raw.ts'
import { createTopic } from './topics.ts'

/** Partitions that one request writes to. */
export const together = 100
const PER_TOPIC = 1000
/** A peer that takes longer to make its topics is given up. */
const CREATE_SECONDS = 300

export const start = (peer: CaseInput['peer'], options: StartOptions): Promise<RunningBroker> =>
  peer === 'odradek' ? startOdradek(options) : startKafka(options)

/** `partitions` times `scale`, so that whole requests write to them. */
export const scaled = (partitions: number, scale: number): number =>
  Math.max(together, Math.round((partitions * scale) / together) * together)

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

export async function createTopics(broker: RunningBroker, topic: string, partitions: number): Promise<void> {
  const deadline = performance.now() + CREATE_SECONDS * 1000
  let made = 0
  for (const { name, count } of topicsOf(topic, partitions)) {
    await createTopic(broker, name, { partitions: count })
    made += count
    if (performance.now() > deadline && made < partitions)
      throw new Error(`${made} of ${partitions} partitions after ${CREATE_SECONDS} s`)
  }
}

/** `bytes` over all partitions of the topics, in batches of `batch`; at least one batch for each. */
export async function fill(
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
export async function serve(broker: RunningBroker, topic: string, partitions: number): Promise<void> {
  const { name, count } = topicsOf(topic, partitions).at(-1) as { name: string; count: number }
  await rawLoop(broker, name, { connections: 1, requests: 1, recordBytes: 100, partition: count - 1 })
}
