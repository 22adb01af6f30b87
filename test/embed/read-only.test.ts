import {
  appendFileSync,
  chmodSync,
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigError, type Log, OdradekError, openLog, ReadOnlyError, StorageError } from '../../src/index.ts'
import { temporaryFolder } from '../support/temporary.ts'

const test = suite('open log for reading')

const RECORDS = 300
const value = (index: number) => `${index}:`.repeat(1 + (index % 40))
const config = { 'internal.segment.bytes': 8000, 'index.interval.bytes': 500, 'retention.ms': -1 }

/** Names, lengths, bytes and times of all that is there. */
function tree(dir: string): string[] {
  const found: string[] = []
  for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort()) {
    const stat = statSync(`${dir}/${name}`, { bigint: true })
    const bytes = stat.isFile() ? readFileSync(`${dir}/${name}`).toString('base64') : ''
    found.push([name, stat.mode, stat.size, stat.mtimeNs, stat.ctimeNs, bytes].join(' '))
  }
  const { mtimeNs, ctimeNs } = statSync(dir, { bigint: true })
  return [...found, `${mtimeNs} ${ctimeNs}`]
}

const decoder = new TextDecoder()
const valuesOf = (log: Log) => Array.from(log, record => decoder.decode(record.value ?? undefined))
const expected = Array.from({ length: RECORDS }, (_, index) => value(index))

async function filled(): Promise<{ log: Log; dir: string }> {
  const dir = `${temporaryFolder('read-only')}/audit-0`
  const log = await openLog({ dir, config })
  for (let index = 0; index < RECORDS; index++) log.append(value(index), { timestamp: 1000 + index })
  await log.flush()
  return { log, dir }
}

/** What a crash would leave. */
async function crashed(): Promise<string> {
  const { log, dir } = await filled()
  const copy = temporaryFolder('read-only')
  // A checkpoint's temporary file may get its name while it is copied.
  for (let attempt = 0; ; attempt++) {
    try {
      cpSync(dirname(dir), copy, { recursive: true, preserveTimestamps: true })
      break
    } catch (error) {
      if (attempt === 10) throw error
    }
  }
  await log.close()
  return `${copy}/audit-0`
}

/** Opens it for reading, and compares what is there before and afterwards. */
async function reading(dir: string, run: (log: Log) => unknown): Promise<void> {
  const before = tree(dirname(dir))
  const log = await openLog({ dir, readOnly: true, config: { 'retention.ms': 1, 'cleanup.policy': 'compact,delete' } })
  try {
    assert.equal(tree(dirname(dir)), before)
    await run(log)
  } finally {
    await log.close()
  }
  assert.equal(tree(dirname(dir)), before)
}

const files = (dir: string, suffix: string) =>
  readdirSync(dir)
    .filter(name => name.endsWith(suffix))
    .sort()

test('a log that was closed is read in every way, and nothing of it changes', async () => {
  const { log, dir } = await filled()
  await log.close()
  await reading(dir, async log => {
    assert.equal([log.startOffset, log.endOffset, log.flushedOffset], [0, RECORDS, RECORDS])
    assert.ok(log.sizeBytes > 10_000)
    assert.equal(valuesOf(log), expected)
    assert.is(log.read(77)?.timestamp, 1077)
    assert.is(log.offsetFor(1200), 200)
    const cursor = log.cursor({ from: 250 })
    for (let offset = 250; offset < RECORDS; offset++) assert.equal([cursor.next(), cursor.offset], [true, offset])
    assert.is(cursor.next(), false)
    let count = 0
    for await (const record of log.records({ from: 100 })) assert.is(record.offset, 100 + count++)
    assert.is(count, 200)
    await log.flush()
    log.flushSync()
  })
})

test('a log that a crash left is read without being mended', async () => {
  const whole = await crashed()
  assert.ok(files(whole, '.log').length > 3)
  await reading(whole, log => assert.equal(valuesOf(log), expected))

  const torn = await crashed()
  appendFileSync(`${torn}/${files(torn, '.log').at(-1)}`, new Uint8Array(500).fill(7))
  await reading(torn, log => assert.equal(valuesOf(log), expected))

  const bare = await crashed()
  for (const name of [...files(bare, 'index'), ...files(bare, '.snapshot')]) rmSync(`${bare}/${name}`)
  for (const name of files(dirname(bare), 'checkpoint')) rmSync(`${dirname(bare)}/${name}`)
  await reading(bare, log => assert.equal(valuesOf(log), expected))

  const failed = await crashed()
  writeFileSync(`${dirname(failed)}/.odradek-failed`, '')
  await reading(failed, log => assert.equal(valuesOf(log), expected))

  // Opened for writing it is what the reader saw.
  const log = await openLog({ dir: torn, config })
  assert.equal(valuesOf(log), expected)
  await log.close()
})

