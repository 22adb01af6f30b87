/**
 * `odradek log verify` against Kafka's DumpLogSegments, directory by directory, whole and damaged: one complains where
 * the other does, and where they differ the row says why. Then `odradek log repair` mends the damage: the tool is
 * silent, and both brokers' loaders open the folder.
 */
import { randomBytes } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openLog } from '../../src/embed/open-log.ts'
import { inspect } from '../../src/native/inspect.ts'
import { startBrokerProcess } from '../support/broker-process.ts'
import { type Jvm, startJvm } from '../support/jvm.ts'
import { inRepository } from '../support/paths.ts'
import { requires } from '../support/requires.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { eventually, loadPlatformatic } from './target.ts'

const test = suite('DumpLogSegments and log verify')

let jvm: Jvm
test.before(() => {
  requires('kafka')
  jvm = startJvm()
})
test.after(() => jvm?.close())

/** What the tool says when it dislikes something. */
const complaint =
  /corrupt|mismatch|isvalid: false|exception|out of order|not in ascending|Found timestamp|non-consecutive|invalid|unexpected|are not found in|schema validation/i
/** It takes the first record of every segment but the log's first for a jump. */
const firstRecord = /^Non-consecutive offsets in .*\n( {2}-1 is followed by \d+\n?)(?! {2}\d)/gm

/** What DumpLogSegments dislikes in a partition's folder. It makes missing index files, so it gets a copy. */
async function complaints(folder: string): Promise<string[]> {
  const copy = join(temporaryFolder('agreement'), folder.split('/').at(-1)!)
  cpSync(folder, copy, { recursive: true })
  const files = (filled: boolean, ...endings: string[]) =>
    readdirSync(copy)
      .filter(name => endings.some(ending => name.endsWith(ending)))
      .map(name => join(copy, name))
      .filter(file => !filled || statSync(file).size > 0)
  const runs: [string[], ...string[]][] = [
    [files(false, '.log', '.checkpoint').filter(file => !file.endsWith('-checkpoint')), '--deep-iteration'],
    [files(true, '.index', '.timeindex'), '--index-sanity-check'],
    [files(true, '.index', '.timeindex'), '--verify-index-only'],
    [files(false, '.snapshot', '.txnindex')],
  ]
  const found: string[] = []
  for (const [names, ...flags] of runs) {
    if (names.length === 0) continue
    const { code, stdout, stderr } = await jvm.tool('DumpLogSegments', '--files', names.join(','), ...flags)
    const lines = (stdout + stderr).replace(firstRecord, '').split('\n')
    found.push(...lines.filter(line => complaint.test(line) && !line.startsWith('Dumping ')))
    if (code !== 0 && found.length === 0) found.push(stderr)
  }
  rmSync(copy, { recursive: true })
  return found
}

interface Finding {
  readonly type: string
  readonly severity?: string
  readonly file: string
  readonly what: string
}

function ask(mode: 'verify' | 'plan' | 'repair', path: string, acceptLoss = false): Finding[] {
  const lines: Finding[] = []
  const request = { mode, paths: [path], deep: true, records: false, from: 0, to: 2 ** 53, acceptLoss }
  const failure = inspect(request, text => {
    for (const line of text.split('\n')) if (line !== '') lines.push(JSON.parse(line) as Finding)
    return true
  })
  assert.is(failure, undefined)
  return lines
}

const wrong = (path: string) => ask('verify', path).filter(line => line.type === 'finding' && line.severity !== 'note')

const vectors = inRepository('test/vectors/logs')
const name = (base: number, suffix: string) => `${`${base}`.padStart(20, '0')}${suffix}`

const flip = (file: string, at: number) => {
  const bytes = readFileSync(file)
  bytes[at < 0 ? bytes.length + at : at]! ^= 0x11
  writeFileSync(file, bytes)
}
const cut = (file: string, length: number) => {
  const bytes = readFileSync(file)
  writeFileSync(file, bytes.subarray(0, length < 0 ? bytes.length + length : length))
}
const append = (file: string, bytes: Uint8Array) => writeFileSync(file, bytes, { flag: 'a' })
const swap = (one: string, other: string) => {
  renameSync(one, `${one}.x`)
  renameSync(other, one)
  renameSync(`${one}.x`, other)
}
/** Where the second batch of a log begins. */
const second = (file: string) => 12 + readFileSync(file).readInt32BE(8)

