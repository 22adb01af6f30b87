/**
 * Data directories that a broker may not or can't use, and ports that are taken: the start says
 * why, and leaves no trace.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startBroker } from '../../src/index.ts'
import { odradekCommand, startBrokerProcess } from '../support/broker-process.ts'
import { type Finished, runProgram } from '../support/process.ts'
import { createTopic, produceBatch, readAll } from '../support/records-client.ts'
import { requires } from '../support/requires.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { WireClient } from '../support/wire-client.ts'

export const timeoutMs = 120_000

const test = suite('data directories')
const target = { topic: 'kept', partition: 0, acks: -1 } as const

const serve = (where: readonly string[]): Promise<Finished> => {
  const [program, args] = odradekCommand()
  return runProgram(program, [...args, 'serve', '--port', '0', ...where], {
    env: { ODRADEK_LOG_FORMAT: 'json' },
  })
}

/** A directory with a topic of one record, closed. */
const used = async (): Promise<string> => {
  const dir = join(temporaryFolder('directory'), 'data')
  const broker = await startBroker({ dir, logger: false })
  const client = await WireClient.connect(broker.port)
  await createTopic(client, 'kept')
  await produceBatch(client, target, ['value'])
  await client.close()
  await broker.close()
  return dir
}

const contentOf = async (dir: string): Promise<string[]> => {
  const broker = await startBroker({ dir, logger: false })
  const client = await WireClient.connect(broker.port)
  const records = await readAll(client, 'kept', 0)
  await client.close()
  await broker.close()
  return records.map(({ value }) => value)
}

/** The start is refused in one line that matches. */
const refused = async (dirs: string | readonly string[], pattern: RegExp): Promise<void> => {
  const where = typeof dirs === 'string' ? ['--dir', dirs] : ['-c', `log.dirs=${dirs.join(',')}`]
  const { code, stdout, stderr } = await serve(where)
  assert.is(code, 2, stderr)
  assert.is(stdout, '')
  const errors = stderr.split('\n').filter(line => line.startsWith('error: '))
  assert.is(errors.length, 1, stderr)
  assert.match(errors[0] ?? '', pattern)
  assert.not.match(stderr, /^\s+at /m, 'a stack is no message')
}

const metaProperties = (dir: string, change: (text: string) => string): (() => void) => {
  const file = join(dir, 'meta.properties')
  const before = readFileSync(file, 'utf8')
  const after = change(before)
  assert.is.not(after, before)
  writeFileSync(file, after)
  return () => writeFileSync(file, before)
}

test('a directory that another process serves is refused, and that one goes on', async () => {
  const dir = await used()
  const broker = await startBrokerProcess(dir)
  await refused(dir, /is in use by another process/)
  let thrown: unknown
  await startBroker({ dir, logger: false }).catch(error => {
    thrown = error
  })
  assert.instance(thrown, Error)
  assert.match((thrown as Error).message, /in use by another process/)
  // As somebody does who takes it for a stale one.
  rmSync(join(dir, '.lock'))
  await refused(dir, /is in use by another process/)
  const client = await WireClient.connect(broker.port)
  assert.is((await produceBatch(client, target, ['more'])).errorCode, 0)
  await client.close()
  assert.is((await broker.stop()).code, 0)
  assert.equal(await contentOf(dir), ['value', 'more'])
})

test('a directory that this process serves is refused by every path to it, and free again when closed', async () => {
  const dir = await used()
  const broker = await startBroker({ dir, logger: false })
  for (const path of [dir, `${dir}/.`, join(dir, '..', 'data')]) {
    let thrown: unknown
    await startBroker({ dir: path, logger: false }).catch(error => {
      thrown = error
    })
    assert.instance(thrown, Error, path)
    assert.match((thrown as Error).message, /in use/)
  }
  await broker.close()
  assert.equal(await contentOf(dir), ['value'])
})