test('what would change the log is refused, and following it', async () => {
  const { log, dir } = await filled()
  await log.close()
  await reading(dir, async log => {
    const calls: [string, () => unknown][] = [
      ['append', () => log.append('x')],
      ['append', () => log.append('x', { key: 'k' })],
      ['appendMany', () => log.appendMany(['x'])],
      ['appendPacked', () => log.appendPacked(new Uint8Array(1), Uint32Array.of(1))],
      ['append', () => log.appendDurable('x')],
      ['trim', () => log.trim(3)],
      ['following', () => log.records({ follow: true }).next()],
    ]
    for (const [what, call] of calls) {
      const failure = await (async () => call())().then(
        () => undefined,
        (error: unknown) => error,
      )
      assert.instance(failure, ReadOnlyError)
      assert.instance(failure, OdradekError)
      assert.is((failure as ReadOnlyError).code, 'ERR_READ_ONLY')
      assert.is((failure as ReadOnlyError).message, `${what} needs the log ${dir} to be opened without readOnly`)
    }
    assert.is(log.endOffset, RECORDS)
  })
})

test('who writes goes on, and a reader keeps what it found', async () => {
  const { log, dir } = await filled()
  const reader = await openLog({ dir, readOnly: true })
  const another = await openLog({ dir, readOnly: true })
  assert.equal(valuesOf(reader), expected)
  const later = 'later'.repeat(100)
  for (let index = 0; index < RECORDS; index++) log.append(later)
  await log.trim(RECORDS)
  assert.equal([reader.endOffset, valuesOf(reader)], [RECORDS, expected])
  await log.close()
  const next = await openLog({ dir, readOnly: true })
  assert.equal([next.startOffset, next.endOffset, valuesOf(next).length], [RECORDS, 2 * RECORDS, RECORDS])
  await next.close()
  for (const name of readdirSync(dir)) rmSync(`${dir}/${name}`)
  assert.equal(valuesOf(reader), expected)
  await reader.close()
  assert.equal(valuesOf(another), expected)
  await another.close()
})

test('a damaged log is a StorageError that says where, and stays as it is', async () => {
  const dir = await crashed()
  // All of it was on disk.
  writeFileSync(`${dirname(dir)}/recovery-point-offset-checkpoint`, `0\n1\naudit 0 ${RECORDS}\n`)
  const last = `${dir}/${files(dir, '.log').at(-1)}`
  truncateSync(last, 20)
  const before = tree(dirname(dir))
  const failure = await openLog({ dir, readOnly: true }).catch((error: unknown) => error)
  assert.instance(failure, StorageError)
  assert.match((failure as Error).message, dir)
  assert.equal(tree(dirname(dir)), before)
})

test('a log that is not there is not made', async () => {
  const parent = temporaryFolder('read-only')
  for (const dir of [`${parent}/audit-0`, `${parent}/not/audit-0`]) {
    const failure = await openLog({ dir, readOnly: true }).catch((error: unknown) => error)
    assert.instance(failure, StorageError)
    assert.match((failure as Error).message, dirname(dir))
  }
  assert.equal(readdirSync(parent), [])
  const wrong = await openLog({ dir: `${parent}/audit-0`, readOnly: 'yes' as unknown as true }).catch(error => error)
  assert.instance(wrong, ConfigError)
  assert.is((wrong as Error).message, 'readOnly must be true or false, not yes')
})

test('files that may only be read are enough', async () => {
  const { log, dir } = await filled()
  await log.close()
  for (const name of readdirSync(dir)) chmodSync(`${dir}/${name}`, 0o444)
  chmodSync(dir, 0o555)
  chmodSync(dirname(dir), 0o555)
  // Whoever may do everything has to be somebody else for a moment; not every runtime lets him. The way there may be
  // closed to that one, so he begins there.
  const root = process.geteuid?.() === 0
  const before = process.cwd()
  process.chdir(dirname(dir))
  if (root) process.seteuid?.(65_534)
  try {
    if (process.geteuid?.() !== 0) assert.throws(() => writeFileSync('./audit-0/mine', ''))
    await reading('./audit-0', log => assert.equal(valuesOf(log), expected))
  } finally {
    if (root) process.seteuid?.(0)
    process.chdir(before)
    chmodSync(dirname(dir), 0o755)
    chmodSync(dir, 0o755)
  }
})

test.run()
