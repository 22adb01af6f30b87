/**
 * Topic configs. Data only, in the notation of `../definition.ts`; read by `../table.ts` alone.
 *
 * name | type | default | allowed | importance | state | documentation
 */
export const topicConfigTable = `
cleanup.policy | LIST | delete | list compact/delete | medium | works | What happens to old segments: delete, compact, both, or nothing.
compression.gzip.level | INT | -1 | 1..9 or -1 | medium | works | Level of gzip, where compression.type is gzip; -1 leaves it to the library.
compression.lz4.level | INT | 9 | 1..17 | medium | stored | Level of lz4, where compression.type is lz4: there is one speed, whatever it says.
compression.type | STRING | producer | uncompressed/zstd/lz4/snappy/gzip/producer | medium | works | Codec that batches are stored with; \`producer\` keeps what the client sent.
compression.zstd.level | INT | 3 | -131072..22 | medium | works | Level of zstd, where compression.type is zstd.
delete.retention.ms | LONG | 86400000 | >=0 | medium | works | How long a tombstone stays in a compacted topic, in milliseconds.
file.delete.delay.ms | LONG | 60000 | >=0 | medium | works | How long a segment that was removed from the log stays on disk, in milliseconds.
flush.messages | LONG | 9223372036854775807 | >=1 | medium | works | Messages after which the log is flushed to disk.
flush.ms | LONG | 9223372036854775807 | >=0 | medium | works | Age at which an unflushed message is flushed to disk, in milliseconds.
follower.replication.throttled.replicas | LIST |  | replicas | medium | stored | Replicas that are throttled as followers, as partition:broker, or \`*\`.
index.interval.bytes | INT | 4096 | >=0 | medium | works | Bytes of log between two entries of the offset index.
internal.segment.bytes | INT | null |  | medium | internal, works | Size at which a segment is rolled, for tests, in bytes.
leader.replication.throttled.replicas | LIST |  | replicas | medium | stored | Replicas that are throttled as leaders, as partition:broker, or \`*\`.
local.retention.bytes | LONG | -2 | >=-2 | medium | stored | Bytes of a tiered partition kept on local disk; -2 follows retention.bytes.
local.retention.ms | LONG | -2 | >=-2 | medium | stored | Age up to which a tiered segment is kept on local disk, in milliseconds; -2 follows retention.ms.
max.compaction.lag.ms | LONG | 9223372036854775807 | >=1 | medium | works | After this age a record must become cleanable, in milliseconds.
max.message.bytes | INT | 1048588 | >=0 | medium | works | Largest record batch that is accepted, after compression, in bytes.
message.timestamp.after.max.ms | LONG | 3600000 | >=0 | medium | works | How far ahead of the broker's clock a record's timestamp may lie, in milliseconds.
message.timestamp.before.max.ms | LONG | 9223372036854775807 | >=0 | medium | works | How far behind the broker's clock a record's timestamp may lie, in milliseconds.
message.timestamp.type | STRING | CreateTime | CreateTime/LogAppendTime | medium | works | Whether a record carries the time of its creation or of its arrival.
min.cleanable.dirty.ratio | DOUBLE | 0.5 | 0..1 | medium | works | Share of the log that must be dirty before it is cleaned.
min.compaction.lag.ms | LONG | 0 | >=0 | medium | works | Before this age a record is left alone by the cleaner, in milliseconds.
min.insync.replicas | INT | 1 | >=1 | medium | works | Replicas that must be in sync for acks=all to be accepted.
preallocate | BOOLEAN | false |  | medium | stored | Whether a new segment's file gets its full size at once.
remote.log.copy.disable | BOOLEAN | false |  | medium | stored | Whether no more segments are copied to tiered storage.
remote.log.delete.on.disable | BOOLEAN | false |  | medium | stored | Whether what is in tiered storage is deleted when it is switched off for the topic.
remote.storage.enable | BOOLEAN | false |  | medium | stored | Whether old segments go to tiered storage.
retention.bytes | LONG | -1 |  | medium | works | Bytes that a partition keeps before old segments go; -1 for no limit.
retention.ms | LONG | 604800000 | >=-1 | medium | works | How long a segment is kept, in milliseconds; -1 for ever.
segment.bytes | INT | 1073741824 | >=1048576 | medium | works | Size at which a segment is rolled, in bytes.
segment.index.bytes | INT | 10485760 | >=4 | medium | works | Largest size of an index file, in bytes; a full index rolls the segment.
segment.jitter.ms | LONG | 0 | >=0 | medium | works | Most milliseconds that a roll is moved forward at random.
segment.ms | LONG | 604800000 | >=1 | medium | works | Milliseconds after which a segment that is not full is rolled.
unclean.leader.election.enable | BOOLEAN | false |  | medium | works | Whether a replica that is not in sync may lead when no other is left, at the price of records.
`
