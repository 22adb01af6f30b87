/**
 * The metadata of one broker on a memory log, stepped by a simulated host: started, registered, asked, stopped, killed.
 */
import { silentLogger } from '../../src/base/logger.ts'
import type { BrokerLifecycle } from '../../src/broker/lifecycle.ts'
import { previousBrokerEpoch, startLifecycle } from '../../src/broker/lifecycle.ts'
import type { BrokerConfig } from '../../src/config/broker-config.ts'
import { brokerConfigOf } from '../../src/config/broker-config.ts'
import type { MetadataNode } from '../../src/controller/start.ts'
import { startMetadata } from '../../src/controller/start.ts'
import { SimulatedHost } from '../../src/host/simulated.ts'
import type { CreateTopicsResponse } from '../../src/protocol/apis/19-create-topics.ts'
import { METADATA_FOLDER } from '../../src/raft/survey.ts'
import { batchesOf } from '../../src/records/batch.ts'
import { MemoryDirectory, MemoryDisk } from './memory-log.ts'

export interface NodeOptions {
  readonly nodeId?: number
  readonly clusterId?: string
  readonly config?: Record<string, string>
  readonly controllerPort?: number
}

export class TestNode {
  readonly disk: MemoryDisk
  readonly host: SimulatedHost
  readonly directory: MemoryDirectory
  readonly config: BrokerConfig
  metadata!: MetadataNode
  lifecycle: BrokerLifecycle | undefined
  readonly #options: NodeOptions

  constructor(disk = new MemoryDisk(), seed = 1, options: NodeOptions = {}) {
    this.disk = disk
    this.host = new SimulatedHost({ seed, wallMs: 1_800_000_000_000 + seed })
    this.directory = new MemoryDirectory(disk)
    this.config = brokerConfigOf(new Map(Object.entries(options.config ?? {})))
    this.#options = options
  }

  /** Starts controller and loader. */
  async start(): Promise<this> {
    const { nodeId = 1, clusterId, controllerPort = 9093 } = this.#options
    this.metadata = await startMetadata({
      host: this.host,
      logger: silentLogger,
      directories: [this.directory],
      nodeId,
      ...(clusterId === undefined ? {} : { clusterId }),
      controllerListener: { name: 'CONTROLLER', host: 'localhost', port: controllerPort },
      config: this.config,
    })
    return this
  }

  /**
   * Registers the broker and has it unfenced. `epoch`: what it presents as its previous one;
   * absent: as under flush=group.
   */
  async serve(epoch?: number): Promise<this> {
    const { nodeId = 1 } = this.#options
    const { controller, loader, clusterId, directoryIds } = this.metadata
    this.lifecycle = await startLifecycle({
      host: this.host,
      logger: silentLogger,
      controller,
      loader,
      nodeId,
      clusterId,
      listeners: [{ name: 'PLAINTEXT', host: '127.0.0.1', port: 9092, securityProtocol: 0 }],
      rack: null,
      logDirs: [...directoryIds.values()],
      previousBrokerEpoch: epoch ?? previousBrokerEpoch(this.metadata.image(), nodeId, [this.directory], 'group'),
      heartbeatIntervalMs: 2000,
      offlineLogDirs: () => [],
    })
    await this.lifecycle.unfence()
    return this
  }

  handle<Answer = object>(apiKey: number, version: number, request: object): Promise<Answer> {
    return this.metadata.controller.handle(apiKey, version, request, { clientId: null }) as Promise<Answer>
  }

  /** Creates a topic with default settings. */
  createTopic(name: string, more: object = {}): Promise<CreateTopicsResponse> {
    const topic = { name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [], ...more }
    return this.handle<CreateTopicsResponse>(19, 7, { topics: [topic], timeoutMs: 1000, validateOnly: false })
  }

  /** A clean stop, as a broker does it. */
  async stop(): Promise<void> {
    const shutdown = this.lifecycle?.controlledShutdown(5000)
    for (let i = 0; i < 5; i++) await this.host.advance(50)
    await shutdown
    await this.metadata.close()
    await this.directory.close({ clean: true, brokerEpoch: this.lifecycle?.brokerEpoch ?? -1 })
  }

  /** kill -9: nothing is told to anybody. */
  kill(): void {
    this.lifecycle?.close()
  }

  /** The bytes of the metadata log from `offset` on. */
  log(offset = 0): Uint8Array {
    const stored = this.disk.logs.get(METADATA_FOLDER)!.batches
    return new Uint8Array(Buffer.concat(stored.filter(batch => [...batchesOf(batch)][0]!.baseOffset >= offset)))
  }

  get logEnd(): number {
    const last = this.disk.logs.get(METADATA_FOLDER)?.batches.at(-1)
    return last === undefined ? 0 : [...batchesOf(last)][0]!.lastOffset + 1
  }
}
