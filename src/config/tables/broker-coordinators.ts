/**
 * Broker configs of groups, share groups and transactions. Data only, in the notation of `../definition.ts`;
 * read by `../table.ts` alone.
 *
 * name | type | default | allowed | importance | updated | state | documentation
 */
export const brokerCoordinatorConfigs = `
add.partitions.to.txn.retry.backoff.max.ms | INT | 100 | >=0 | high | read-only | stored | Longest pause before a partition is added to a transaction again, in milliseconds.
add.partitions.to.txn.retry.backoff.ms | INT | 20 | >=1 | high | read-only | stored | First pause before a partition is added to a transaction again, in milliseconds.
group.consumer.assignment.interval.ms | INT | 1000 | >=0 | medium | cluster-wide | works | Least time between two assignments of a consumer group, in milliseconds.
group.consumer.assignors | LIST | uniform,range | list nonempty | medium | read-only | works | Assignors of consumer groups on the broker's side; the first is the default.
group.consumer.heartbeat.interval.ms | INT | 5000 | >=1 | medium | read-only | works | How often a member of a consumer group reports, in milliseconds.
group.consumer.max.assignment.interval.ms | INT | 15000 | >=0 | medium | read-only | works | Highest assignment interval that a consumer group may set, in milliseconds.
group.consumer.max.heartbeat.interval.ms | INT | 15000 | >=1 | medium | read-only | works | Highest heartbeat interval that a consumer group may set, in milliseconds.
group.consumer.max.session.timeout.ms | INT | 60000 | >=1 | medium | read-only | works | Highest session timeout that a consumer group may set, in milliseconds.
group.consumer.max.size | INT | 2147483647 | >=1 | medium | read-only | works | Most members of a consumer group.
group.consumer.migration.policy | STRING | bidirectional | DISABLED/DOWNGRADE/UPGRADE/BIDIRECTIONAL any case | medium | read-only | works | In which directions groups change between the classic and the newer protocol.
group.consumer.min.assignment.interval.ms | INT | 0 | >=0 | medium | read-only | works | Lowest assignment interval that a consumer group may set, in milliseconds.
group.consumer.min.heartbeat.interval.ms | INT | 5000 | >=1 | medium | read-only | works | Lowest heartbeat interval that a consumer group may set, in milliseconds.
group.consumer.min.session.timeout.ms | INT | 45000 | >=1 | medium | read-only | works | Lowest session timeout that a consumer group may set, in milliseconds.
group.consumer.regex.refresh.interval.ms | INT | 600000 | >=10000 | medium | read-only | internal | How often a subscription by pattern is resolved again, in milliseconds.
group.consumer.session.timeout.ms | INT | 45000 | >=1 | medium | read-only | works | A member of a consumer group that is silent for this long is removed, in milliseconds.
group.coordinator.append.linger.ms | INT | -1 | >=-1 | medium | read-only | works | How long the group coordinator gathers records before it writes them, in milliseconds; -1 adapts.
group.coordinator.background.threads | INT | 2 | >=1 | high | read-only | stored | Threads of the group coordinator for slow work.
group.coordinator.cached.buffer.max.bytes | INT | 1048588 | >=524288 | medium | cluster-wide | stored | Largest write buffer that the group coordinator keeps for later, in bytes.
group.coordinator.rebalance.protocols | LIST | classic,consumer,streams | list consumer/classic/share/streams | medium | read-only | works | Kinds of groups that are served.
group.coordinator.threads | INT | 4 | >=1 | high | read-only | stored | Threads of the group coordinator.
group.initial.rebalance.delay.ms | INT | 3000 |  | medium | read-only | works | How long a new classic group waits for more members, in milliseconds.
group.max.session.timeout.ms | INT | 1800000 |  | medium | read-only | works | Highest session timeout that a classic member may ask for, in milliseconds.
group.max.size | INT | 2147483647 | >=1 | medium | read-only | works | Most members of a classic group.
group.min.session.timeout.ms | INT | 6000 |  | medium | read-only | works | Lowest session timeout that a classic member may ask for, in milliseconds.
group.share.assignment.interval.ms | INT | 1000 | >=0 | medium | cluster-wide | stored | Least time between two assignments of a share group, in milliseconds.
group.share.assignors | LIST | simple | list nonempty | medium | read-only | stored | Assignors of share groups.
group.share.delivery.count.limit | INT | 5 | 2..10 | medium | read-only | stored | How often a record is handed out before it is given up.
group.share.heartbeat.interval.ms | INT | 5000 | >=1 | medium | read-only | stored | How often a member of a share group reports, in milliseconds.
group.share.initialize.retry.interval.ms | INT | 30000 | >=1 | low | read-only | internal | Pause before share state is initialised again, in milliseconds.
group.share.max.assignment.interval.ms | INT | 15000 | >=0 | medium | read-only | stored | Highest assignment interval that a share group may set, in milliseconds.
group.share.max.delivery.count.limit | INT | 10 | 5..25 | medium | read-only | stored | Highest delivery limit that a share group may set.
group.share.max.heartbeat.interval.ms | INT | 15000 | >=1 | medium | read-only | stored | Highest heartbeat interval that a share group may set, in milliseconds.
group.share.max.partition.max.record.locks | INT | 4000 | 2000..10000 | medium | read-only | stored | Highest number of locks per partition that a share group may set.
group.share.max.record.lock.duration.ms | INT | 60000 | 30000..3600000 | medium | read-only | stored | Longest lock of a record that a share group may set, in milliseconds.
group.share.max.session.timeout.ms | INT | 60000 | >=1 | medium | read-only | stored | Highest session timeout that a share group may set, in milliseconds.
group.share.max.share.sessions | INT | 2000 | >=1 | medium | read-only | stored | Share sessions that a broker keeps.
group.share.max.size | INT | 200 | 1..1000 | medium | read-only | stored | Most members of a share group.
group.share.min.assignment.interval.ms | INT | 0 | >=0 | medium | read-only | stored | Lowest assignment interval that a share group may set, in milliseconds.
group.share.min.delivery.count.limit | INT | 2 | 2..5 | medium | read-only | stored | Lowest delivery limit that a share group may set.
group.share.min.heartbeat.interval.ms | INT | 5000 | >=1 | medium | read-only | stored | Lowest heartbeat interval that a share group may set, in milliseconds.
group.share.min.partition.max.record.locks | INT | 100 | 100..2000 | medium | read-only | stored | Lowest number of locks per partition that a share group may set.
group.share.min.record.lock.duration.ms | INT | 15000 | 1000..30000 | medium | read-only | stored | Shortest lock of a record that a share group may set, in milliseconds.
group.share.min.session.timeout.ms | INT | 45000 | >=1 | medium | read-only | stored | Lowest session timeout that a share group may set, in milliseconds.
group.share.partition.max.record.locks | INT | 2000 | 100..10000 | medium | read-only | stored | Records of one partition that may be locked at once.
group.share.persister.class.name | STRING | org.apache.kafka.server.share.persister.DefaultStatePersister |  | medium | read-only | internal | Java class that keeps the state of share groups.
group.share.record.lock.duration.ms | INT | 30000 | 1000..3600000 | medium | read-only | stored | How long a record that was handed out stays locked, in milliseconds.
group.share.session.timeout.ms | INT | 45000 | >=1 | medium | read-only | stored | A member of a share group that is silent for this long is removed, in milliseconds.
group.streams.assignment.interval.ms | INT | 1000 | >=0 | medium | cluster-wide | stored | Least time between two assignments of a streams group, in milliseconds.
group.streams.heartbeat.interval.ms | INT | 5000 | >=1 | medium | read-only | stored | How often a member of a streams group reports, in milliseconds.
group.streams.initial.rebalance.delay.ms | INT | 3000 | >=0 | medium | read-only | stored | How long a new streams group waits for more members, in milliseconds.
group.streams.max.assignment.interval.ms | INT | 15000 | >=0 | medium | read-only | stored | Highest assignment interval that a streams group may set, in milliseconds.
group.streams.max.heartbeat.interval.ms | INT | 15000 | >=1 | medium | read-only | stored | Highest heartbeat interval that a streams group may set, in milliseconds.
group.streams.max.session.timeout.ms | INT | 60000 | >=1 | medium | read-only | stored | Highest session timeout that a streams group may set, in milliseconds.
group.streams.max.size | INT | 2147483647 | >=1 | medium | read-only | stored | Most members of a streams group.
group.streams.max.standby.replicas | INT | 2 | >=0 | medium | read-only | stored | Most standby tasks that a streams group may set.
group.streams.min.assignment.interval.ms | INT | 0 | >=0 | medium | read-only | stored | Lowest assignment interval that a streams group may set, in milliseconds.
group.streams.min.heartbeat.interval.ms | INT | 5000 | >=1 | medium | read-only | stored | Lowest heartbeat interval that a streams group may set, in milliseconds.
group.streams.min.session.timeout.ms | INT | 45000 | >=1 | medium | read-only | stored | Lowest session timeout that a streams group may set, in milliseconds.
group.streams.num.standby.replicas | INT | 0 | >=0 | medium | read-only | stored | Standby tasks for each task of a streams group.
group.streams.session.timeout.ms | INT | 45000 | >=1 | medium | read-only | stored | A member of a streams group that is silent for this long is removed, in milliseconds.
offsets.commit.timeout.ms | INT | 5000 | >=1 | high | read-only | works | Longest wait for a commit of offsets to be replicated, in milliseconds.
offsets.load.buffer.size | INT | 5242880 | >=1 | high | read-only | works | Bytes read at a time when a coordinator loads offsets.
offsets.retention.check.interval.ms | LONG | 600000 | >=1 | high | read-only | works | How often committed offsets are checked for expiry, in milliseconds.
offsets.retention.minutes | INT | 10080 | >=1 | high | read-only | works | Minutes that offsets of an empty group are kept.
offsets.topic.compression.codec | INT | 0 |  | high | read-only | stored | Number of the codec that the offsets topic is written with.
offsets.topic.num.partitions | INT | 50 | >=1 | high | read-only | works | Partitions of the offsets topic; not to be changed once it exists.
offsets.topic.replication.factor | SHORT | 3 | >=1 | high | read-only | works | Replicas of the offsets topic.
offsets.topic.segment.bytes | INT | 104857600 | >=1 | high | read-only | works | Size at which a segment of the offsets topic is rolled, in bytes.
share.coordinator.append.linger.ms | INT | -1 | >=-1 | medium | read-only | stored | How long the share coordinator gathers records before it writes them, in milliseconds; -1 adapts.
share.coordinator.cached.buffer.max.bytes | INT | 1048588 | >=524288 | medium | cluster-wide | stored | Largest write buffer that the share coordinator keeps for later, in bytes.
share.coordinator.cold.partition.snapshot.interval.ms | INT | 300000 | >=1 | low | read-only | internal | How often share state that nobody touches is written as a snapshot, in milliseconds.
share.coordinator.load.buffer.size | INT | 5242880 | >=1 | high | read-only | stored | Bytes read at a time when a share coordinator loads its state.
share.coordinator.snapshot.update.records.per.snapshot | INT | 500 | 0..500 | medium | read-only | stored | Updates of share state between two snapshots.
share.coordinator.state.topic.compression.codec | INT | 0 |  | high | read-only | stored | Number of the codec that the share state topic is written with.
share.coordinator.state.topic.min.isr | SHORT | 2 | >=1 | high | read-only | stored | min.insync.replicas of the share state topic.
share.coordinator.state.topic.num.partitions | INT | 50 | >=1 | high | read-only | stored | Partitions of the share state topic; not to be changed once it exists.
share.coordinator.state.topic.prune.interval.ms | INT | 300000 | >=1 | low | read-only | internal | How often share state that is no longer needed is removed, in milliseconds.
share.coordinator.state.topic.replication.factor | SHORT | 3 | >=1 | high | read-only | stored | Replicas of the share state topic.
share.coordinator.state.topic.segment.bytes | INT | 104857600 | >=1 | high | read-only | stored | Size at which a segment of the share state topic is rolled, in bytes.
share.coordinator.threads | INT | 1 | >=1 | medium | read-only | stored | Threads of the share coordinator.
share.coordinator.write.timeout.ms | INT | 5000 | >=1 | high | read-only | stored | Longest wait for share state to be replicated, in milliseconds.
transaction.abort.timed.out.transaction.cleanup.interval.ms | INT | 10000 | >=1 | low | read-only | stored | How often transactions that took too long are looked for, in milliseconds.
transaction.max.timeout.ms | INT | 900000 | >=1 | high | read-only | stored | Longest time that a client may ask for one transaction, in milliseconds.
transaction.partition.verification.enable | BOOLEAN | true |  | low | cluster-wide | stored | Whether a partition is checked to belong to the transaction before it takes its records.
transaction.remove.expired.transaction.cleanup.interval.ms | INT | 3600000 | >=1 | low | read-only | stored | How often transactional ids that expired are removed, in milliseconds.
transaction.state.log.load.buffer.size | INT | 5242880 | >=1 | high | read-only | stored | Bytes read at a time when a coordinator loads transactions.
transaction.state.log.min.isr | INT | 2 | >=1 | high | read-only | stored | min.insync.replicas of the transactions topic.
transaction.state.log.num.partitions | INT | 50 | >=1 | high | read-only | stored | Partitions of the transactions topic; not to be changed once it exists.
transaction.state.log.replication.factor | SHORT | 3 | >=1 | high | read-only | stored | Replicas of the transactions topic.
transaction.state.log.segment.bytes | INT | 104857600 | >=1 | high | read-only | stored | Size at which a segment of the transactions topic is rolled, in bytes.
transaction.two.phase.commit.enable | BOOLEAN | false |  | low | read-only | stored | Whether a transaction may be prepared and committed in two phases.
transactional.id.expiration.ms | INT | 604800000 | >=1 | high | read-only | stored | How long a transactional id without transactions is kept, in milliseconds.
`
