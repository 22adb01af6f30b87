/**
 * Data directories of Apache Kafka that we can't go on with: the start says what is in the way and where, and leaves
 * every byte and every time stamp as it found them, for the release that can.
 */
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startBroker } from '../../src/index.ts'
import { encodeRecord, type NewRecord } from '../../src/metadata/records.ts'
import { kraftVersion, leaderChange, type Voter, votersOf } from '../../src/raft/control-records.ts'
import { buildSnapshot, FIRST_SNAPSHOT } from '../../src/raft/snapshot.ts'
import { batchesOf } from '../../src/records/batch.ts'
import { buildBatch, type RecordInput } from '../../src/records/builder.ts'
import { odradekCommand } from '../support/broker-process.ts'
import { inRepository } from '../support/paths.ts'
import { runProgram } from '../support/process.ts'
import { temporaryFolder } from '../support/temporary.ts'

export const timeoutMs = 120_000

const test = suite("directories of Apache Kafka that can't be kept")

const FOLDER = '__cluster_metadata-0'
const LOG = `${FOLDER}/00000000000000000000.log`
const META = 'meta.properties'
const DIRECTORY_ID = '2gmiAUeTT2WC0cqJnlOLDA'
const OTHER_ID = 'AAAAAAAAAAAAAAAAAAAAEA'
const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAIA'

/** As Kafka 4.3.1 left it after a clean stop, with what lies beside the metadata log. */
const kafkaDirectory = (run = 'life'): string => {
  const dir = join(temporaryFolder('kept'), 'logs')
  cpSync(inRepository('test/vectors/metadata', run), dir, { recursive: true })
  writeFileSync(join(dir, '.lock'), '')
  writeFileSync(join(dir, '.kafka_cleanshutdown'), '{"version":0,"brokerEpoch":50}')
  writeFileSync(join(dir, 'recovery-point-offset-checkpoint'), '0\n0\n')
  writeFileSync(join(dir, 'recovery-point-offset-checkpoint.tmp'), '0\n')
  mkdirSync(join(dir, 'gone-0.0123456789abcdef0123456789abcdef-delete'))
  return dir
}

/** Every file and folder below with its time and content. */
const tree = (dir: string): string[] => {
  const lines: string[] = []
  const visit = (path: string): void => {
    const { mtimeMs, size } = statSync(path)
    const isFolder = statSync(path).isDirectory()
    const content = isFolder ? '' : createHash('sha256').update(readFileSync(path)).digest('hex')
    lines.push(`${path} ${mtimeMs} ${isFolder ? '' : size} ${content}`)
    if (isFolder) for (const name of readdirSync(path).sort()) visit(join(path, name))
  }
  visit(dir)
  return lines
}

const append = (dir: string, records: readonly RecordInput[], control = false): void => {
  const last = [...batchesOf(new Uint8Array(readFileSync(join(dir, LOG))))].at(-1)
  const [baseOffset, leaderEpoch] = last === undefined ? [0, 1] : [last.lastOffset + 1, last.leaderEpoch]
  appendFileSync(
    join(dir, LOG),
    buildBatch(records, { baseOffset, leaderEpoch, timestamp: 1_800_000_000_000n, control }),
  )
}
const values = (...records: NewRecord[]): RecordInput[] =>
  records.map(record => ({ key: null, value: encodeRecord(record) }))
const feature = (name: string, featureLevel: number): NewRecord => ({
  name: 'FeatureLevelRecord',
  version: 0,
  data: { name, featureLevel },
})
const topic = (replicas: number[]): NewRecord[] => [
  { name: 'TopicRecord', version: 0, data: { name: 'wide', topicId: TOPIC_ID } },
  {
    name: 'PartitionRecord',
    version: 0,
    data: {
      partitionId: 0,
      topicId: TOPIC_ID,
      replicas,
      isr: replicas,
      removingReplicas: [],
      addingReplicas: [],
      directories: [],
      leader: 1,
      leaderEpoch: 0,
      partitionEpoch: 0,
    },
  },
]
const voter = (voterId: number, voterDirectoryId = DIRECTORY_ID): Voter => ({
  voterId,
  voterDirectoryId,
  endpoints: [{ name: 'CONTROLLER', host: 'localhost', port: 9093 }],
  kRaftVersionFeature: { minSupportedVersion: 0, maxSupportedVersion: 1 },
})

/** A fixed quorum, as `controller.quorum.voters` makes it: nothing in the log names the voters. */
const fixedQuorum = (dir: string, ...records: NewRecord[]): void => {
  rmSync(join(dir, FOLDER), { recursive: true })
  mkdirSync(join(dir, FOLDER))
  writeFileSync(join(dir, LOG), '')
  append(dir, [leaderChange(1, [1], [1])], true)
  append(dir, values(...records))
}

