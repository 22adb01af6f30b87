/**
 * What tests do with records over a bare connection: make a topic, produce as one idempotent producer, read all back.
 */

import { produce } from '../../src/protocol/apis/00-produce.ts'
import { fetch } from '../../src/protocol/apis/01-fetch.ts'
import { listOffsets } from '../../src/protocol/apis/02-list-offsets.ts'
import { createTopics } from '../../src/protocol/apis/19-create-topics.ts'
import { initProducerId } from '../../src/protocol/apis/22-init-producer-id.ts'
import { batchesOf } from '../../src/records/batch.ts'
import { buildBatch } from '../../src/records/builder.ts'
import { recordsOf } from '../../src/records/iterate.ts'
import type { WireClient } from './wire-client.ts'

const utf8 = new TextEncoder()

export const createTopic = async (client: WireClient, name: string, partitions = 1): Promise<void> => {
  const { topics } = await client.send(createTopics, 7, {
    topics: [{ name, numPartitions: partitions, replicationFactor: 1, assignments: [], configs: [] }],
    timeoutMs: 30_000,
  })
  const [topic] = topics
  if (topic === undefined || topic.errorCode !== 0) {
    throw new Error(`creating ${name}: ${topic?.errorCode} ${topic?.errorMessage ?? ''}`)
  }
}

export interface ProducerIdentity {
  readonly producerId: bigint
  readonly producerEpoch: number
}

export const newProducer = async (client: WireClient): Promise<ProducerIdentity> => {
  const { errorCode, producerId, producerEpoch } = await client.send(initProducerId, 4, {
    transactionalId: null,
    transactionTimeoutMs: 60_000,
  })
  if (errorCode !== 0) throw new Error(`a producer id: ${errorCode}`)
  return { producerId, producerEpoch }
}

export interface ProduceResult {
  readonly errorCode: number
  readonly baseOffset: number
}

/** Sends `values` as one batch; resolves to what the partition answered. */
export const produceBatch = async (
  client: WireClient,
  target: { topic: string; partition: number; acks: 1 | -1 },
  values: readonly string[],
  identity?: ProducerIdentity & { baseSequence: number },
): Promise<ProduceResult> => {
  const records = buildBatch(
    values.map(value => ({ key: null, value: utf8.encode(value) })),
    { baseOffset: 0, leaderEpoch: -1, timestamp: BigInt(Date.now()), ...identity },
  )
  const { responses } = await client.send(produce, 9, {
    acks: target.acks,
    timeoutMs: 30_000,
    topicData: [{ name: target.topic, partitionData: [{ index: target.partition, records }] }],
  })
  const answer = responses[0]?.partitionResponses[0]
  if (answer === undefined) throw new Error('Produce was answered without the partition')
  return { errorCode: answer.errorCode, baseOffset: answer.baseOffset }
}

/** Every record of a partition from `from` to the high watermark, as text, with its offset. */
export const readAll = async (
  client: WireClient,
  topic: string,
  partition: number,
  from = 0,
): Promise<{ offset: number; value: string }[]> => {
  const { topics } = await client.send(listOffsets, 7, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: topic, partitions: [{ partitionIndex: partition, currentLeaderEpoch: -1, timestamp: -1n }] }],
  })
  const listed = topics[0]?.partitions[0]
  if (listed === undefined || listed.errorCode !== 0) throw new Error(`the end of ${topic}: ${listed?.errorCode}`)
  const end = Number(listed.offset)
  const decoder = new TextDecoder()
  const found: { offset: number; value: string }[] = []
  for (let next = from; next < end; ) {
    const { response, frame } = await client.exchange(fetch, 12, {
      maxWaitMs: 1000,
      minBytes: 1,
      maxBytes: 16 << 20,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [
        {
          topic,
          partitions: [{ partition, currentLeaderEpoch: -1, fetchOffset: next, partitionMaxBytes: 8 << 20 }],
        },
      ],
      forgottenTopicsData: [],
    })
    const answer = response.responses[0]?.partitions[0]
    if (answer === undefined || answer.errorCode !== 0) throw new Error(`reading ${topic}: ${answer?.errorCode}`)
    const { records } = answer
    if (records === null || records.length === 0) continue
    for (const batch of batchesOf(frame.subarray(records.position, records.position + records.length))) {
      if (!batch.isIntact) throw new Error(`a broken batch at ${batch.baseOffset}`)
      for (const record of recordsOf(batch)) {
        if (record.offset < next) continue
        found.push({ offset: record.offset, value: decoder.decode(record.value ?? new Uint8Array(0)) })
      }
      next = batch.lastOffset + 1
    }
  }
  return found
}
