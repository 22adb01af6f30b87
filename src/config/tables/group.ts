/**
 * Group configs. Data only, in the notation of `../definition.ts`; read by `../table.ts` alone.
 *
 * name | type | default | allowed | importance | state | documentation
 */
export const groupConfigTable = `
consumer.assignment.interval.ms | INT | 1000 | >=0 | medium | works | Least time between two assignments of a consumer group, in milliseconds.
consumer.heartbeat.interval.ms | INT | 5000 | >=1 | medium | works | How often a member of a consumer group reports, in milliseconds.
consumer.session.timeout.ms | INT | 45000 | >=1 | medium | works | A member of a consumer group that is silent for this long is removed, in milliseconds.
share.assignment.interval.ms | INT | 1000 | >=0 | medium | stored | Least time between two assignments of a share group, in milliseconds.
share.auto.offset.reset | STRING | latest |  | medium | stored | Where a share group starts in a partition: latest, earliest, or by_duration and a duration.
share.delivery.count.limit | INT | 5 | >=2 | medium | stored | How often a record is handed out before it is given up.
share.heartbeat.interval.ms | INT | 5000 | >=1 | medium | stored | How often a member of a share group reports, in milliseconds.
share.isolation.level | STRING | read_uncommitted | read_committed/read_uncommitted | medium | stored | Whether a share group is given records of open and aborted transactions.
share.partition.max.record.locks | INT | 2000 | >=100 | medium | stored | Records of one partition that may be locked at once.
share.record.lock.duration.ms | INT | 30000 | >=1000 | medium | stored | How long a record that was handed out stays locked, in milliseconds.
share.renew.acknowledge.enable | BOOLEAN | true |  | medium | stored | Whether the members of a share group may keep a record locked for longer.
share.session.timeout.ms | INT | 45000 | >=1 | medium | stored | A member of a share group that is silent for this long is removed, in milliseconds.
streams.assignment.interval.ms | INT | 1000 | >=0 | medium | stored | Least time between two assignments of a streams group, in milliseconds.
streams.heartbeat.interval.ms | INT | 5000 | >=1 | medium | stored | How often a member of a streams group reports, in milliseconds.
streams.initial.rebalance.delay.ms | INT | 3000 | >=0 | medium | stored | How long a new streams group waits for more members, in milliseconds.
streams.num.standby.replicas | INT | 0 | >=0 | medium | stored | Standby tasks for each task of a streams group.
streams.session.timeout.ms | INT | 45000 | >=1 | medium | stored | A member of a streams group that is silent for this long is removed, in milliseconds.
`