interface Damage {
  readonly what: string
  readonly folder: string
  /** The file, below `folder`. */
  readonly file: string
  act(file: string, folder: string): void
  /** Why verify complains where the tool doesn't. */
  readonly stricter?: string
  /** Why repair leaves something behind. */
  readonly stays?: string
}

const uncovered = 'no CRC covers the field, and the tool compares it with nothing'
const otherFile = 'the tool reads no checkpoints'
const header: [field: string, at: number, stricter?: string, stays?: string][] = [
  ['base offset', 7],
  ['length', 11],
  ['length, far too large', 8],
  ['leader epoch', 15, uncovered, 'nothing says what it was'],
  ['magic', 16, 'it lies outside of the CRC, and the tool reads any higher one as 2'],
  ['CRC', 18],
  ['attributes', 22],
  ['last offset delta', 26],
  ['base timestamp', 34],
  ['largest timestamp', 42],
  ['producer id', 50],
  ['producer epoch', 52],
  ['base sequence', 56],
  ['count', 60],
  ["record's length", 61],
  ["record's key", 70],
]

const gone = 'nothing tells records that are gone from what compaction takes'
const sealed = name(216, '.log')
const mixed = (file: string, what: string, act: Damage['act'], more: Partial<Damage> = {}): Damage => ({
  ...{ folder: 'mixed-0', file, what, act, ...more },
})
const txn = (file: string, what: string, act: Damage['act'], more: Partial<Damage> = {}): Damage => ({
  ...{ folder: 'txn-0', file, what, act, ...more },
})
const unread = 'the tool prints the entries and judges none'

