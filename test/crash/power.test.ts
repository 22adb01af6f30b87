/**
 * Power cuts on real file systems under load, at instants drawn from a seed: what was acknowledged is there, in order,
 * none twice, and nothing is that nobody sent. `npm run crash -- power --count 2000` goes on for as long as you like.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { powerCuts } from '../support/crash/campaigns.ts'
import { fileSystems } from '../support/crash/loop-disk.ts'
import { Violation } from '../support/crash/reading.ts'
import { kafkaTool } from '../support/kafka.ts'
import { requires } from '../support/requires.ts'
import { seed } from '../support/runs.ts'

export const timeoutMs = 600_000

const test = suite('power cuts')

/** As many names as one argument of a command may hold. */
const AT_ONCE = 500

/** What Kafka's own reader says of every segment and index. */
const dumped = async (dir: string): Promise<void> => {
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter(name => /\d{20}\.(log|index|timeindex)$/.test(name))
    .map(name => join(dir, name))
  for (let from = 0; from < files.length; from += AT_ONCE) {
    const names = files.slice(from, from + AT_ONCE).join(',')
    const { code, stdout, stderr } = await kafkaTool('DumpLogSegments', ['--files', names])
    assert.is(code, 0, stderr)
    assert.not.match(stdout, /isvalid: false|Found|mismatch|not found|Invalid|corrupt/)
  }
}

for (const fs of fileSystems) {
  test(`what was acknowledged is there when the power was cut 20 times on ${fs}`, async () => {
    requires(fs, 'kafka')
    const { acknowledged } = await powerCuts({ fs, crashes: 20, seed: seed(1), flush: 'group', inspect: dumped })
    assert.ok(acknowledged > 100, `${acknowledged}`)
  })
}

test('what is there with flush=os after power cuts is the beginning of what was sent', async () => {
  requires('xfs', 'ext4')
  for (const fs of fileSystems) await powerCuts({ fs, crashes: 5, seed: seed(2), flush: 'os' })
})

test('losses are found when syncs do nothing', async () => {
  requires('ext4', 'xfs', 'cc')
  for (const fs of fileSystems) {
    const error = await powerCuts({ fs, crashes: 10, seed: seed(3), flush: 'group', withoutSync: true }).then(
      () => undefined,
      (thrown: Error) => thrown,
    )
    assert.instance(error, Violation)
    assert.match(
      (error as Error).message,
      /acknowledged up to|somebody has read|acknowledged, \d+ sent|is gone|doesn't start/,
    )
  }
})

test.run()
