/**
 * Data directories in which something else stands where a file or folder of ours belongs: the start refuses by name, or
 * serves what it can; it never waits, deletes nothing that is not its own, and serves again when it is put right.
 */
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startBroker } from '../../src/index.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { createTopic, produceBatch, readAll } from '../support/records-client.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 120_000

const test = suite('odd things in data directories')
const place = (topic: string) => ({ topic, partition: 0, acks: -1 }) as const

/** A directory with two topics of one record each, closed. */
const used = async (): Promise<string> => {
  const dir = join(temporaryFolder('odd'), 'data')
  const broker = await startBroker({ dir, logger: false })
  const client = await WireClient.connect(broker.port)
  for (const topic of ['kept', 'odd']) {
    await createTopic(client, topic)
    await produceBatch(client, place(topic), [topic])
  }
  await client.close()
  await broker.close()
  return dir
}

/**
 * What a start makes of it: the refusal's message, or the values of each topic, or the code that its records answer.
 */
const outcome = async (dir: string): Promise<string | { kept: unknown; odd: unknown }> => {
  let broker: Awaited<ReturnType<typeof startBroker>>
  try {
    broker = await startBroker({ dir, logger: false })
  } catch (error) {
    return (error as Error).message
  }
  const client = await WireClient.connect(broker.port)
  const read = async (topic: string) => {
    try {
      return (await readAll(client, topic, 0)).map(({ value }) => value)
    } catch (error) {
      return (error as Error).message
    }
  }
  const found = { kept: await read('kept'), odd: await read('odd') }
  await client.close()
  // One that serves a broken log stops as not clean.
  await broker.close().catch(() => {})
  return found
}

const SERVED = { kept: ['kept'], odd: ['odd'] }
const OFFLINE = ErrorCode.KAFKA_STORAGE_ERROR
const LOG = 'odd-0/00000000000000000000.log'
const pipe = (path: string) => assert.is(spawnSync('mkfifo', [path]).status, 0)

const kinds: Record<string, (path: string) => void> = {
  'a pipe': pipe,
  'a folder': path => mkdirSync(path),
  'a link to itself': path => symlinkSync(path, path),
  'a link to a device': path => symlinkSync('/dev/zero', path),
  'a sparse terabyte': path => {
    writeFileSync(path, '')
    truncateSync(path, 2 ** 40)
  },
  'a line of something else': path => writeFileSync(path, 'something else\n'),
}

/** What each file's being something else does to the start: it is refused, or topic `odd` alone is offline. */
const files: Record<string, 'refused' | 'offline'> = {
  'meta.properties': 'refused',
  '.lock': 'refused',
  '.kafka_cleanshutdown': 'refused',
  'recovery-point-offset-checkpoint': 'refused',
  'log-start-offset-checkpoint': 'refused',
  'replication-offset-checkpoint': 'refused',
  '__cluster_metadata-0/quorum-state': 'refused',
  '__cluster_metadata-0/00000000000000000000.log': 'refused',
  'odd-0/partition.metadata': 'offline',
  [LOG]: 'offline',
  'odd-0/leader-epoch-checkpoint': 'offline',
  'odd-0/00000000000000000000.index': 'offline',
  'odd-0/00000000000000000000.timeindex': 'offline',
  'odd-0/00000000000000000000.txnindex': 'offline',
  'odd-0/00000000000000000001.snapshot': 'offline',
}

/**
 * Content of the wrong kind where it does no harm: what the file would say is found out anew, or nothing is read of it.
 */
const harmless = (file: string, kind: string): boolean =>
  (kind === 'a line of something else' &&
    ['.lock', '.kafka_cleanshutdown', 'odd-0/leader-epoch-checkpoint'].includes(file)) ||
  (kind === 'a line of something else' && /index$|snapshot$/.test(file)) ||
  (kind === 'a sparse terabyte' && file === '.lock')

for (const [file, effect] of Object.entries(files)) {
  test(`what is no ${file} in its place ${effect === 'refused' ? 'ends the start' : 'takes that log alone offline'}`, async () => {
    const dir = await used()
    for (const [kind, put] of Object.entries(kinds)) {
      const copy = join(dir, '..', 'copy')
      cpSync(dir, copy, { recursive: true })
      const path = join(copy, file)
      const aside = join(dir, '..', 'aside')
      const was = existsSync(path)
      if (was) renameSync(path, aside)
      put(path)
      const before = lstatSync(path)
      const found = await outcome(copy)
      if (harmless(file, kind)) assert.equal(found, SERVED, kind)
      else {
        if (effect === 'offline') assert.equal(found, { kept: ['kept'], odd: `the end of odd: ${OFFLINE}` }, kind)
        else
          assert.match(
            found as string,
            new RegExp(file === '.lock' || file.includes('clean') || file.endsWith('checkpoint') ? copy : file),
            kind,
          )
        assert.is(lstatSync(path).ino, before.ino, `${kind} is gone`)
        rmSync(path, { recursive: true })
        if (was) renameSync(aside, path)
        if (kind === 'a pipe') assert.equal(await outcome(copy), SERVED, 'put right')
      }
      rmSync(copy, { recursive: true })
      rmSync(aside, { force: true })
    }
  })
}

/** Without which, or without whose content, a start is refused, or topic `odd` alone is offline: gone, and empty. */
const needed: Readonly<
  Record<string, readonly [gone: RegExp | 'offline' | 'served', empty: RegExp | 'offline' | 'served']>