const damages: Damage[] = [
  ...header.map(([field, at, stricter, stays]) =>
    mixed(sealed, `a flipped bit in a batch's ${field}`, file => flip(file, second(file) + at), {
      ...(stricter === undefined ? {} : { stricter }),
      ...(stays === undefined ? {} : { stays }),
    }),
  ),
  mixed(sealed, 'cut inside a batch', file => cut(file, second(file) + 100)),
  mixed(sealed, 'cut inside a header', file => cut(file, second(file) + 30)),
  mixed(sealed, 'cut between two batches', file => cut(file, second(file)), { stays: gone }),
  mixed(sealed, 'cut to nothing', file => cut(file, 0), { stays: gone }),
  mixed(name(424, '.log'), 'zeros behind the last batch', file => append(file, new Uint8Array(700))),
  mixed(name(424, '.log'), 'a few zeros behind the last batch', file => append(file, new Uint8Array(9))),
  mixed(name(424, '.log'), 'text behind the last batch', file =>
    append(file, new TextEncoder().encode('x'.repeat(99))),
  ),
  mixed(name(424, '.log'), 'its last batch twice', file => append(file, readFileSync(file).subarray(-second(file)))),
  mixed(sealed, 'another segment in its place', (file, folder) => swap(file, join(folder, name(0, '.log'))), {
    stays: 'only a human sees that the names were swapped',
  }),
  mixed(sealed, 'missing', file => rmSync(file), { stays: gone }),
  mixed(name(216, '.index'), 'a flipped bit in an offset', file => flip(file, 11)),
  mixed(name(216, '.index'), 'a flipped bit in a position', file => flip(file, 15)),
  mixed(name(216, '.index'), 'an entry one off', file => {
    const bytes = readFileSync(file)
    bytes.writeInt32BE(bytes.readInt32BE(8) + 1, 8)
    writeFileSync(file, bytes)
  }),
  mixed(name(216, '.index'), 'cut inside an entry', file => cut(file, -3)),
  mixed(name(216, '.index'), "another segment's", (file, folder) => swap(file, join(folder, name(0, '.index')))),
  mixed(name(216, '.index'), 'missing', file => rmSync(file)),
  mixed(name(216, '.index'), 'zeros behind the entries', file => append(file, new Uint8Array(80)), {
    stricter: 'the tool takes zeros for the end, Kafka cuts them off when it seals',
  }),
  mixed(name(216, '.timeindex'), 'a flipped bit in a timestamp', file => flip(file, 7)),
  mixed(name(216, '.timeindex'), 'a flipped bit in an offset', file => flip(file, 11)),
  mixed(name(216, '.timeindex'), 'an entry twice', file => append(file, readFileSync(file).subarray(-12))),
  mixed(name(216, '.timeindex'), 'cut inside an entry', file => cut(file, -5)),
  mixed(name(216, '.timeindex'), 'its last entry missing', file => cut(file, -12), {
    stricter: 'the tool looks at the entries that are there; retention needs the last',
  }),
  mixed(name(216, '.timeindex'), 'missing', file => rmSync(file), {
    stricter: 'the tool is told of files that are there',
  }),
  mixed(name(424, '.snapshot'), 'a flipped bit in an entry', file => flip(file, 20)),
  mixed(name(424, '.snapshot'), 'a flipped bit in its version', file => flip(file, 1)),
  mixed(name(424, '.snapshot'), 'a flipped bit in its CRC', file => flip(file, 3)),
  mixed(name(424, '.snapshot'), 'cut', file => cut(file, 30)),
  mixed(name(424, '.snapshot'), 'empty', file => cut(file, 0)),
  txn(name(52, '.txnindex'), 'a flipped bit in its version', file => flip(file, 0)),
  txn(name(52, '.txnindex'), "a flipped bit in its version's second byte", file => flip(file, 1), {
    stricter: 'the tool reads the first byte alone',
  }),
  txn(name(52, '.txnindex'), 'a flipped bit in a producer id', file => flip(file, 9), { stricter: unread }),
  txn(name(52, '.txnindex'), 'a flipped bit in a first offset', file => flip(file, 17), { stricter: unread }),
  txn(name(52, '.txnindex'), 'a flipped bit in a last offset', file => flip(file, 25), { stricter: unread }),
  txn(name(52, '.txnindex'), 'cut inside an entry', file => cut(file, -7), { stricter: unread }),
  txn(name(52, '.txnindex'), 'missing', file => rmSync(file), { stricter: 'the tool is told of files that are there' }),
  txn(name(103, '.log'), "a flipped bit in a marker's batch", file => flip(file, -5)),
  mixed('leader-epoch-checkpoint', 'a line twice', file => writeFileSync(file, '0\n2\n0 0\n0 0\n'), {
    stricter: otherFile,
  }),
  mixed('leader-epoch-checkpoint', 'missing', file => rmSync(file), { stricter: otherFile }),
  mixed(
    '../recovery-point-offset-checkpoint',
    'a line twice',
    file => writeFileSync(file, '0\n2\nmixed 0 480\nmixed 0 9\n'),
    {
      stricter: otherFile,
    },
  ),
  mixed('../recovery-point-offset-checkpoint', 'cut', file => cut(file, 20), { stricter: otherFile }),
  mixed('partition.metadata', 'empty', file => cut(file, 0), {
    stricter: otherFile,
    stays: 'nothing else names the topic',
  }),
  mixed('../meta.properties', 'empty', file => cut(file, 0), {
    stricter: otherFile,
    stays: 'nothing else names the cluster',
  }),
]

