/**
 * The broker that the tests of foreign clients talk to: ours, as a process of its own, or
 * (ODRADEK_TEST_BOOTSTRAP=host:port) any other, so that a test can be shown to pass against Apache Kafka too
 * (ODRADEK_TEST_LOGS is its log directory). Nothing they find is noted for the README then.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { serveProcess } from '../support/broker-process.ts'
import { inRepository } from '../support/paths.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { type ForeignClient, worksWith } from '../support/works-with.ts'

export interface Target {
  readonly bootstrap: string
  readonly ours: boolean
  /** Where its logs lie, if that is known. */
  readonly logs: string | undefined
  /** Notes what a client was seen to do. */
  works(client: ForeignClient, ...what: string[]): void
  close(): Promise<void>
}

/** Groups that settle sooner than by default. Another broker is to be started with these too. */
export const quickGroups = {
  'group.initial.rebalance.delay.ms': 0,
  'group.min.session.timeout.ms': 1000,
  'group.consumer.heartbeat.interval.ms': 500,
  'group.consumer.min.heartbeat.interval.ms': 500,
  'group.consumer.session.timeout.ms': 6000,
  'group.consumer.min.session.timeout.ms': 3000,
}

/** `directories`: how many it has. */
export async function startTarget(
  settings: Readonly<Record<string, string | number>> = {},
  directories = 1,
): Promise<Target> {
  const other = process.env.ODRADEK_TEST_BOOTSTRAP
  const logs = process.env.ODRADEK_TEST_LOGS
  if (other) return { bootstrap: other, ours: false, logs, works: () => {}, close: async () => {} }
  const dir = temporaryFolder('clients')
  const logDirs = Array.from({ length: directories }, (_, index) => join(dir, `${index}`)).join(',')
  const place = directories === 1 ? ['--dir', dir] : []
  const broker = await serveProcess({
    args: ['--host', '127.0.0.1', '--port', '0', ...place],
    settings: directories === 1 ? settings : { ...settings, 'log.dirs': logDirs },
    env: { ODRADEK_LOG: 'warn' },
  })
  return {
    bootstrap: `127.0.0.1:${broker.port}`,
    ours: true,
    logs: dir,
    works: worksWith,
    async close() {
      const { code, stderr } = await broker.stop()
      if (code !== 0) throw new Error(`the broker stopped with exit code ${code}:\n${stderr}`)
    },
  }
}

