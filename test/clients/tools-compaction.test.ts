/**
 * Kafka's own LogCompactionTester against this broker, which compacts while it writes; and DumpLogSegments over what
 * compaction has left on disk, which opens again after kill -9.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startBrokerProcess } from '../support/broker-process.ts'
import { type Jvm, startJvm } from '../support/jvm.ts'
import { requires } from '../support/requires.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { worksWith } from '../support/works-with.ts'

export const timeoutMs = 240_000

const tests = suite('tools for compaction')
const client = { client: "Kafka's own tools", version: '4.3.1', runtime: 'Java' }
const settings = {
  'log.segment.bytes': 1_048_576,
  'log.cleaner.backoff.ms': 100,
  'log.cleaner.min.cleanable.ratio': 0.01,
  // As small as a table can be: every pass comes less far than there is dirt.
  'log.cleaner.dedupe.buffer.size': 100_000,
  'log.segment.delete.delay.ms': 200,
}

let jvm: Jvm

tests.before(() => {
  requires('kafka')
  jvm = startJvm()
})

tests.after(async () => {
  await jvm?.close()
})

tests('LogCompactionTester finds the newest record of every key, and DumpLogSegments nothing wrong', async () => {
  const dir = temporaryFolder('compaction')
  let broker = await startBrokerProcess(dir, { settings })
  for (const compression of ['none', 'lz4']) {
    const stdout = await jvm.output(
      'LogCompactionTester',
      ...['--bootstrap-server', `127.0.0.1:${broker.port}`, '--messages', '150000', '--duplicates', '50'],
      ...['--percent-deletes', '20', '--sleep', '3', '--compression-type', compression],
    )
    assert.match(stdout, /Data verification is completed/)
    const [, produced, consumed] = stdout.match(/(\d+) rows of data produced, (\d+) rows of data consumed/) ?? []
    assert.ok(Number(consumed) < Number(produced) * 0.8, `${compression}: ${consumed} of ${produced} are left`)
  }
  const before = await dump(dir)
  await broker.kill()
  broker = await startBrokerProcess(dir, { settings })
  assert.is((await broker.stop()).code, 0)
  const after = await dump(dir)
  assert.ok(before > 0 && after > 0)
  worksWith(client, 'LogCompactionTester')
})

/** Every segment of the compacted topics, by Kafka's own eyes; how many there are. */
async function dump(dir: string): Promise<number> {
  let segments = 0
  for (const folder of readdirSync(dir).filter(name => name.startsWith('log-cleaner-test'))) {
    const names = readdirSync(join(dir, folder))
    const files = names.filter(name => /\.(log|index|timeindex)$/.test(name)).map(name => join(dir, folder, name))
    const options = ['--deep-iteration', '--index-sanity-check', '--files', files.join(',')]
    const stdout = await jvm.output('DumpLogSegments', ...options)
    assert.not.match(stdout, /mismatch|corrupt|invalid|Found timestamp/i)
    segments += files.filter(name => name.endsWith('.log')).length
  }
  return segments
}

tests.run()