/** The folder of a partition, alone in a copy of the closed directory. */
function single(folder: string): { root: string; folder: string } {
  const root = temporaryFolder('agreement')
  for (const entry of readdirSync(join(vectors, 'closed'), { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name === folder) {
      cpSync(join(vectors, 'closed', entry.name), join(root, entry.name), { recursive: true })
    }
  }
  return { root, folder: join(root, folder) }
}

const partitions = (root: string) =>
  readdirSync(root, { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(entry => join(root, entry.name))

test('both are silent about directories of Kafka and of Odradek that were closed', async () => {
  const dir = temporaryFolder('agreement')
  const broker = await startBrokerProcess(dir)
  const { Admin, Producer } = await loadPlatformatic()
  const options = { clientId: 'agreement', bootstrapBrokers: [`127.0.0.1:${broker.port}`], retries: 3 }
  const admin = new Admin(options)
  await admin.createTopics({ topics: ['written'], partitions: 1, replicas: 1 })
  await admin.close()
  const producer = new Producer({ ...options, idempotent: true })
  for (const compression of ['none', 'gzip', 'snappy', 'lz4'] as const) {
    const messages = Array.from({ length: 40 }, (_, n) => ({
      topic: 'written',
      partition: 0,
      value: Buffer.from(`v${n}`),
    }))
    await producer.send({ messages, compression, acks: -1 })
  }
  await producer.close()
  assert.is((await broker.stop()).code, 0)
  for (const root of [dir, join(vectors, 'closed')]) {
    assert.equal(wrong(root), [])
    for (const folder of partitions(root)) {
      // Compaction leaves holes, which the tool takes for damage.
      if (folder.endsWith('compacted-0')) continue
      assert.equal(await complaints(folder), [], folder)
    }
  }
})

test('of a directory that we compacted the tool says that offsets are missing, and neither anything else', async () => {
  const dir = temporaryFolder('agreement')
  const settings = { 'log.cleaner.backoff.ms': 50, 'log.segment.delete.delay.ms': 50 }
  const broker = await startBrokerProcess(dir, { settings })
  const { Admin, Producer } = await loadPlatformatic()
  const options = { clientId: 'agreement', bootstrapBrokers: [`127.0.0.1:${broker.port}`], retries: 3 }
  const configs = [
    { name: 'cleanup.policy', value: 'compact' },
    { name: 'min.cleanable.dirty.ratio', value: '0.01' },
    { name: 'internal.segment.bytes', value: '20000' },
  ]
  const admin = new Admin(options)
  await admin.createTopics({ topics: ['compacted'], partitions: 1, replicas: 1, configs })
  await admin.close()
  const producer = new Producer({ ...options, idempotent: true })
  const folder = join(dir, 'compacted-0')
  const logs = () => readdirSync(folder).filter(file => file.endsWith('.log'))
  // A pass may take one of them away meanwhile.
  const sizeOf = (file: string) => statSync(join(folder, file), { throwIfNoEntry: false })?.size ?? 0
  const bytes = () => logs().reduce((sum, file) => sum + sizeOf(file), 0)
  for (let round = 0; round < 3; round++) {
    for (let at = 0; at < 30; at++) {
      const messages = Array.from({ length: 10 }, (_, n) => ({
        topic: 'compacted',
        partition: 0,
        key: Buffer.from(at % 5 === 0 && n % 3 === 0 ? `once ${round} ${at} ${n}` : `k${n}`),
        value: randomBytes(200),
      }))
      await producer.send({ messages, compression: at % 2 === 0 ? 'none' : 'gzip', acks: -1 })
    }
    await eventually(bytes, size => size < 60_000)
  }
  await producer.close()
  assert.is((await broker.stop()).code, 0)
  const theirs = await complaints(folder)
  const ours = wrong(dir)
  assert.ok(theirs.length > 0, 'nothing was compacted')
  assert.equal(
    theirs.filter(line => !line.startsWith('Non-consecutive offsets in ')),
    [],
  )
  assert.equal(ours, [])
})

test('both complain about the index files of a Kafka that was killed', async () => {
  const folder = join(vectors, 'killed', 'mixed-0')
  assert.ok((await complaints(folder)).length > 0)
  assert.ok(wrong(join(vectors, 'killed')).every(finding => /\.(time)?index$/.test(finding.file)))
  assert.ok(wrong(join(vectors, 'killed')).length > 0)
})

for (const damage of damages) {
  test(`they agree and repair mends it when damaged: ${damage.file}, ${damage.what}`, async () => {
    const { root, folder } = single(damage.folder)
    damage.act(join(folder, damage.file), folder)
    const theirs = await complaints(folder)
    const ours = wrong(root)
    assert.ok(ours.length > 0, `verify finds nothing; the tool says ${theirs.join('\n')}`)
    assert.is(theirs.length > 0, damage.stricter === undefined, JSON.stringify({ theirs, ours }, null, 1))

    assert.ok(ask('plan', root, true).length > 0)
    const told = ask('repair', root, true)
    assert.equal(
      ask('repair', root, true).filter(line => line.type === 'done'),
      [],
    )
    if (damage.stays !== undefined) return
    assert.equal(wrong(root), [], JSON.stringify(told, null, 1))
    assert.equal(await complaints(folder), [], JSON.stringify(told, null, 1))
    const end = await jvm.open(folder, recoveryPoint(root, damage.folder), 0)
    assert.ok(end >= 0)
    const log = await openLog({ dir: folder })
    assert.is(log.endOffset, end)
    await log.close()
  })
}

function recoveryPoint(root: string, folder: string): number {
  const file = join(root, 'recovery-point-offset-checkpoint')
  const topic = folder.replace(/-\d+$/, '')
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  return Number(new RegExp(`^${topic} 0 (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
}

test.run()
