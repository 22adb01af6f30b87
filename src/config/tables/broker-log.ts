/**
 * Broker configs of logs: where they lie, when they roll, what they accept and keep, tiered storage. Data only, in the
 * notation of `../definition.ts`; read by `../table.ts` alone.
 *
 * name | type | default | allowed | importance | updated | state | documentation
 */
export const brokerLogConfigs = `
alter.config.policy.class.name | CLASS | null |  | low | read-only | stored | Java class that decides whether a config may be changed.
auto.create.topics.enable | BOOLEAN | true |  | high | read-only | works | Whether asking for the metadata of an unknown topic creates it.
compression.gzip.level | INT | -1 | 1..9 or -1 | medium | cluster-wide | works | Level that gzip uses when the broker recompresses; -1 leaves it to the library.
compression.lz4.level | INT | 9 | 1..17 | medium | cluster-wide | stored | Level that lz4 uses when the broker recompresses: there is one speed, whatever it says.
compression.type | STRING | producer | uncompressed/zstd/lz4/snappy/gzip/producer | high | cluster-wide | works | Codec that batches are stored with; \`producer\` keeps what the client sent.
compression.zstd.level | INT | 3 | -131072..22 | medium | cluster-wide | works | Level that zstd uses when the broker recompresses.
cordoned.log.dirs | LIST |  | list | medium | per-broker | stored | Data directories that take no new replicas; \`*\` means all of them.
create.topic.policy.class.name | CLASS | null |  | low | read-only | stored | Java class that decides whether a topic may be created.
default.replication.factor | INT | 1 |  | medium | read-only | works | Replicas of a topic that is created without saying how many.
delete.topic.enable | BOOLEAN | true |  | high | read-only | works | Whether topics can be deleted.
log.cleaner.backoff.ms | LONG | 15000 | >=0 | medium | cluster-wide | works | Pause of the cleaner when it found nothing to do, in milliseconds.
log.cleaner.dedupe.buffer.size | LONG | 134217728 |  | medium | cluster-wide | works | Memory of the cleaner for keys, all threads together, in bytes.
log.cleaner.delete.retention.ms | LONG | 86400000 | >=0 | medium | cluster-wide | works | How long a tombstone stays in a compacted topic, in milliseconds.
log.cleaner.enable | BOOLEAN | true |  | medium | read-only | works | Whether compacted topics are cleaned.
log.cleaner.io.buffer.load.factor | DOUBLE | 0.9 |  | medium | cluster-wide | works | How full the cleaner fills its key table, as a fraction.
log.cleaner.io.buffer.size | INT | 524288 | >=0 | medium | cluster-wide | works | Memory of the cleaner for reading and writing, all threads together, in bytes.
log.cleaner.io.max.bytes.per.second | DOUBLE | 1.7976931348623157E308 |  | medium | cluster-wide | works | Ceiling of the cleaner's reading and writing, in bytes a second.
log.cleaner.max.compaction.lag.ms | LONG | 9223372036854775807 | >=1 | medium | cluster-wide | works | After this age a record must become cleanable, in milliseconds.
log.cleaner.min.cleanable.ratio | DOUBLE | 0.5 | 0..1 | medium | cluster-wide | works | Share of a log that must be dirty before it is cleaned.
log.cleaner.min.compaction.lag.ms | LONG | 0 | >=0 | medium | cluster-wide | works | Before this age a record is left alone by the cleaner, in milliseconds.
log.cleaner.threads | INT | 1 | >=0 | medium | cluster-wide | works | Threads that clean.
log.cleanup.policy | LIST | delete | list compact/delete | medium | cluster-wide | works | What happens to old segments: delete, compact, both, or nothing.
log.dir | LIST | ./data | list nonempty | high | read-only | works | Data directory, used when log.dirs is not set.
log.dir.failure.timeout.ms | LONG | 30000 | >=1 | low | read-only | works | How long a broker with a failed directory that holds leaders waits for the controller before it stops, in milliseconds.
log.dirs | LIST | null | list nonempty | high | read-only | works | Data directories, separated by commas.
log.flush.interval.messages | LONG | 9223372036854775807 | >=1 | high | cluster-wide | works | Messages after which a log is flushed to disk.
log.flush.interval.ms | LONG | null |  | high | cluster-wide | works | Age at which an unflushed message is flushed to disk, in milliseconds.
log.flush.offset.checkpoint.interval.ms | INT | 60000 | >=0 | high | read-only | works | How often recovery points are written to their checkpoint, in milliseconds.
log.flush.scheduler.interval.ms | LONG | 9223372036854775807 |  | high | read-only | works | How often logs are looked over for an overdue flush, in milliseconds.
log.flush.start.offset.checkpoint.interval.ms | INT | 60000 | >=0 | high | read-only | works | How often log start offsets are written to their checkpoint, in milliseconds.
log.index.interval.bytes | INT | 4096 | >=0 | medium | cluster-wide | works | Bytes of log between two entries of the offset index.
log.index.size.max.bytes | INT | 10485760 | >=4 | medium | cluster-wide | works | Largest size of an index file, in bytes; a full index rolls the segment.
log.initial.task.delay.ms | LONG | 30000 | >=0 | low | read-only | internal, works | Pause between start and the first background task on logs, in milliseconds.
log.local.retention.bytes | LONG | -2 | >=-2 | medium | cluster-wide | stored | Bytes of a tiered partition kept on local disk; -2 follows log.retention.bytes.
log.local.retention.ms | LONG | -2 | >=-2 | medium | cluster-wide | stored | Age up to which a tiered segment is kept on local disk, in milliseconds; -2 follows log.retention.ms.
log.message.timestamp.after.max.ms | LONG | 3600000 | >=0 | medium | cluster-wide | works | How far ahead of the broker's clock a record's timestamp may lie, in milliseconds.
log.message.timestamp.before.max.ms | LONG | 9223372036854775807 | >=0 | medium | cluster-wide | works | How far behind the broker's clock a record's timestamp may lie, in milliseconds.
log.message.timestamp.type | STRING | CreateTime | CreateTime/LogAppendTime | medium | cluster-wide | works | Whether a record carries the time of its creation or of its arrival.
log.preallocate | BOOLEAN | false |  | medium | cluster-wide | stored | Whether a new segment's file gets its full size at once.
log.retention.bytes | LONG | -1 |  | high | cluster-wide | works | Bytes that a partition keeps before old segments go; -1 for no limit.
log.retention.check.interval.ms | LONG | 300000 | >=1 | medium | read-only | works | How often segments are checked for retention, in milliseconds.
log.retention.hours | INT | 168 |  | high | read-only | works | Hours that a segment is kept; log.retention.minutes and log.retention.ms come before it.
log.retention.minutes | INT | null |  | high | read-only | works | Minutes that a segment is kept; log.retention.ms comes before it.
log.retention.ms | LONG | null |  | high | cluster-wide | works | Milliseconds that a segment is kept; -1 for ever.
log.roll.hours | INT | 168 | >=1 | high | read-only | works | Hours after which a segment that is not full is rolled; log.roll.ms comes before it.
log.roll.jitter.hours | INT | 0 | >=0 | high | read-only | works | Most hours that a roll is moved forward at random; log.roll.jitter.ms comes before it.
log.roll.jitter.ms | LONG | null |  | high | cluster-wide | works | Most milliseconds that a roll is moved forward at random.
log.roll.ms | LONG | null |  | high | cluster-wide | works | Milliseconds after which a segment that is not full is rolled.
log.segment.bytes | INT | 1073741824 | >=1048576 | high | cluster-wide | works | Size at which a segment is rolled, in bytes.
log.segment.delete.delay.ms | LONG | 60000 | >=0 | high | cluster-wide | works | How long a segment that was removed from the log stays on disk, in milliseconds.
max.incremental.fetch.session.cache.slots | INT | 1000 | >=0 | medium | read-only | works | Incremental fetch sessions that the broker remembers.
message.max.bytes | INT | 1048588 | >=0 | high | cluster-wide | works | Largest record batch that is accepted, after compression, in bytes.
min.insync.replicas | INT | 1 | >=1 | high | cluster-wide | works | Replicas that must be in sync for acks=all to be accepted.
num.partitions | INT | 1 | >=1 | medium | read-only | works | Partitions of a topic that is created without saying how many.
num.recovery.threads.per.data.dir | INT | 2 | >=1 | high | cluster-wide | works | Threads per data directory that open logs, and recover them after a crash.
odradek.flush | STRING | group | group/os | high | read-only | works | When an append counts as safe: \`group\` when it is on disk (all that wait share one sync), \`os\` when the operating system has it.
offset.metadata.max.bytes | INT | 4096 |  | high | read-only | works | Longest text that may be stored with a committed offset, in bytes.
producer.id.expiration.check.interval.ms | INT | 600000 | >=1 | low | read-only | internal | How often idle producer ids are looked for, in milliseconds.
producer.id.expiration.ms | INT | 86400000 | >=1 | low | cluster-wide | works | How long the state of an idle producer id is kept, in milliseconds.
remote.fetch.max.wait.ms | INT | 500 | >=1 | medium | cluster-wide | stored | Longest wait for a fetch that reads tiered storage, in milliseconds.
remote.list.offsets.request.timeout.ms | LONG | 30000 | >=1 | medium | cluster-wide | stored | Longest wait for offsets that are looked up in tiered storage, in milliseconds.
remote.log.index.file.cache.total.size.bytes | LONG | 1073741824 | >=1 | low | cluster-wide | stored | Disk space for index files fetched from tiered storage, in bytes.
remote.log.index.file.cache.ttl.ms | LONG | 900000 | >=-1 | low | read-only | internal | Age at which a cached index file of tiered storage is dropped, in milliseconds.
remote.log.manager.copier.thread.pool.size | INT | 10 | >=1 | medium | cluster-wide | stored | Threads that copy segments to tiered storage.
remote.log.manager.copy.max.bytes.per.second | LONG | 9223372036854775807 | >=1 | medium | cluster-wide | stored | Ceiling of copying to tiered storage, in bytes a second.
remote.log.manager.copy.quota.window.num | INT | 11 | >=1 | medium | read-only | stored | Samples kept for the ceiling of copying to tiered storage.
remote.log.manager.copy.quota.window.size.seconds | INT | 1 | >=1 | medium | read-only | stored | Length of one such copying sample, in seconds.
remote.log.manager.expiration.thread.pool.size | INT | 10 | >=1 | medium | cluster-wide | stored | Threads that remove expired segments from tiered storage.
remote.log.manager.fetch.max.bytes.per.second | LONG | 9223372036854775807 | >=1 | medium | cluster-wide | stored | Ceiling of fetching from tiered storage, in bytes a second.
remote.log.manager.fetch.quota.window.num | INT | 11 | >=1 | medium | read-only | stored | Samples kept for the ceiling of fetching from tiered storage.
remote.log.manager.fetch.quota.window.size.seconds | INT | 1 | >=1 | medium | read-only | stored | Length of one such fetching sample, in seconds.
remote.log.manager.follower.thread.pool.size | INT | 2 | >=1 | medium | cluster-wide | stored | Threads that keep followers up with tiered storage.
remote.log.manager.task.interval.ms | LONG | 30000 | >=1 | low | read-only | stored | How often tiered storage looks for work, in milliseconds.
remote.log.manager.task.retry.backoff.max.ms | LONG | 30000 | >=1 | low | read-only | internal | Longest pause before a failed task of tiered storage is tried again, in milliseconds.
remote.log.manager.task.retry.backoff.ms | LONG | 500 | >=1 | low | read-only | internal | First pause before a failed task of tiered storage is tried again, in milliseconds.
remote.log.manager.task.retry.jitter | DOUBLE | 0.2 | 0..0.5 | low | read-only | internal | Share by which that pause is varied at random.
remote.log.manager.thread.pool.size | INT | 2 | >=1 | medium | read-only | stored | Threads of tiered storage for all other work.
remote.log.metadata.custom.metadata.max.bytes | INT | 128 | >=0 | low | read-only | stored | Most bytes of its own that a tiered storage plug-in may keep per segment.
remote.log.metadata.manager.class.name | STRING | org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager | nonempty | medium | read-only | stored | Java class that keeps the metadata of tiered storage.
remote.log.metadata.manager.class.path | STRING | null |  | medium | read-only | stored | Where that class is loaded from.
remote.log.metadata.manager.impl.prefix | STRING | rlmm.config. | nonempty | medium | read-only | stored | Prefix of the keys that are handed to that class.
remote.log.metadata.manager.listener.name | STRING | null | nonempty | medium | read-only | stored | Listener through which that class reaches the brokers.
remote.log.reader.max.pending.tasks | INT | 100 | >=1 | medium | read-only | stored | Reads of tiered storage that may wait; further ones are refused.
remote.log.reader.threads | INT | 10 | >=1 | medium | cluster-wide | stored | Threads that read tiered storage.
remote.log.storage.manager.class.name | STRING | null | nonempty | medium | read-only | stored | Java class that stores segments remotely.
remote.log.storage.manager.class.path | STRING | null |  | medium | read-only | stored | Where the storing class is loaded from.
remote.log.storage.manager.impl.prefix | STRING | rsm.config. | nonempty | medium | read-only | stored | Prefix of the keys that are handed to the storing class.
remote.log.storage.system.enable | BOOLEAN | false |  | medium | read-only | stored | Whether tiered storage is started.
`
