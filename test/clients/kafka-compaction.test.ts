/**
 * A directory whose topic Apache Kafka and Odradek compact in turn, in several passes, with tombstones, transactions
 * that were committed and aborted, and a producer that goes on with its sequences: the newest value of each key stays
 * what it was, both brokers' readers find nothing wrong, and `log verify` agrees with DumpLogSegments.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { inspect } from '../../src/native/inspect.ts'
import { serveProcess } from '../support/broker-process.ts'
import { type Conversation, converse } from '../support/jvm.ts'
import { kafkaTool } from '../support/kafka.ts'
import { formatKafka, type KafkaSite, kafkaSite, startKafka } from '../support/kafka-broker.ts'
import type { Finished } from '../support/process.ts'
import { requires } from '../support/requires.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { worksWith } from '../support/works-with.ts'
import { eventually } from './target.ts'

export const timeoutMs = 240_000

const tests = suite('compaction by Apache Kafka and by Odradek')

tests.before(() => requires('kafka'))

const startOurs = ({ properties }: KafkaSite) =>
  serveProcess({ args: ['--config', properties], env: { ODRADEK_LOG: 'warn' } })

const stopped = async (broker: { stop(): Promise<Finished> }): Promise<void> => {
  const { code, stdout, stderr } = await broker.stop()
  // Java ends with 143 on a SIGTERM that it has honoured.
  assert.ok(code === 0 || code === 143, `${code}\n${stdout}${stderr}`)
}

const bytesOf = (folder: string): number => {
  const names = readdirSync(folder).filter(name => name.endsWith('.log'))
  return names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}

/** By our own reader and by Kafka's, nothing is wrong; that offsets are missing is what compaction is for. */
async function whole(folder: string): Promise<void> {
  const found: string[] = []
  const request = { mode: 'verify', deep: true, records: false, from: 0, to: 2 ** 53, acceptLoss: false } as const
  inspect({ ...request, paths: [folder] }, text => {
    found.push(...text.split('\n').filter(line => line.includes('"severity":"error"')))
    return true
  })
  assert.equal(found, [])
  const files = readdirSync(folder).filter(name => /\.(log|index|timeindex|txnindex|snapshot)$/.test(name))
  const names = files.map(name => join(folder, name)).filter(file => statSync(file).size > 0)
  const args = ['--deep-iteration', '--index-sanity-check', '--files', names.join(',')]
  const { code, stdout, stderr } = await kafkaTool('DumpLogSegments', args)
  assert.is(code, 0, stdout + stderr)
  assert.not.match(stdout, /mismatch|corrupt|isvalid: false|Found timestamp/i)
}

/** The number that each key's newest record has, if it has one. */
const valuesOf = (newest: string): Map<string, number> =>
  new Map([...newest.matchAll(/^newest (\S+) \d+ (\d+)$/gm)].map(([, key, value]) => [key as string, Number(value)]))

const count = (newest: string): number => Number(/^count (\d+)$/m.exec(newest)?.[1])

/** A compacted topic with twenty keys, and what the newest value of each has to be. */
function keyedTopic(moves: Conversation, address: string, topic: string) {
  let sent = 0
  const expected = new Map<string, number>()
  /** Takes into account what is sent next. @returns its first and its end. */
  const next = (records: number, counts = true): [from: string, to: string] => {
    const from = sent
    for (; sent < from + records; sent++) {
      if (counts && sent % 7 === 0) expected.delete(`k${sent % 20}`)
      else if (counts) expected.set(`k${sent % 20}`, sent)
    }
    return [`${from}`, `${sent}`]
  }
  const keyed = (records: number) => moves.succeed('keyed', address, topic, ...next(records))
  /** The newest of each key is what it should be. */
  const check = async (): Promise<string> => {
    const text = await moves.succeed('newest', address, topic)
    assert.equal([...valuesOf(text)].sort(), [...expected].sort())
    assert.match(text, /^bounds 0 (\d+) read to \1$/m)
    return text
  }
  /** Until nearly nothing but the newest is left. */
  const compacted = () => eventually(check, text => count(text) < 150, 60_000)
  return { topic, next, keyed, check, compacted }
}

const quick = () => ({
  'log.cleaner.backoff.ms': 100,
  'log.segment.delete.delay.ms': 200,
  'log.retention.check.interval.ms': 200,
})

tests('each compacts what the other has compacted, and the newest value of each key stays', async () => {
  const site = await kafkaSite(temporaryFolder('kafka-compaction'), quick)
  await formatKafka(site)
  const folder = join(site.logDirs[0]!, 'keyed-0')
  const address = `127.0.0.1:${site.port}`
  const moves = converse('test/clients/java/Moves.java')
  const { next, keyed, check, compacted } = keyedTopic(moves, address, 'keyed')

  const kafka = await startKafka(site)
  await moves.succeed('compacted', address, 'keyed')
  await keyed(400)
  for (const how of ['commit', 'abort', 'commit', 'abort'])
    await moves.succeed('transact', address, 'keyed', ...next(130, how === 'commit'), how)
  await keyed(300)
  await check()
  await stopped(kafka)

  const ours = await startOurs(site)
  await compacted()
  for (let round = 0; round < 3; round++) {
    await keyed(300)
    await compacted()
  }
  await stopped(ours)
  await whole(folder)

  const again = await startKafka(site)
  await check()
  for (let round = 0; round < 2; round++) {
    await keyed(300)
    await compacted()
  }
  await stopped(again)

  const last = await startOurs(site)
  await check()
  await keyed(300)
  await compacted()
  await stopped(last)
  await whole(folder)
  assert.ok(bytesOf(folder) < 100_000, `${bytesOf(folder)}`)
  await moves.close()
  worksWith({ client: 'Apache Kafka (the broker)', version: '4.3.1', runtime: 'Java' }, 'compaction, there and back')
})

tests('two directories that we begin Kafka goes on with, and we go on with what it leaves', async () => {
  const site = await kafkaSite(temporaryFolder('two-compacted'), quick, 2)
  await formatKafka(site)
  const address = `127.0.0.1:${site.port}`
  const moves = converse('test/clients/java/Moves.java')
  const topics = ['left', 'right', 'third'].map(name => keyedTopic(moves, address, name))
  const each = async (act: (topic: (typeof topics)[number]) => Promise<unknown>) => {
    for (const topic of topics) await act(topic)
  }
  const folders = () =>
    site.logDirs.map(directory =>
      topics.map(({ topic }) => join(directory, `${topic}-0`)).filter(path => existsSync(path)),
    )
  const checkpoints = () =>
    site.logDirs.map(directory => readFileSync(join(directory, 'cleaner-offset-checkpoint'), 'utf8'))

  const first = await startOurs(site)
  await each(({ topic }) => moves.succeed('compacted', address, topic))
  await each(({ keyed }) => keyed(400))
  await each(({ compacted }) => compacted())
  await stopped(first)
  const placed = folders()
  assert.ok(
    placed.every(found => found.length > 0),
    'each directory has some',
  )
  for (const text of checkpoints()) assert.match(text, /^#odradek-crc32c -?\d+ 0$/m)

  const kafka = await startKafka(site)
  await each(({ check }) => check())
  await each(({ keyed }) => keyed(300))
  await each(({ compacted }) => compacted())
  await stopped(kafka)
  assert.equal(folders(), placed)

  const last = await startOurs(site)
  await each(({ check }) => check())
  await each(({ keyed }) => keyed(300))
  await each(({ compacted }) => compacted())
  await stopped(last)
  assert.equal(folders(), placed)
  for (const folder of placed.flat()) await whole(folder)
  await moves.close()
})

tests.run()
