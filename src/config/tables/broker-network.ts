/**
 * Broker configs of sockets, requests, quotas and metrics. Data only, in the notation of `../definition.ts`;
 * read by `../table.ts` alone.
 *
 * name | type | default | allowed | importance | updated | state | documentation
 */
export const brokerNetworkConfigs = `
advertised.listeners | LIST | null | list nonempty | high | read-only | works | Addresses that clients are given; without it, the address that they reached.
alter.log.dirs.replication.quota.window.num | INT | 11 | >=1 | low | read-only | stored | Samples kept for the ceiling of moves between data directories.
alter.log.dirs.replication.quota.window.size.seconds | INT | 1 | >=1 | low | read-only | stored | Length of one such sample, in seconds.
background.threads | INT | 10 | >=1 | high | cluster-wide | stored | Threads for odd jobs.
broker.id | INT | -1 |  | high | read-only | works | The former name of node.id; both must agree.
broker.rack | STRING | null |  | medium | read-only | works | Where this broker stands, for spreading replicas and for reading nearby.
client.quota.callback.class | CLASS | null |  | low | read-only | stored | Java class that decides which quota applies to a client.
config.providers | LIST |  | list | low | cluster-wide | stored | Names of providers that resolve references in config values.
connection.failed.authentication.delay.ms | INT | 100 | >=0 | low | read-only | stored | How long the answer to a failed authentication is held back, in milliseconds.
connections.max.idle.ms | LONG | 600000 |  | medium | read-only | works | A connection without traffic for this long is closed, in milliseconds.
connections.max.reauth.ms | LONG | 0 |  | medium | read-only | stored | Age at which a SASL connection must authenticate again, in milliseconds; 0 never.
controller.quota.window.num | INT | 11 | >=1 | low | read-only | stored | Samples kept for the quota of cluster changes.
controller.quota.window.size.seconds | INT | 1 | >=1 | low | read-only | stored | Length of one sample of that quota, in seconds.
delete.records.purgatory.purge.interval.requests | INT | 1 |  | medium | read-only | stored | Finished record deletions that may lie in the waiting list before it is swept.
early.start.listeners | LIST | null | list | high | read-only | stored | Listeners that open before the broker is ready.
fetch.max.bytes | INT | 57671680 | >=1024 | medium | read-only | works | Most bytes that one fetch answer carries, whatever the client asks.
fetch.purgatory.purge.interval.requests | INT | 1000 |  | medium | read-only | stored | Finished fetches that may lie in the waiting list before it is swept.
inter.broker.listener.name | STRING | null |  | medium | read-only | stored | Listener through which brokers talk to each other.
kafka.metrics.polling.interval.secs | INT | 10 | >=1 | low | read-only | stored | How often the classes in kafka.metrics.reporters are asked, in seconds.
kafka.metrics.reporters | LIST |  | list | low | read-only | stored | Java classes that report the older kind of metrics.
listener.security.protocol.map | STRING | SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT |  | low | per-broker | works | Which security protocol each listener name speaks.
listeners | LIST | PLAINTEXT://:9092 | list nonempty | high | per-broker | works | Addresses to listen on, as NAME://host:port.
max.connection.creation.rate | INT | 2147483647 | >=0 | medium | cluster-wide | stored | New connections a second that are accepted, over all listeners.
max.connections | INT | 2147483647 | >=0 | medium | cluster-wide | works | Connections that are open at once, over all listeners.
max.connections.per.ip | INT | 2147483647 | >=0 | medium | cluster-wide | works | Connections that one address may have open.
max.connections.per.ip.overrides | STRING |  |  | medium | cluster-wide | stored | Other limits for particular addresses, as address:number.
max.request.partition.size.limit | INT | 2000 | >=1 | medium | read-only | works | Most partitions that one answer of DescribeTopicPartitions lists.
metric.reporters | LIST | org.apache.kafka.common.metrics.JmxReporter | list | low | cluster-wide | stored | Java classes that are told of metrics.
metrics.num.samples | INT | 2 | >=1 | low | read-only | stored | Samples kept for one metric.
metrics.recording.level | STRING | INFO |  | low | read-only | stored | How much is measured: INFO, DEBUG or TRACE.
metrics.sample.window.ms | LONG | 30000 | >=1 | low | read-only | stored | Length of one sample, in milliseconds.
num.io.threads | INT | 8 | >=1 | high | cluster-wide | stored | Threads that work on requests; here one event loop does.
num.network.threads | INT | 3 | >=1 | high | cluster-wide | stored | Threads that read and write sockets; here one reactor does.
producer.purgatory.purge.interval.requests | INT | 1000 |  | medium | read-only | stored | Finished produces that may lie in the waiting list before it is swept.
queued.max.request.bytes | LONG | -1 |  | medium | read-only | works | Bytes of requests that may wait to be worked on; -1 lets the broker choose.
queued.max.requests | INT | 500 | >=1 | high | read-only | stored | Requests that may wait to be worked on.
quota.window.num | INT | 11 | >=1 | low | read-only | stored | Samples kept for a client quota.
quota.window.size.seconds | INT | 1 | >=1 | low | read-only | stored | Length of one sample of a client quota, in seconds.
replication.quota.window.num | INT | 11 | >=1 | low | read-only | stored | Samples kept for the replication ceiling.
replication.quota.window.size.seconds | INT | 1 | >=1 | low | read-only | stored | Length of one sample of the replication ceiling, in seconds.
request.timeout.ms | INT | 30000 |  | high | read-only | stored | How long this broker waits for an answer of another, in milliseconds.
security.inter.broker.protocol | STRING | PLAINTEXT | PLAINTEXT/SSL/SASL_PLAINTEXT/SASL_SSL | medium | read-only | stored | Security protocol between brokers, unless inter.broker.listener.name is set.
server.max.startup.time.ms | LONG | 9223372036854775807 | >=0 | medium | read-only | internal | A broker that is not up after this long gives up, in milliseconds.
share.fetch.purgatory.purge.interval.requests | INT | 1000 |  | medium | read-only | stored | Finished share fetches that may lie in the waiting list before it is swept.
socket.connection.setup.timeout.max.ms | LONG | 30000 |  | medium | read-only | stored | Longest wait for an outgoing connection after repeated failures, in milliseconds.
socket.connection.setup.timeout.ms | LONG | 10000 |  | medium | read-only | stored | First wait for an outgoing connection, in milliseconds.
socket.listen.backlog.size | INT | 50 | >=1 | medium | read-only | works | Connections that may wait to be accepted.
socket.receive.buffer.bytes | INT | 102400 |  | high | read-only | stored | Receive buffer of a socket, in bytes; -1 for the system's own.
socket.request.max.bytes | INT | 104857600 | >=1 | high | read-only | works | Largest request, in bytes.
socket.send.buffer.bytes | INT | 102400 |  | high | read-only | stored | Send buffer of a socket, in bytes; -1 for the system's own.
telemetry.max.bytes | INT | 1048576 | >=1 | low | read-only | stored | Largest metrics report that a client may push, in bytes.
unstable.api.versions.enable | BOOLEAN | false |  | high | read-only | internal | Whether versions of requests that are still in the making are offered.
unstable.feature.versions.enable | BOOLEAN | false |  | high | read-only | internal | Whether feature levels that are still in the making are offered.
`