const edit = (dir: string, file: string, change: (text: string) => string): void => {
  const path = join(dir, file)
  const before = readFileSync(path, 'utf8')
  assert.is.not(change(before), before)
  writeFileSync(path, change(before))
}

/** What was done to the directory, and what the refusal says. */
const refusals: Record<string, readonly [change: (dir: string) => void, ...says: string[]]> = {
  'a ZooKeeper-era meta.properties': [
    dir => edit(dir, META, text => text.replace('version=1', 'version=0').replace('node.id', 'broker.id')),
    `${META} has version=0, as brokers with ZooKeeper wrote it: migrate the cluster to KRaft`,
  ],
  'a meta.properties of a newer version': [
    dir => edit(dir, META, text => text.replace('version=1', 'version=2')),
    `${META} has version=2; 1 is known: use the release that wrote it`,
  ],
  'another node': [
    dir => edit(dir, META, text => text.replace('node.id=1', 'node.id=4')),
    `${META} has node.id=4, not 1`,
    'start with node.id=4',
  ],
  'a metadata.version that is newer': [
    dir => append(dir, values(feature('metadata.version', 31))),
    `${FOLDER} has metadata.version=31, and this release knows 7 to 30 of it: use the release that wrote the directory`,
  ],
  'a metadata.version that is older': [
    dir => append(dir, values(feature('metadata.version', 6))),
    `${FOLDER} has metadata.version=6, and this release knows 7 to 30 of it: let Apache Kafka 3.3 to 4.3 raise`,
  ],
  'a log from before there was a metadata.version': [
    dir => fixedQuorum(dir, ...topic([1])),
    `${FOLDER} has no metadata.version, so a release before 3.3 wrote it`,
  ],
  'a feature that is unknown': [
    dir => append(dir, values(feature('quantum.version', 1))),
    `${FOLDER} has quantum.version=1, and this release knows nothing of it`,
  ],
  'a feature at a newer level': [
    dir => append(dir, values(feature('transaction.version', 3))),
    `${FOLDER} has transaction.version=3, and this release knows 0 to 2 of it`,
  ],
  'a newer level in a directory that was formatted and never started': [
    dir => {
      rmSync(join(dir, FOLDER), { recursive: true })
      const records = values(feature('metadata.version', 31)).map(({ value }) => value!)
      const bootstrap = buildSnapshot(FIRST_SNAPSHOT, { lastContainedTimestampMs: 0, quorum: undefined, records }, 1)
      writeFileSync(join(dir, 'bootstrap.checkpoint'), bootstrap)
    },
    'bootstrap.checkpoint has metadata.version=31',
  ],
  'a newer kraft.version': [
    dir => append(dir, [kraftVersion(2)], true),
    `${FOLDER} has kraft.version=2, and this release knows 0 to 1 of it`,
  ],
  'a record of an unknown kind': [
    dir => append(dir, [{ key: null, value: new Uint8Array([1, 99, 0]) }]),
    `${FOLDER}: a metadata record is of kind 99, which a newer release wrote`,
  ],
  'a record of an unknown version': [
    dir => append(dir, [{ key: null, value: new Uint8Array([1, 2, 9]) }]),
    `${FOLDER}: a TopicRecord is of version 9; up to 0 are known`,
  ],
  'a record in an unknown frame': [
    dir => append(dir, [{ key: null, value: new Uint8Array([2, 2, 0]) }]),
    `${FOLDER}: a metadata record has frame version 2; 1 is known`,
  ],
  'a quorum of several voters': [
    dir => append(dir, [votersOf([voter(1), voter(2, OTHER_ID), voter(3, TOPIC_ID)])], true),
    `${FOLDER}: the metadata log belongs to a quorum of controllers (1, 2, 3)`,
  ],
  'a fixed quorum of several voters': [
    dir => {
      fixedQuorum(dir, feature('metadata.version', 30))
      const currentVoters = [1, 2, 3].map(voterId => ({ voterId }))
      const state = {
        clusterId: '',
        leaderId: 2,
        leaderEpoch: 3,
        votedId: -1,
        appliedOffset: 0,
        currentVoters,
        data_version: 0,
      }
      writeFileSync(join(dir, FOLDER, 'quorum-state'), JSON.stringify(state))
    },
    `${FOLDER}: the metadata log belongs to a quorum of controllers (1, 2, 3)`,
  ],
  'the disk of another voter': [
    dir => append(dir, [votersOf([voter(1, OTHER_ID)])], true),
    `${FOLDER}: the metadata log names directory ${OTHER_ID} as the voter's, but meta.properties says directory.id=${DIRECTORY_ID}`,
  ],
  'a cluster of several brokers': [
    dir => append(dir, values(...topic([1, 2]))),
    `${FOLDER} is of a cluster with other brokers (2)`,
  ],
  'a damaged quorum-state': [
    dir => edit(dir, `${FOLDER}/quorum-state`, text => text.slice(0, -5)),
    `${FOLDER}/quorum-state cannot be read: it is not JSON`,
  ],
  'a quorum-state of a newer version': [
    dir => edit(dir, `${FOLDER}/quorum-state`, text => text.replace('"data_version":1', '"data_version":2')),
    `${FOLDER}/quorum-state cannot be read: its data_version is 2; 0 and 1 are known`,
  ],
  'a metadata log whose beginning and snapshots are gone': [
    dir => renameSync(join(dir, LOG), join(dir, FOLDER, '00000000000000000007.log')),
    `${FOLDER} begins at offset 7 and no snapshot reaches it; its .checkpoint files are missing`,
  ],
  'a metadata log whose segments are gone': [
    dir => {
      cpSync(inRepository('test/vectors/metadata/kinds', FOLDER), join(dir, FOLDER), { recursive: true })
      rmSync(join(dir, LOG))
    },
    'its segments are missing: restore them from a copy',
  ],
  'a metadata log without meta.properties': [
    dir => rmSync(join(dir, META)),
    `holds a metadata log (${FOLDER}) but no ${META}: restore that file from a copy`,
  ],
  'partitions without meta.properties': [
    dir => {
      rmSync(join(dir, META))
      renameSync(join(dir, FOLDER), join(dir, 'orders-0'))
    },
    `holds partitions (orders-0) but no ${META}`,
  ],
  'partitions without a metadata log': [
    dir => renameSync(join(dir, FOLDER), join(dir, 'orders-0')),
    `holds partitions (orders-0) but no directory has the metadata log (${FOLDER})`,
  ],
  'a checkpoint that cannot be read': [
    dir => writeFileSync(join(dir, 'recovery-point-offset-checkpoint'), '7\n0\n'),
    'recovery-point-offset-checkpoint can\'t be read: version "7" where 0 is known',
  ],
}

