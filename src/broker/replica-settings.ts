/**
 * What a topic's configs and the broker's make together for the logs and partitions of that topic.
 *
 * Invariant: partitions of one topic share the objects that they are given, but for a log's jitter.
 */
import type { BrokerConfig } from '../config/broker-config.ts'
import { drawJitter, logConfigFor, topicValue } from '../config/topic-config.ts'
import type { Random } from '../host/host.ts'
import type { LogConfig } from '../log/log.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { topicConfigs } from '../metadata/image.ts'
import type { PartitionSettings } from '../partition/ports.ts'

export interface Settings {
  readonly configs: ReadonlyMap<string, string>
  readonly broker: BrokerConfig
  /** Its jitter is the greatest that may be drawn. */
  readonly log: LogConfig
  readonly partition: PartitionSettings
}

export class ReplicaSettings {
  readonly #random: Random
  readonly #onFlushMs: (flushMs: number) => void
  #last: Settings | undefined

  /** `onFlushMs`: a log of the page cache has this `flush.ms`. */
  constructor(random: Random, onFlushMs: (flushMs: number) => void) {
    this.#random = random
    this.#onFlushMs = onFlushMs
  }

  /** Worked out once for all partitions that come with the same configs one after another. */
  of(topic: string, image: MetadataImage, broker: BrokerConfig): Settings {
    const configs = topicConfigs(image, topic)
    const last = this.#last
    if (last !== undefined && last.configs === configs && last.broker === broker) return last
    const log = logConfigFor(configs, broker)
    const minInSyncReplicas = topicValue('min.insync.replicas', configs, broker) as number
    const minDirtyRatio = topicValue('min.cleanable.dirty.ratio', configs, broker) as number
    const compaction = log.compacted ? { minDirtyRatio, minLagMs: log.minCompactionLagMs } : undefined
    const { flush, timestampType } = log
    const partition = { flush, minInSyncReplicas, timestampType, compaction }
    this.#last = { configs, broker, log, partition }
    if (log.flush === 'os') this.#onFlushMs(log.flushMs)
    return this.#last
  }

  /** With the jitter of one log. */
  drawn(settings: Settings): LogConfig {
    return drawJitter(settings.log, () => this.#random.u32())
  }
}
