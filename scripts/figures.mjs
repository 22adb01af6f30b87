/**
 * The README's tables of figures, from the kept outputs of `npm run bench -- broker` (docs/figures.json), `groups`
 * (docs/group-figures.json), `storage` (docs/storage-figures.json) and `append` (docs/append-figures.json): medians of
 * each peer, and the first divided by another.
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
  fioRecordsPerSecond: 'fio, a sync for each of these requests, records/s',
  cleanerCpuSecondsPerGb: 'CPU s/GB',
  keptPercent: 'bytes left, %',
  quietP99Us: '1,000 produces a second beside, before: p99 µs',
  meanwhileP99Us: 'the same meanwhile: p99 µs',
  servedSeconds: 'exec to the last takes a produce, s',
  startCpuSeconds: 'CPU by then, s',
  fioReadMbps: 'fio reads the same files, MB/s',
  recoveredMbps: 'read by then, MB/s',
  partitions: 'partitions',
  bytesEach: 'bytes each',
  heapBytesEach: 'of which live in the heap of JavaScript',
  nativeBytesEach: 'of which not in that heap',
  descriptorsEach: 'descriptors each',
  mapsEach: 'maps each',
  p50AloneUs: 'produce to another topic before: p50 µs',
  p50BesideUs: 'the same beside them: p50 µs',
  stoppedSeconds: 'a clean stop, s',
  servedAfterCleanSeconds: 'after it: exec to the last takes a produce, s',
  cpuAfterCleanSeconds: 'CPU by then, s',
  servedAfterKilledSeconds: 'the same after kill -9, s',
  cpuAfterKilledSeconds: 'CPU by then, s',
  p99AloneUs: 'produce to another topic before: p99 µs',
  p99BesideUs: 'the same beside them: p99 µs',
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

const yardstick = name => name.startsWith('echo') || name.startsWith('fio') || name === 'partitions'

const restart = ['listeningSeconds', 'servedSeconds', 'startCpuSeconds', 'rssAnonMb']
const several = ['recordsPerSecond', 'p50Us', 'p99Us', 'brokerCpuUsPerRequest']
const storageCases = {
  'produce-1-producer-1k-fsync': ['1 producer, a 1 KiB record a request', [...several, 'fioRecordsPerSecond']],
  'produce-1-producer-16k-fsync': ['the same, 16 records a request, 5 in flight', [...several, 'fioRecordsPerSecond']],
  'produce-16-producers-1k-fsync': ['16 producers, a 1 KiB record a request', [...several, 'fioRecordsPerSecond']],
  'produce-16-producers-16k-fsync': [
    'the same, 16 records a request, 5 in flight',
    [...several, 'fioRecordsPerSecond'],
  ],
  'produce-16-producers-1k': ['16 producers, a 1 KiB record a request', several],
  'produce-16-producers-16k': ['the same, 16 records a request, 5 in flight', several],
  'compaction-5gb': [
    'compaction of 5 GB, a tenth of the keys alive',
    ['megabytesPerSecond', 'cleanerCpuSecondsPerGb', 'keptPercent', 'quietP99Us', 'meanwhileP99Us'],
  ],
  'restart-5gb-1000-partitions': ['start after kill -9, 5 GB in 1,000 partitions', restart],
  'restart-10000-partitions': ['start after kill -9, 10,000 partitions', restart],
  'restart-2gb-cold': [
    'the same, 2 GB above the recovery points of 100 partitions, nothing in the cache',
    ['servedSeconds', 'startCpuSeconds', 'recoveredMbps', 'fioReadMbps'],
  ],
  'idle-partitions': [
    '10,000 idle partitions that took a record each',
    ['bytesEach', 'descriptorsEach', 'mapsEach', 'p99AloneUs', 'p99BesideUs'],
  ],
  'idle-100k': [
    '100,000 idle partitions (Apache Kafka 10,000)',
    [
      'partitions',
      'bytesEach',
      'heapBytesEach',
      'nativeBytesEach',
      'descriptorsEach',
      'mapsEach',
      'p50AloneUs',
      'p50BesideUs',
      'p99AloneUs',
      'p99BesideUs',
      'stoppedSeconds',
      'servedAfterCleanSeconds',
      'cpuAfterCleanSeconds',
      'servedAfterKilledSeconds',
      'cpuAfterKilledSeconds',
    ],
  ],
}

/** What the embedded log is measured beside, by the case's mode: the peer that the ratio is of, and others. */
const appendPeers = {
  'page cache': [
    'openLog',
    'fs.writeSync',
    'mapped writer',
    'positional writer',
    'mapped writer, from Rust',
    'positional writer, from Rust',
    'lmdb',
    'node:sqlite',
  ],
  fsync: ['openLog', 'fio', 'fs.writeSync + fdatasyncSync', 'lmdb', 'node:sqlite'],
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

/** The same of storage. */
export const tableOfStorageFigures = document => tableOf(document, storageCases, 'storage')

/** Appends a second of the embedded log and of what else keeps the same bytes. */
export const tableOfAppendFigures = document => {
  if (document === undefined) return 'None are kept yet: `npm run bench -- append`.'
  const { rows } = document
  const lines = [
    `${placeOf(document)}; medians of values a second, and the median of the ratios of runs one after the other.`,
  ]
  for (const [mode, [first, second, ...others]] of Object.entries(appendPeers)) {
    const peers = [first, second, ...others]
    lines.push(
      '',
      `| ${mode} | ${first} | ${second} | ratio | ${others.join(' | ')} |`,
      `|${'---|'.repeat(peers.length + 2)}`,
    )
    for (const name of new Set(rows.filter(row => row.mode === mode).map(row => row.case))) {
      const of = peer =>
        median(rows.filter(row => row.case === name && row.peer === peer).map(row => row.figures.perSecond))
      const [ours, theirs] = [of(first), of(second)]
      // Of the engine alone, without peers.
      if (!Number.isFinite(ours) || !Number.isFinite(theirs)) continue
      // A disk drifts by more than what is compared: what ran together is.
      const inRound = (peer, { round }) =>
        rows.find(row => row.case === name && row.peer === peer && row.round === round)?.figures.perSecond
      const ratio = median(
        rows
          .filter(row => row.case === name && row.peer === first)
          .map(row => row.figures.perSecond / (inRound(second, row) ?? Number.NaN)),
      )
      const cells = [written(ours), written(theirs), ratio.toFixed(2), ...others.map(peer => cell(of(peer)))]
      lines.push(`| ${name} | ${cells.join(' | ')} |`)
    }
  }
  return [...lines, ...tableOfManyLogs(rows)].join('\n')
}

/** Where it was measured, and how much of it. */
const placeOf = ({ machine, scale = 1 }) => {
  const place = `${machine.cores} cores (${machine.cpu}), Linux ${machine.kernel}, ${machine.node}`
  return scale === 1 ? place : `${place}, sizes and counts times ${scale}`
}

/** Many logs with and without the journal: the peers of a case without `openLog`. */
const tableOfManyLogs = rows => {
  const of = (peer, name, figure) =>
    median(rows.filter(row => row.case === name && row.peer === peer).map(row => row.figures[figure]))
  const many = rows.filter(row => row.figures.flushesPerSecond !== undefined)
  if (many.length === 0) return []
  const figures = ['perSecond', 'flushesPerSecond', 'p50Ms', 'p99Ms', 'cpuMicrosPerAppend']
  const lines = [
    '',
    "| fsync | | appends/s | the disk's flushes/s | p50 ms | p99 ms | CPU µs each |",
    '|---|---|---|---|---|---|---|',
  ]
  for (const name of new Set(many.map(row => row.case)))
    for (const peer of new Set(many.map(row => row.peer)))
      lines.push(`| ${name} | ${peer} | ${figures.map(figure => cell(of(peer, name, figure))).join(' | ')} |`)
  return lines
}

const cell = value => (Number.isFinite(value) ? written(value) : '')

const tableOf = (document, cases, benchmark) => {
  if (document === undefined) return `None are kept yet: \`npm run bench -- ${benchmark}\`.`
  const { rows } = document
  const lines = [
    `${placeOf(document)}, client and broker on the same machine; medians.`,
    '',
    '| what | mode | figure | Odradek | Apache Kafka | ratio |',
    '|---|---|---|---|---|---|',
  ]
  for (const [name, [what, figures]] of Object.entries(cases)) {
    const of = peer => rows.filter(row => row.case === name && row.peer === peer)
    let [label, mode] = [what, of('odradek')[0]?.mode]
    // Of a peer that could not do the work, in the place of its first figure.
    let reason = of('kafka').find(row => row.reason !== undefined)?.reason
    for (const figure of figures) {
      const [ours, theirs] = ['odradek', 'kafka'].map(peer => median(of(peer).map(row => row.figures[figure])))
      if (!Number.isFinite(ours)) continue
      const ratio = yardstick(figure) || !Number.isFinite(ours / theirs) ? '' : (ours / theirs).toFixed(2)
      const other = Number.isFinite(theirs) ? written(theirs) : (reason ?? '')
      if (!Number.isFinite(theirs)) reason = undefined
      lines.push(`| ${label} | ${mode} | ${names[figure]} | ${written(ours)} | ${other} | ${ratio} |`)
      label = ''
      mode = ''
    }
  }
  return lines.join('\n')
}
