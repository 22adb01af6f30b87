/**
 * The group coordinator's configuration, by meaning. Read anew each time: keys that can be altered take effect at once,
 * and a group's own configs (DescribeConfigs calls the resource GROUP) go before the broker's.
 */
import type { BrokerConfig } from '../../config/broker-config.ts'

export type MigrationPolicy = 'disabled' | 'upgrade' | 'downgrade' | 'bidirectional'

export class GroupSettings {
  readonly #config: () => BrokerConfig
  readonly #ofGroup: (groupId: string) => ReadonlyMap<string, string> | undefined

  /** `ofGroup`: the configs that were set for a group by itself. */
  constructor(config: () => BrokerConfig, ofGroup: (groupId: string) => ReadonlyMap<string, string> | undefined) {
    this.#config = config
    this.#ofGroup = ofGroup
  }

  // Classic groups.

  get minSessionTimeoutMs(): number {
    return this.#config().number('group.min.session.timeout.ms')
  }

  get maxSessionTimeoutMs(): number {
    return this.#config().number('group.max.session.timeout.ms')
  }

  get initialRebalanceDelayMs(): number {
    return this.#config().number('group.initial.rebalance.delay.ms')
  }

  get classicMaxSize(): number {
    return this.#config().number('group.max.size')
  }

  // Consumer groups.

  consumerSessionTimeoutMs(groupId: string): number {
    return this.#bounded(groupId, 'session.timeout.ms')
  }

  consumerHeartbeatIntervalMs(groupId: string): number {
    return this.#bounded(groupId, 'heartbeat.interval.ms')
  }

  consumerAssignmentIntervalMs(groupId: string): number {
    return this.#bounded(groupId, 'assignment.interval.ms')
  }

  get consumerMaxSize(): number {
    return this.#config().number('group.consumer.max.size')
  }

  /** Names; the first is the default. */
  get consumerAssignors(): readonly string[] {
    return this.#config().list('group.consumer.assignors')
  }

  get migrationPolicy(): MigrationPolicy {
    return (this.#config().text('group.consumer.migration.policy') ?? 'disabled').toLowerCase() as MigrationPolicy
  }

  get regexRefreshIntervalMs(): number {
    return this.#config().number('group.consumer.regex.refresh.interval.ms')
  }

  /** Whether `group.coordinator.rebalance.protocols` serves groups of this kind. */
  serves(kind: 'classic' | 'consumer'): boolean {
    return this.#config().list('group.coordinator.rebalance.protocols').includes(kind)
  }

  // Offsets.

  get offsetMetadataMaxBytes(): number {
    return this.#config().number('offset.metadata.max.bytes')
  }

  /** How long an operation waits for its records to be committed. */
  get commitTimeoutMs(): number {
    return this.#config().number('offsets.commit.timeout.ms')
  }

  get offsetsRetentionMs(): number {
    return this.#config().number('offsets.retention.minutes') * 60_000
  }

  get offsetsRetentionCheckIntervalMs(): number {
    return this.#config().number('offsets.retention.check.interval.ms')
  }

  /** A group's own value, held within what the broker allows now; else the broker's. */
  #bounded(groupId: string, key: 'session.timeout.ms' | 'heartbeat.interval.ms' | 'assignment.interval.ms'): number {
    const config = this.#config()
    const own = this.#ofGroup(groupId)?.get(`consumer.${key}`)
    if (own === undefined) return config.number(`group.consumer.${key}`)
    const least = config.number(`group.consumer.min.${key}`)
    const most = config.number(`group.consumer.max.${key}`)
    return Math.min(most, Math.max(least, Number(own)))
  }
}
