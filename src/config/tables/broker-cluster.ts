/**
 * Broker configs of the quorum, the controller, the metadata log and replication. Data only, in the notation of
 * `../definition.ts`; read by `../table.ts` alone.
 *
 * name | type | default | allowed | importance | updated | state | documentation
 */
export const brokerClusterConfigs = `
auto.leader.rebalance.enable | BOOLEAN | true |  | high | read-only | stored | Whether leadership goes back to the preferred replicas by itself.
broker.heartbeat.interval.ms | INT | 2000 |  | medium | read-only | works | How often a broker tells the controller that it lives, in milliseconds.
broker.session.timeout.ms | INT | 9000 |  | medium | read-only | works | After this long without a heartbeat a broker counts as gone, in milliseconds.
controlled.shutdown.enable | BOOLEAN | true |  | medium | read-only | stored | Whether a stopping broker hands over its leaderships first.
controller.listener.names | LIST | required | list nonempty | high | read-only | works | Names of the listeners that the controllers use.
controller.performance.always.log.threshold.ms | LONG | 2000 | >=0 | medium | read-only | internal | A controller event that takes longer is logged, in milliseconds.
controller.performance.sample.period.ms | LONG | 60000 | >=100 | medium | read-only | internal | How often the controller logs how long its events took, in milliseconds.
controller.quorum.append.linger.ms | INT | 25 | >=0 | medium | read-only | stored | How long a leading controller gathers records before it writes them, in milliseconds.
controller.quorum.auto.join.enable | BOOLEAN | false |  | low | read-only | stored | Whether a controller joins the voters by itself.
controller.quorum.bootstrap.servers | LIST |  | list | high | read-only | stored | Where controllers can be found, as host:port.
controller.quorum.election.backoff.max.ms | INT | 1000 | >=0 | high | read-only | stored | Longest pause after a failed election, in milliseconds.
controller.quorum.election.timeout.ms | INT | 1000 | >=0 | high | read-only | stored | Longest wait for votes before a new election, in milliseconds.
controller.quorum.fetch.max.bytes | INT | 1048576 | >=1 | low | read-only | stored | Most bytes of the metadata log in one fetch.
controller.quorum.fetch.snapshot.max.bytes | INT | 1048576 | >=1 | low | read-only | stored | Most bytes of a metadata snapshot in one fetch.
controller.quorum.fetch.timeout.ms | INT | 2000 | >=0 | high | read-only | stored | After this long without a fetch that succeeds, a voter stands for election, in milliseconds.
controller.quorum.request.timeout.ms | INT | 2000 | >=0 | medium | read-only | stored | How long a controller waits for another's answer, in milliseconds.
controller.quorum.retry.backoff.ms | INT | 20 | >=0 | low | read-only | stored | Pause before a controller repeats a failed request, in milliseconds.
controller.quorum.voters | LIST |  | list | high | read-only | stored | The fixed set of voters, as id@host:port.
controller.socket.timeout.ms | INT | 30000 |  | medium | read-only | stored | How long a broker waits for the controller's socket, in milliseconds.
follower.fetch.last.tiered.offset.enable | BOOLEAN | false |  | medium | cluster-wide | stored | Whether an empty follower starts at the last offset that is in tiered storage.
follower.replication.throttled.rate | LONG | 9223372036854775807 | >=0 | medium | per-broker | internal | Ceiling of what this broker's followers fetch of throttled replicas, in bytes a second.
initial.broker.registration.timeout.ms | INT | 60000 |  | medium | read-only | stored | How long a starting broker tries to register, in milliseconds.
internal.metadata.delete.delay.millis | LONG | 60000 |  | low | read-only | internal | How long removed files of the metadata log stay, in milliseconds.
internal.metadata.log.segment.bytes | INT | null |  | low | read-only | internal | Size at which a segment of the metadata log is rolled, for tests, in bytes.
internal.metadata.max.batch.size.in.bytes | INT | 8388608 |  | low | read-only | internal | Largest batch of the metadata log, in bytes.
leader.imbalance.check.interval.seconds | LONG | 300 | >=1 | high | read-only | stored | How often the controller looks for leaders that are not preferred, in seconds.
leader.replication.throttled.rate | LONG | 9223372036854775807 | >=0 | medium | per-broker | internal | Ceiling of what this broker's leaders send of throttled replicas, in bytes a second.
metadata.log.dir | STRING | null |  | high | read-only | works | Directory of the metadata log, one of log.dirs; without it, the first of them.
metadata.log.max.record.bytes.between.snapshots | LONG | 20971520 | >=1 | high | read-only | works | Bytes of metadata records after which a snapshot is written.
metadata.log.max.snapshot.interval.ms | LONG | 3600000 | >=0 | high | read-only | works | Age of the last snapshot at which another is written, in milliseconds.
metadata.log.segment.bytes | INT | 1073741824 | >=8388608 | high | read-only | stored | Size at which a segment of the metadata log is rolled, in bytes.
metadata.log.segment.ms | LONG | 604800000 |  | high | read-only | stored | Age at which a segment of the metadata log is rolled, in milliseconds.
metadata.max.idle.interval.ms | INT | 500 | >=0 | low | read-only | stored | How often an idle controller writes a record that says nothing, in milliseconds; 0 never.
metadata.max.retention.bytes | LONG | 104857600 |  | high | read-only | stored | Bytes of the metadata log and snapshots kept before old ones go.
metadata.max.retention.ms | LONG | 604800000 |  | high | read-only | stored | How long files of the metadata log and snapshots are kept, in milliseconds.
node.id | INT | required | >=0 | high | read-only | works | Number of this node in the cluster.
num.replica.alter.log.dirs.threads | INT | null |  | high | read-only | stored | Threads that move replicas between data directories.
num.replica.fetchers | INT | 1 | >=1 | high | cluster-wide | stored | Connections with which a follower reads from one leader.
process.roles | LIST | required | list broker/controller nonempty | high | read-only | works | What this node is: broker, controller or both.
replica.alter.log.dirs.io.max.bytes.per.second | LONG | 9223372036854775807 | >=0 | medium | per-broker | internal, works | Ceiling of what moves of replicas between data directories copy, in bytes a second.
replica.fetch.backoff.ms | INT | 1000 | >=0 | medium | read-only | stored | Pause of a follower after a failed fetch, in milliseconds.
replica.fetch.max.bytes | INT | 1048576 | >=0 | medium | read-only | stored | Bytes of one partition that a follower asks for in one fetch.
replica.fetch.min.bytes | INT | 1 |  | high | read-only | stored | Bytes that a follower waits for.
replica.fetch.response.max.bytes | INT | 10485760 | >=0 | medium | read-only | stored | Bytes of all partitions that a follower asks for in one fetch.
replica.fetch.wait.max.ms | INT | 500 |  | high | read-only | stored | How long a follower waits for those bytes, in milliseconds.
replica.high.watermark.checkpoint.interval.ms | LONG | 5000 |  | high | read-only | stored | How often high watermarks are written to their checkpoint, in milliseconds.
replica.lag.time.max.ms | LONG | 30000 |  | high | read-only | stored | A follower that has not caught up for this long leaves the in-sync set, in milliseconds.
replica.selector.class | STRING | null |  | medium | read-only | stored | Java class that chooses the replica a consumer reads from.
replica.socket.receive.buffer.bytes | INT | 65536 |  | high | read-only | stored | Receive buffer of a follower's socket, in bytes.
replica.socket.timeout.ms | INT | 30000 |  | high | read-only | stored | How long a follower waits for its leader's socket, in milliseconds.
unclean.leader.election.enable | BOOLEAN | false |  | high | cluster-wide | works | Whether a replica that is not in sync may lead when no other is left, at the price of records.
unclean.leader.election.interval.ms | LONG | 300000 | >=1 | medium | read-only | internal | How often the controller looks for partitions that need such an election, in milliseconds.
`
