/** A broker in memory for the tests of one file, and what they do with it over bare connections. */
import { type Broker, type BrokerOptions, startBroker } from '../../src/index.ts'
import type { Api } from '../../src/protocol/api.ts'
import { metadata } from '../../src/protocol/apis/03-metadata.ts'
import { createTopics } from '../../src/protocol/apis/19-create-topics.ts'
import type { RecordsRef } from '../../src/protocol/schema.ts'
import { batchesOf } from '../../src/records/batch.ts'
import { type BatchOptions, buildBatch, type RecordInput } from '../../src/records/builder.ts'
import { recordsOf } from '../../src/records/iterate.ts'
import { WireClient } from './wire-client.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export interface TestBroker {
  readonly broker: Broker
  /** False against another broker: what only ours does is not expected of it. */
  readonly ours: boolean
  connect(clientId?: string): Promise<WireClient>
  /** Creates a topic with a name of its own; resolves to name and id. */
  topic(options?: { partitions?: number; configs?: Record<string, string> }): Promise<{ name: string; id: string }>
  close(): Promise<void>
}

/** With ODRADEK_TEST_BOOTSTRAP=127.0.0.1:port it is that broker instead, to compare with Apache Kafka. */
export async function startTestBroker(options: BrokerOptions = {}): Promise<TestBroker> {
  const other = process.env.ODRADEK_TEST_BOOTSTRAP
  const broker = other === undefined ? await startBroker({ logger: false, ...options }) : elsewhere(other)
  const clients: WireClient[] = []
  let topics = 0
  const connect = async (clientId?: string) => {
    const client = await WireClient.connect(broker.port, '127.0.0.1', clientId)
    clients.push(client)
    return client
  }
  return {
    broker,
    ours: other === undefined,
    connect,
    async topic({ partitions = 1, configs = {} } = {}) {
      const name = `topic-${process.pid}-${++topics}`
      const client = await connect()
      const created = await client.send(createTopics, 7, {
        topics: [
          {
            name,
            numPartitions: partitions,
            replicationFactor: 1,
            assignments: [],
            configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
          },
        ],
        timeoutMs: 10_000,
      })
      if (created.topics[0]!.errorCode !== 0) throw new Error(`creating ${name}: ${created.topics[0]!.errorMessage}`)
      const described = await client.send(metadata, 12, { topics: [{ name }], allowAutoTopicCreation: false })
      await client.close()
      // Apache Kafka answers before the topic can be written.
      if (other !== undefined) await new Promise(resolve => setTimeout(resolve, 500))
      return { name, id: described.topics[0]!.topicId }
    },
    async close() {
      for (const client of clients) await client.close()
      await broker.close()
    },
  }
}

function elsewhere(bootstrap: string): Broker {
  return {
    bootstrapServers: [bootstrap],
    port: Number(bootstrap.split(':').at(-1)),
    clusterId: '',
    close: async () => {},
    ref() {
      return this
    },
    unref() {
      return this
    },
    [Symbol.asyncDispose]: async () => {},
  }
}

/** One batch of values, as a producer sends it. */
export function batch(
  values: readonly string[],
  options: Partial<BatchOptions> & { timestamps?: readonly bigint[] } = {},
): Uint8Array {
  const { timestamps, ...rest } = options
  const records = values.map((value, index): RecordInput => {
    const record = { key: null, value: encoder.encode(value) }
    const timestamp = timestamps?.[index]
    return timestamp === undefined ? record : { ...record, timestamp }
  })
  return buildBatch(records, {
    baseOffset: 0,
    leaderEpoch: -1,
    timestamp: timestamps?.[0] ?? BigInt(Date.now()),
    ...rest,
  })
}

/** `offset:value` of every record in the answer's records. */
export function valuesIn(frame: Uint8Array, records: RecordsRef | null): string[] {
  if (records === null) return []
  const values: string[] = []
  for (const each of batchesOf(frame.subarray(records.position, records.position + records.length))) {
    for (const record of recordsOf(each)) values.push(`${record.offset}:${decoder.decode(record.value ?? undefined)}`)
  }
  return values
}

/** The smallest and largest version of an API, and those where its shape changed. */
export function everyVersion(api: Api): number[] {
  return Array.from({ length: api.maxVersion - api.minVersion + 1 }, (_, index) => api.minVersion + index)
}