> = {
  'meta.properties': [/holds a metadata log .* but no meta\.properties/, /meta\.properties has no version/],
  'recovery-point-offset-checkpoint': ['served', /recovery-point-offset-checkpoint can't be read: it is empty/],
  'log-start-offset-checkpoint': ['served', /log-start-offset-checkpoint can't be read: it is empty/],
  '__cluster_metadata-0/quorum-state': ['served', /quorum-state cannot be read: it is not JSON/],
  '__cluster_metadata-0/00000000000000000000.log': [
    /holds no segment, although/,
    /ends at offset 0, below its recovery/,
  ],
  [LOG]: ['offline', 'offline'],
}

test('files that are gone or empty are made anew, refused, or take their log alone offline', async () => {
  const dir = await used()
  const copy = join(dir, '..', 'copy')
  for (const file of Object.keys(files)) {
    for (const [at, kind] of ['gone', 'empty'].entries()) {
      cpSync(dir, copy, { recursive: true })
      rmSync(join(copy, file), { force: true })
      if (kind === 'empty') writeFileSync(join(copy, file), '')
      const expected = needed[file]?.[at] ?? 'served'
      const found = await outcome(copy)
      if (expected === 'served') assert.equal(found, SERVED, `${file} ${kind}`)
      else if (expected === 'offline') assert.equal(found, { kept: ['kept'], odd: `the end of odd: ${OFFLINE}` }, file)
      else assert.match(found as string, expected)
      rmSync(copy, { recursive: true })
    }
  }
})

test('names that are no topic are left alone, and a folder of a topic that is gone is renamed', async () => {
  const dir = await used()
  const odd = [
    'lost+found',
    'folder',
    'a-b',
    '-0',
    'topic-x',
    'topic-99999999999',
    'ü-0',
    'odd-0.future',
    'odd-0-stray',
  ]
  for (const name of odd) mkdirSync(join(dir, name))
  writeFileSync(join(dir, 'file-0'), 'text')
  writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0xff, 0xfe]), Buffer.from('-0')]), 'text')
  mkdirSync(join(dir, 'gone-0'))
  writeFileSync(join(dir, 'gone-0', 'kept'), 'text')
  assert.equal(await outcome(dir), SERVED)
  for (const name of [...odd, 'file-0']) assert.ok(existsSync(join(dir, name)), name)
  const stray = readdirSync(dir).find(name => /^gone-0\.[0-9a-f]{32}-stray$/.test(name)) as string
  assert.is(readFileSync(join(dir, stray, 'kept'), 'utf8'), 'text')
})

test('a link to a data directory, and one to the folder of a partition, are followed', async () => {
  const dir = await used()
  const link = join(dir, '..', 'link')
  symlinkSync(dir, link)
  renameSync(join(dir, 'odd-0'), join(dir, '..', 'elsewhere'))
  symlinkSync(join(dir, '..', 'elsewhere'), join(dir, 'odd-0'))
  assert.equal(await outcome(link), SERVED)
  assert.ok(lstatSync(join(dir, 'odd-0')).isSymbolicLink())
})

test('a link to nowhere, or to itself, is no data directory', async () => {
  const folder = temporaryFolder('links')
  for (const [name, target] of [
    ['nowhere', join(folder, 'missing')],
    ['loop', 'loop'],
  ] as const) {
    symlinkSync(target, join(folder, name))
    assert.match(
      (await outcome(join(folder, name))) as string,
      new RegExp(`creating the directory ${join(folder, name)}`),
    )
    assert.ok(lstatSync(join(folder, name)).isSymbolicLink())
  }
  assert.not.ok(existsSync(join(folder, 'missing')))
})

test('segments of 1970 and of the far future are served', async () => {
  const dir = await used()
  utimesSync(join(dir, 'kept-0', '00000000000000000000.log'), 0, 0)
  utimesSync(join(dir, LOG), 2 ** 33, 2 ** 33)
  assert.equal(await outcome(dir), SERVED)
})

test('a folder with ten thousand names that are not ours is served', async () => {
  const dir = await used()
  for (let at = 0; at < 10_000; at++) writeFileSync(join(dir, `file-${at}.txt`), '')
  for (let at = 0; at < 1_000; at++) writeFileSync(join(dir, 'odd-0', `file-${at}.txt`), '')
  assert.equal(await outcome(dir), SERVED)
  assert.ok(existsSync(join(dir, 'file-9999.txt')) && existsSync(join(dir, 'odd-0', 'file-999.txt')))
})

test('a segment that goes while its log is served is named in the log of the broker, once', async () => {
  const dir = join(temporaryFolder('odd'), 'data')
  const errors: string[] = []
  const quiet = () => {}
  const error = (first: unknown, text?: string) => void errors.push(text ?? String(first))
  const logger = { debug: quiet, info: quiet, warn: quiet, error }
  const broker = await startBroker({ dir, logger, config: { 'log.segment.bytes': 1 << 20 } })
  const client = await WireClient.connect(broker.port)
  await createTopic(client, 'odd')
  for (let batch = 0; batch < 4; batch++) await produceBatch(client, place('odd'), ['x'.repeat(700_000)])
  rmSync(join(dir, LOG))
  for (let again = 0; again < 2; again++) {
    const failure = await readAll(client, 'odd', 0).catch(String)
    assert.is(failure, `Error: reading odd: ${OFFLINE}`)
  }
  assert.is(errors.length, 1, errors.join('\n'))
  assert.match(errors[0] ?? '', /^odd-0 in .*data: .*No such file/)
  await client.close()
  await broker.close()
})

test('a log that may not be written takes its topic alone offline', async () => {
  const dir = await used()
  if (spawnSync('chattr', ['+i', join(dir, LOG)]).status !== 0) return
  try {
    assert.equal(await outcome(dir), { kept: ['kept'], odd: `the end of odd: ${OFFLINE}` })
  } finally {
    spawnSync('chattr', ['-i', join(dir, LOG)])
  }
  assert.equal(await outcome(dir), SERVED)
})

test.run()
