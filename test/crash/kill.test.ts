/**
 * kill -9 under load, again and again over the same directory: every acknowledged record is there, in order, none
 * twice, and producers go on with the ids and sequences that they had. What had no answer yet is sent again with its
 * sequence, as an idempotent producer does. `npm run crash -- kill --count 1000` goes on for as long as you like.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kills } from '../support/crash/campaigns.ts'
import { seed } from '../support/runs.ts'

export const timeoutMs = 300_000

const test = suite('kill -9')

for (const flush of ['group', 'os'] as const) {
  test(`what was acknowledged is there when the broker was killed 10 times with flush=${flush}`, async () => {
    const { acknowledged } = await kills({ crashes: 10, seed: seed(4), flush })
    assert.ok(acknowledged > 100, `${acknowledged}`)
  })
}

test('replicas that move between directories lose nothing when the broker is killed 8 times', async () => {
  const { acknowledged, moved } = await kills({ crashes: 8, seed: seed(5), flush: 'group', moves: true })
  assert.ok(acknowledged > 100, `${acknowledged}`)
  assert.ok(moved > 3, `${moved}`)
})

test.run()
