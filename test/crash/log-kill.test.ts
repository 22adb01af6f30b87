/**
 * kill -9 of a program that appends to an embedded log, again and again over the same folder: every record whose offset
 * was given out is there and equal, and Kafka's DumpLogSegments finds nothing wrong with what is left.
 *
 * `ODRADEK_KILLS` sets how often, `ODRADEK_SEED` the moments.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openLog } from '../../src/index.ts'
import { settings, valueAt } from '../support/appended.ts'
import { kafkaJars, kafkaTool } from '../support/kafka.ts'
import { siblingUrl, startSibling } from '../support/own-runtime.ts'
import { temporaryFolder } from '../support/temporary.ts'

export const timeoutMs = 300_000

const test = suite('kill -9 of an appender')

const kills = Number(process.env['ODRADEK_KILLS'] ?? 20)
const program = siblingUrl('./programs/appender', import.meta.url)

test('every offset that was given out is there afterwards, with its value', async () => {
  const parent = temporaryFolder('log-kill')
  const [dir, told] = [join(parent, 'killed-0'), join(temporaryFolder('log-kill-told'), 'told')]
  let state = Number(process.env['ODRADEK_SEED'] ?? 1)
  let checked = 0
  for (let kill = 0; kill < kills; kill++) {
    const running = startSibling(program, [dir, told])
    await running.sees(/appending/)
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    await new Promise(resolve => setTimeout(resolve, state % 120))
    await running.kill('SIGKILL')
    const count = new Float64Array(new Uint8Array(readFileSync(told)).buffer)[0] ?? 0
    const log = await openLog({ dir, config: settings })
    assert.ok(log.endOffset >= count, `kill ${kill}: the log ends at ${log.endOffset}, ${count} were told`)
    const cursor = log.cursor({ from: Math.max(0, checked - 1000) })
    while (cursor.next()) {
      const expected = valueAt(cursor.offset)
      if (Buffer.compare(cursor.value!, expected) !== 0) assert.unreachable(`kill ${kill}: offset ${cursor.offset}`)
    }
    assert.is(cursor.offset, log.endOffset - 1)
    checked = log.endOffset
    await log.close()
  }
  assert.ok(checked > kills, 'something was appended')
  let offset = 0
  const log = await openLog({ dir, config: settings })
  for (const record of log) assert.is(record.offset, offset++)
  assert.is(offset, log.endOffset)
  await log.close()
  if (kafkaJars() === undefined) return
  const files = readdirSync(dir)
    .filter(name => name.endsWith('.log'))
    .sort()
  const few = [...files.slice(0, 3), ...files.slice(-3)].map(name => join(dir, name))
  const { code, stdout, stderr } = await kafkaTool('DumpLogSegments', ['--files', few.join(','), '--deep-iteration'])
  assert.is(code, 0, stderr)
  assert.not.match(stdout, /isvalid: false|exception|corrupt/i)
  const indexes = readdirSync(dir)
    .filter(name => name.endsWith('.index'))
    .slice(0, 3)
    .map(name => join(dir, name))
  const sanity = await kafkaTool('DumpLogSegments', ['--files', indexes.join(','), '--index-sanity-check'])
  assert.is(sanity.code, 0, sanity.stderr)
  assert.match(sanity.stdout, /passed sanity check/)
})

test.run()