/** Asks again and again until `holds`; resolves to the answer that did, rejects with the last one after `timeoutMs`. */
export async function eventually<T>(ask: () => T | Promise<T>, holds: (answer: T) => boolean, timeoutMs = 30_000) {
  const until = Date.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (holds(answer)) return answer
    if (Date.now() > until) throw new Error(`not within ${timeoutMs} ms: ${JSON.stringify(answer)}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

let made = 0

/** A topic name that no other test has. */
export function freshTopic(name: string): string {
  made++
  return `${name}-${process.pid}-${made}`
}

/** As much of @platformatic/kafka as the tests touch. */
export interface Platformatic {
  Admin: new (options: object) => PlatformaticAdmin
  Producer: new (options: object) => PlatformaticProducer
  Consumer: new (options: object) => PlatformaticConsumer
  Connection: new (clientId: string) => PlatformaticConnection
  fetchV17: { api: { async(...request: unknown[]): Promise<FetchAnswer> } }
}

interface ClusterMetadata {
  readonly topics: Map<string, { readonly id: string; readonly partitions: readonly { readonly leader: number }[] }>
}

export interface PlatformaticAdmin {
  createTopics(options: object): Promise<{ name: string; partitions: number; replicas: number }[]>
  deleteTopics(options: object): Promise<void>
  listTopics(options?: object): Promise<string[]>
  createPartitions(options: object): Promise<unknown>
  alterConfigs(options: object): Promise<void>
  incrementalAlterConfigs(options: object): Promise<void>
  describeConfigs(options: object): Promise<{ resourceName: string; configs: { name: string; value: string }[] }[]>
  listOffsets(options: object): Promise<{ name: string; partitions: { partitionIndex: number; offset: bigint }[] }[]>
  metadata(options: object): Promise<ClusterMetadata>
  listGroups(options?: object): Promise<Map<string, { readonly groupType: string }>>
  describeGroups(options: object): Promise<Map<string, PlatformaticGroup>>
  deleteGroups(options: object): Promise<void>
  listConsumerGroupOffsets(options: object): Promise<
    {
      readonly topics: {
        readonly partitions: { readonly partitionIndex: number; readonly committedOffset: bigint }[]
      }[]
    }[]
  >
  alterConsumerGroupOffsets(options: object): Promise<void>
  deleteConsumerGroupOffsets(options: object): Promise<unknown>
  close(): Promise<void>
}

interface PlatformaticGroup {
  readonly state: string
  readonly protocol: string
  readonly members: Map<
    string,
    {
      readonly clientId: string
      readonly clientHost: string
      readonly assignments?: Map<string, { readonly partitions: readonly number[] }>
    }
  >
}

export interface PlatformaticConsumer {
  readonly assignments: readonly { readonly topic: string; readonly partitions: readonly number[] }[] | null
  consume(options: object): Promise<PlatformaticStream>
  close(force?: boolean): Promise<void>
}

export interface PlatformaticStream {
  on(event: 'data', listener: (message: { readonly value: Uint8Array }) => void): void
  on(event: 'error', listener: (error: Error) => void): void
  close(): Promise<void>
}

export interface PlatformaticProducer {
  send(options: object): Promise<{ offsets?: { topic: string; partition: number; offset: bigint }[] }>
  initIdempotentProducer(options: object): Promise<{ producerId: bigint; producerEpoch: number }>
  close(): Promise<void>
}

interface PlatformaticConnection {
  connect(host: string, port: number): Promise<void>
  close(): Promise<void>
}

interface FetchAnswer {
  readonly responses: {
    readonly partitions: {
      readonly highWatermark: bigint
      readonly records?: {
        readonly firstOffset: bigint
        readonly attributes: number
        readonly records: {
          readonly offsetDelta: number
          readonly key: Uint8Array | null
          readonly value: Uint8Array | null
        }[]
      }[]
    }[]
  }[]
}

const platformaticFolder = 'test/clients/node_modules/@platformatic/kafka'

/** The library, from the packages of this folder (also when the tests run built, elsewhere). */
export function loadPlatformatic(): Promise<Platformatic> {
  return import(pathToFileURL(inRepository(platformaticFolder, 'dist/index.js')).href)
}

export const platformaticVersion = '1.35.0'

export interface SeenRecord {
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
  /** Number of the codec that its batch is stored with. */
  readonly codec: number
}

const CODEC_MASK = 7

/** Every record of a partition, read over the protocol by another library's decoder, checksums and codecs included. */
export async function readPartition(bootstrap: string, topic: string, partition = 0): Promise<SeenRecord[]> {
  const { Admin, Connection, fetchV17 } = await loadPlatformatic()
  const admin = new Admin({ clientId: 'reader', bootstrapBrokers: [bootstrap] })
  const metadata = await admin.metadata({ topics: [topic], forceUpdate: true })
  const topicId = metadata.topics.get(topic)?.id
  await admin.close()
  const connection = new Connection('reader')
  const colon = bootstrap.lastIndexOf(':')
  await connection.connect(bootstrap.slice(0, colon), Number(bootstrap.slice(colon + 1)))
  const text = (bytes: Uint8Array | null) => (bytes === null ? null : new TextDecoder().decode(bytes))
  const seen: SeenRecord[] = []
  for (;;) {
    const wanted = {
      partition,
      currentLeaderEpoch: -1,
      fetchOffset: BigInt(seen.length),
      lastFetchedEpoch: -1,
      partitionMaxBytes: 1 << 22,
    }
    const topics = [{ topicId, partitions: [wanted] }]
    const answer = await fetchV17.api.async(connection, 500, 1, 1 << 24, 0, 0, -1, topics, [], '')
    const result = answer.responses[0]?.partitions[0]
    for (const batch of result?.records ?? []) {
      for (const record of batch.records) {
        const offset = Number(batch.firstOffset) + record.offsetDelta
        if (offset < seen.length) continue
        const codec = batch.attributes & CODEC_MASK
        seen.push({ offset, key: text(record.key), value: text(record.value), codec })
      }
    }
    if (seen.length >= Number(result?.highWatermark ?? 0)) break
  }
  await connection.close()
  return seen
}
