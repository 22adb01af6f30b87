/**
 * The README's tables of figures, from the kept outputs of `npm run bench -- broker` (docs/figures.json) and
 * `npm run bench -- groups` (docs/group-figures.json): medians of each peer, and the first divided by the second.
 */

const names = {
  recordsPerSecond: 'records/s',
  brokerCpuSecondsPerGb: 'broker CPU s/GB',
  requestsPerSecond: 'requests/s',
  p50Us: 'p50 µs',
  p99Us: 'p99 µs',
  brokerCpuUsPerRequest: 'broker CPU µs/request',
  listeningSeconds: 'exec to listening, s',
  firstProduceSeconds: 'exec to first produce, s',
  idleRssAnonMb: 'RssAnon idle, MB',
  idleRssFileMb: 'RssFile idle, MB',
  idleCpuPercent: 'CPU idle, %',
  rssAnonMb: 'RssAnon, MB',
  rssFileMb: 'RssFile, MB',
  lastTakesProduceSeconds: 'until the last takes a produce, s',
  echoRequestsPerSecond: 'echo on node:net, requests/s',
  echoP50Us: 'echo on node:net, p50 µs',
  lastJoinToSyncedMs: 'last join to all synced, ms',
  firstJoinToSyncedMs: 'first join to all synced, ms',
  lastJoinToStableMs: 'last join to stable, ms',
  liveLastJoinToSyncedMs: 'its leader joins again: last join to all synced, ms',
  brokerCpuMs: 'broker CPU, ms',
  commitsPerSecond: 'commits/s',
  megabytesPerSecond: 'MB/s',
  averageMs: 'average ms',
  p99Ms: 'p99 ms',
  startSeconds: 'exec to offsets answered, one commit, s',
  loadSeconds: 'the load of the others, s',
  loadCpuSeconds: 'CPU of that, s',
  stateRssAnonMb: 'RssAnon more than before, MB',
  rssAnonAfterMb: 'RssAnon of the process, MB',
  restCpuPercent: 'CPU while all heartbeat, %',
}

const throughput = ['recordsPerSecond', 'brokerCpuSecondsPerGb']
const single = ['requestsPerSecond', 'p50Us', 'p99Us', 'brokerCpuUsPerRequest']
const brokerCases = {
  'produce-rdkafka-100b': ['librdkafka produces 100 B records', throughput],
  'produce-rdkafka-1k': ['librdkafka produces 1 KiB records', throughput],
  'produce-java-1k-16k': ['ProducerPerformance, 1 KiB, 16 KiB batches', throughput],
  'produce-java-1k-128k': ['ProducerPerformance, 1 KiB, 128 KiB batches', throughput],
  'consume-rdkafka-1k': ['librdkafka consumes 1 KiB records, hot', throughput],
  'single-1-connection': ['one 100 B record a request, 1 connection', [...single, 'echoP50Us']],
  'single-1-connection-one-core': ['the same, broker and client on one core', [...single, 'echoP50Us']],
  'single-50-connections': ['the same, 50 connections', [...single, 'echoRequestsPerSecond']],
  'produce-java-1k-16k-fsync': ['ProducerPerformance, 1 KiB, 16 KiB batches', throughput],
  'produce-java-1k-128k-fsync': ['ProducerPerformance, 1 KiB, 128 KiB batches', throughput],
  'single-1-connection-fsync': ['one 100 B record a request, 1 connection', single],
  'single-50-connections-fsync': ['the same, 50 connections', single],
  start: [
    'a start in an empty folder',
    ['listeningSeconds', 'firstProduceSeconds', 'idleRssAnonMb', 'idleRssFileMb', 'idleCpuPercent'],
  ],
  'memory-after-2gb': ['after 2 GB produced', ['rssAnonMb', 'rssFileMb']],
  'partitions-1000': ['a topic of 1,000 partitions', ['lastTakesProduceSeconds', 'rssAnonMb']],
}

const classic = ['lastJoinToSyncedMs', 'firstJoinToSyncedMs', 'brokerCpuMs', 'liveLastJoinToSyncedMs']
const consumer = ['lastJoinToStableMs', 'brokerCpuMs']
const commits = ['commitsPerSecond', 'p50Us', 'p99Us', 'brokerCpuUsPerRequest']
const idle = ['stateRssAnonMb', 'rssAnonAfterMb', 'restCpuPercent']
const groupCases = {
  'rebalance-classic-fsync': ['100 members, 1,000 partitions, classic', classic],
  'rebalance-classic': ['the same', classic],
  'rebalance-consumer-fsync': ['100 members, 1,000 partitions, KIP-848', consumer],
  'rebalance-consumer': ['the same', consumer],
  'commit-1-member-fsync': ['OffsetCommit, one member', commits],
  'commit-1-group-fsync': ['50 members of one group', commits],
  'commit-50-groups-fsync': ['50 members of 50 groups', commits],
  'commit-1-member': ['OffsetCommit, one member', commits],
  'commit-1-group': ['50 members of one group', commits],
  'commit-50-groups': ['50 members of 50 groups', commits],
  'load-1m-commits': [
    'a million commits in `__consumer_offsets`, restart',
    ['startSeconds', 'loadSeconds', 'loadCpuSeconds'],
  ],
  'idle-classic': ['1,000 groups of 10 idle members, classic', idle],
  'idle-consumer': ['the same, KIP-848', idle],
  'consume-java-1k': ['ConsumerPerformance, 1 KiB, hot', ['megabytesPerSecond', 'brokerCpuSecondsPerGb']],
  'end-to-end': ['EndToEndLatency, 100 B', ['averageMs', 'p99Ms']],
}

const median = values => {
  const sorted = values.toSorted === undefined ? [...values].sort((a, b) => a - b) : values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

const written = value =>
  Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en-US') : `${Number(value.toPrecision(3))}`

/** Markdown; says so when nothing was measured yet. */
export const tableOfFigures = document => tableOf(document, brokerCases, 'broker')

/** The same of consumer groups. */
export const tableOfGroupFigures = document => tableOf(document, groupCases, 'groups')

const tableOf = (document, cases, benchmark) => {
  if (document === undefined) return `None are kept yet: \`npm run bench -- ${benchmark}\`.`
  const { rows, machine } = document
  const lines = [
    `${machine.cores} cores (${machine.cpu}), Linux ${machine.kernel}, ${machine.node}, client and broker on the same machine; medians.`,
    '',
    '| what | mode | figure | Odradek | Apache Kafka | ratio |',
    '|---|---|---|---|---|---|',
  ]
  for (const [name, [what, figures]] of Object.entries(cases)) {
    const of = peer => rows.filter(row => row.case === name && row.peer === peer)
    let [label, mode] = [what, of('odradek')[0]?.mode]
    for (const figure of figures) {
      const [ours, theirs] = ['odradek', 'kafka'].map(peer => median(of(peer).map(row => row.figures[figure])))
      if (!Number.isFinite(ours) || !Number.isFinite(theirs)) continue
      const ratio = figure.startsWith('echo') ? '' : (ours / theirs).toFixed(2)
      lines.push(`| ${label} | ${mode} | ${names[figure]} | ${written(ours)} | ${written(theirs)} | ${ratio} |`)
      label = ''
      mode = ''
    }
  }
  return lines.join('\n')
}