for (const [what, [change, ...says]] of Object.entries(refusals)) {
  test(`${what} is refused, and nothing is touched`, async () => {
    const dir = kafkaDirectory()
    change(dir)
    const before = tree(dir)
    const error = await startBroker({ dir, logger: false }).then(
      async broker => {
        await broker.close()
        return new Error('it started')
      },
      (refused: Error) => refused,
    )
    for (const part of says) assert.ok(error.message.includes(part), error.message)
    assert.equal(tree(dir), before)
  })
}

for (const [what, prepare, says] of [
  [
    'a metadata log that is not in the first directory',
    ([first, second]: readonly string[]) => {
      renameSync(join(first!, FOLDER), join(second!, FOLDER))
    },
    /error: .*the metadata log \(__cluster_metadata-0\) lies in \S+two, not in \S+logs: name it first in log\.dirs, or set metadata\.log\.dir=/,
  ],
  [
    'a partition that lies in two directories',
    (directories: readonly string[]) => {
      for (const directory of directories) mkdirSync(join(directory, 'orders-0'))
    },
    /error: .*orders-0 lies in \S+ and in \S+; move one of them away/,
  ],
  [
    'a directory that is a copy of another',
    ([first, second]: readonly string[]) => cpSync(join(first!, META), join(second!, META)),
    /error: .*has directory\.id=2gmiAUeTT2WC0cqJnlOLDA, as another directory has: one is a copy, remove it/,
  ],
] as const) {
  test(`${what} is refused, and nothing is touched`, async () => {
    const first = kafkaDirectory()
    const second = join(temporaryFolder('kept'), 'two')
    mkdirSync(second)
    writeFileSync(join(second, '.lock'), '')
    writeFileSync(join(second, META), readFileSync(join(first, META), 'utf8').replace(DIRECTORY_ID, OTHER_ID))
    prepare([first, second])
    const before = [...tree(first), ...tree(second)]
    const [program, args] = odradekCommand()
    const { code, stderr } = await runProgram(program, [
      ...args,
      'serve',
      '--port',
      '0',
      '-c',
      `log.dirs=${first},${second}`,
    ])
    assert.is(code, 2)
    assert.match(stderr, says)
    assert.equal([...tree(first), ...tree(second)], before)
  })
}

test('the same directory, unchanged, is served', async () => {
  for (const run of ['life', 'kinds']) await (await startBroker({ dir: kafkaDirectory(run), logger: false })).close()
})

test.run()