test('a directory that may not be written is refused by its name', async () => {
  if (process.getuid?.() !== 0) return void (await refusedWithoutRoot())
  requires('mount')
  const dir = await used()
  const mount = join(temporaryFolder('read-only'), 'mount')
  mkdirSync(mount)
  const { status, stderr } = spawnSync('mount', ['--bind', dir, mount], { encoding: 'utf8' })
  assert.is(status, 0, stderr)
  try {
    assert.is(spawnSync('mount', ['-o', 'remount,ro,bind', mount]).status, 0)
    await refused(mount, new RegExp(`${mount}.*(read-only|Read-only)`))
    await refused(join(mount, 'below'), new RegExp(`${mount}.*(read-only|Read-only)`))
  } finally {
    spawnSync('umount', ['-l', mount])
  }
  assert.equal(await contentOf(dir), ['value'])
})

const refusedWithoutRoot = async () => {
  const dir = await used()
  chmodSync(dir, 0o500)
  await refused(dir, /permission|Permission/)
  chmodSync(dir, 0o700)
  assert.equal(await contentOf(dir), ['value'])
}

test('a path that is no directory is refused', async () => {
  const file = join(temporaryFolder('file'), 'file')
  writeFileSync(file, 'text')
  await refused(file, new RegExp(`creating the directory ${file}`))
  await refused(join(file, 'below'), new RegExp(`creating the directory ${file}`))
  assert.is(readFileSync(file, 'utf8'), 'text')
})

test('a directory of another node is refused, and serves again when it is put right', async () => {
  const dir = await used()
  const mend = metaProperties(dir, text => text.replace('node.id=1', 'node.id=7'))
  await refused(dir, /meta\.properties.*node\.id/)
  mend()
  assert.equal(await contentOf(dir), ['value'])
})

test('a directory of another cluster is refused, and serves again when it is put right', async () => {
  const [dir, other] = [await used(), await used()]
  const both = join(temporaryFolder('both'), 'second')
  cpSync(other, both, { recursive: true })
  await refused([dir, both], /has cluster\.id=.*the directory belongs to another cluster/)
  assert.equal(await contentOf(dir), ['value'])
})

test('a directory of a newer version is refused, and serves again when it is put right', async () => {
  const dir = await used()
  const mend = metaProperties(dir, text => text.replace('version=1', 'version=2'))
  await refused(dir, /version=2.*use the release that wrote it/)
  mend()
  assert.equal(await contentOf(dir), ['value'])
})

test('a directory whose meta.properties is damaged or gone is refused, and serves again when it is put right', async () => {
  const dir = await used()
  for (const [change, pattern] of [
    [() => '', /has no version/],
    [(text: string) => text.replace(/cluster\.id=.*/, 'cluster.id='), /has no cluster\.id/],
    [(text: string) => text.replace('node.id=1', 'node.id=one'), /node\.id=one/],
  ] as const) {
    const mend = metaProperties(dir, change)
    await refused(dir, pattern)
    mend()
  }
  const file = join(dir, 'meta.properties')
  const before = readFileSync(file)
  spawnSync('rm', [file])
  await refused(dir, /holds a metadata log .* but no meta\.properties/)
  assert.not.ok(existsSync(file))
  writeFileSync(file, before)
  assert.equal(await contentOf(dir), ['value'])
})

test('a port in use is refused by its number, and the directory is left as a clean one', async () => {
  const broker = await startBroker({ logger: false })
  const dir = join(temporaryFolder('port'), 'data')
  const [program, args] = odradekCommand()
  const { code, stderr } = await runProgram(program, [...args, 'serve', '--port', `${broker.port}`, '--dir', dir])
  assert.is(code, 2, stderr)
  assert.match(stderr, new RegExp(`^error: .*127\\.0\\.0\\.1:${broker.port}.*--port`, 'm'))
  await broker.close()
  const again = await startBroker({ dir, logger: false })
  await again.close()
  assert.ok(readdirSync(dir).includes('meta.properties'))
})

test.run()
