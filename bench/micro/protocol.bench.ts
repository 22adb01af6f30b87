/**
 * Decoding and encoding of the messages that a broker sees most: `node bench/micro/protocol.bench.ts [--out FILE]`.
 * Nanoseconds for each message, frame headers included; JSON with the machine and the runtime in it when FILE is given.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { Bench } from 'tinybench'
import type { Api } from '../../src/protocol/api.ts'
import { type ProduceRequestInput, type ProduceResponseInput, produce } from '../../src/protocol/apis/00-produce.ts'
import { type FetchRequestInput, type FetchResponseInput, fetch } from '../../src/protocol/apis/01-fetch.ts'
import { type MetadataResponseInput, metadata } from '../../src/protocol/apis/03-metadata.ts'
import { readerFor } from '../../src/protocol/compile.ts'
import { decodeResponse, encodeRequest, encodeResponse, readRequestHeader } from '../../src/protocol/headers.ts'
import { joinParts } from '../../src/protocol/messages.ts'
import { Reader } from '../../src/protocol/reader.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { machine } from '../support/machine.ts'

/** Messages in one measured call, so that reading the clock does not count. */
const BATCH = 200

const topicId = 'q1z3Yd2rQ9mYc0mXh7g2Bw'
const record = new Uint8Array(168).fill(7)
const header = { correlationId: 77, clientId: 'producer-1' }
const upTo = <Value>(count: number, make: (index: number) => Value): Value[] =>
  Array.from({ length: count }, (_, index) => make(index))

const produceRequest = (partitions: number): ProduceRequestInput => ({
  acks: -1,
  timeoutMs: 30000,
  topicData: [{ name: 'orders', topicId, partitionData: upTo(partitions, index => ({ index, records: record })) }],
})

const produceResponse = (partitions: number): ProduceResponseInput => ({
  responses: [
    {
      name: 'orders',
      topicId,
      partitionResponses: upTo(partitions, index => ({
        index,
        errorCode: 0,
        baseOffset: 123456 + index,
        logStartOffset: 0,
      })),
    },
  ],
})

const fetchRequest = (partitions: number): FetchRequestInput => ({
  maxWaitMs: 500,
  minBytes: 1,
  maxBytes: 50 * 1024 * 1024,
  sessionId: 12,
  sessionEpoch: 3,
  forgottenTopicsData: [],
  topics: [
    {
      topic: 'orders',
      topicId,
      partitions: upTo(partitions, partition => ({
        partition,
        currentLeaderEpoch: 4,
        fetchOffset: 99999 + partition,
        partitionMaxBytes: 1 << 20,
      })),
    },
  ],
})

const fetchResponse = (partitions: number): FetchResponseInput => ({
  sessionId: 12,
  responses: [
    {
      topic: 'orders',
      topicId,
      partitions: upTo(partitions, partitionIndex => ({
        partitionIndex,
        errorCode: 0,
        highWatermark: 123456,
        lastStableOffset: 123456,
        logStartOffset: 0,
        abortedTransactions: null,
        records: { handle: 5, from: 0, length: 65536 },
      })),
    },
  ],
})

const metadataResponse = (topics: number): MetadataResponseInput => ({
  brokers: [{ nodeId: 1, host: '127.0.0.1', port: 9092 }],
  clusterId: topicId,
  controllerId: 1,
  topics: upTo(topics, index => ({
    errorCode: 0,
    name: `topic-${index}`,
    topicId,
    partitions: upTo(6, partitionIndex => ({
      errorCode: 0,
      partitionIndex,
      leaderId: 1,
      leaderEpoch: 0,
      replicaNodes: [1],
      isrNodes: [1],
    })),
  })),
})

const bench = new Bench({ time: 400, warmupTime: 200 })
const writer = new Writer()
const reader = new Reader()

const add = (name: string, work: () => unknown): void => {
  bench.add(name, () => {
    for (let left = BATCH; left > 0; left--) work()
  })
}

const decodeRequests = (name: string, api: Api, version: number, request: object): void => {
  const frame = joinParts(encodeRequest(writer, api, version, header, request as never))
  add(`decode ${name}, ${frame.length} B`, () => {
    reader.reset(frame)
    const { requestApiVersion } = readRequestHeader(reader)
    return readerFor(api.request, requestApiVersion)(reader)
  })
}

const encodeResponses = (name: string, api: Api, version: number, response: object): void => {
  add(`encode ${name}`, () => encodeResponse(writer, api, version, 77, response as never))
}

for (const version of [9, 13]) {
  decodeRequests(`Produce v${version} request, 1 partition`, produce, version, produceRequest(1))
  encodeResponses(`Produce v${version} response, 1 partition`, produce, version, produceResponse(1))
}
decodeRequests('Produce v13 request, 50 partitions', produce, 13, produceRequest(50))
encodeResponses('Produce v13 response, 50 partitions', produce, 13, produceResponse(50))
for (const version of [11, 17]) {
  decodeRequests(`Fetch v${version} request, 1 partition`, fetch, version, fetchRequest(1))
  encodeResponses(`Fetch v${version} response, 1 partition`, fetch, version, fetchResponse(1))
}
decodeRequests('Fetch v17 request, 50 partitions', fetch, 17, fetchRequest(50))
encodeResponses('Fetch v17 response, 50 partitions', fetch, 17, fetchResponse(50))
encodeResponses('Metadata v13 response, 10 topics of 6 partitions', metadata, 13, metadataResponse(10))
const metadataFrame = joinParts(encodeResponse(writer, metadata, 13, 77, metadataResponse(10)))
add(`decode Metadata v13 response, 10 topics of 6 partitions, ${metadataFrame.length} B`, () => {
  reader.reset(metadataFrame)
  return decodeResponse(reader, metadata, 13)
})

const { values } = parseArgs({ options: { out: { type: 'string' } } })
await bench.run()

const rows = bench.tasks.map(({ name, result }) => {
  if (result.state !== 'completed') throw new Error(`${name}: ${result.state}`)
  const nanoseconds = (milliseconds: number): number => Math.round((milliseconds * 1e6) / BATCH)
  return {
    name,
    medianNs: nanoseconds(result.latency.p50),
    p99Ns: nanoseconds(result.latency.p99),
    samples: result.latency.samplesCount,
  }
})
console.table(rows)
if (values.out !== undefined) {
  mkdirSync(dirname(values.out), { recursive: true })
  const document = {
    benchmark: 'protocol',
    machine: machine(),
    runtime: process.versions,
    messagesPerSample: BATCH,
    rows,
  }
  writeFileSync(values.out, `${JSON.stringify(document, undefined, 2)}\n`)
}
