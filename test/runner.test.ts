/** The runner against everything that plain uvu passes over: each fixture must turn the run red, and say why. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { inRepository } from './support/paths.ts'
import { type Finished, runProgram } from './support/process.ts'
import { temporaryFolder } from './support/temporary.ts'

const test = suite('runner')

const runFixture = (name: string, env: Record<string, string> = {}): Promise<Finished> =>
  runProgram(
    process.execPath,
    [
      inRepository('scripts/runner.mjs'),
      ...['--timeout-ms', '2000', '--grace-ms', '1500'],
      `test/fixtures/runner/${name}.mjs`,
    ],
    { env: { ODRADEK_REQUIRE: '', ...env } },
  )

const lastLine = ({ stdout }: Finished): string | undefined => stdout.trimEnd().split('\n').at(-1)

const expectations: [fixture: string, summary: string, says: RegExp, env?: Record<string, string>][] = [
  ['assertion', '1 passed, 1 failed, 0 skipped', /is wrong[\s\S]*Expected values to be strictly equal/],
  ['before-throws', '0 passed, 3 failed, 0 skipped', /the before hook failed: no ground to stand on/],
  ['after-throws', '1 passed, 1 failed, 0 skipped', /the after hook failed: can not clean up/],
  ['before-each-throws', '0 passed, 1 failed, 0 skipped', /the before\.each hook failed: not ready/],
  ['after-each-throws', '0 passed, 1 failed, 0 skipped', /the after\.each hook failed: left something/],
  ['throws-undefined', '0 passed, 2 failed, 0 skipped', /threw undefined, not an error[\s\S]*threw null, not an error/],
  ['no-run', '0 passed, 1 failed, 0 skipped', /registered nothing/],
  ['one-of-two-runs', '1 passed, 1 failed, 0 skipped', /second\.run\(\) is missing/],
  ['empty-suite', '0 passed, 1 failed, 0 skipped', /registered no test/],
  ['nothing', '0 passed, 1 failed, 0 skipped', /registered nothing/],
  ['import-throws', '0 passed, 1 failed, 0 skipped', /broken on the way in/],
  [
    'hangs',
    '1 passed, 2 failed, 0 skipped',
    /waits for nobody[\s\S]*did not end within 2000 ms[\s\S]*kept the process alive/,
  ],
  ['settles-never', '0 passed, 1 failed, 0 skipped', /settles never[\s\S]*did not end within 2000 ms/],
  ['spins', '0 passed, 1 failed, 0 skipped', /never lets go[\s\S]*kept the process busy/],
  ['open-handle', '1 passed, 1 failed, 0 skipped', /something open kept the process alive/],
  ['stray-rejection', '1 passed, 1 failed, 0 skipped', /nobody was listening: nobody listens/],
  ['exits-early', '0 passed, 1 failed, 0 skipped', /leaves[\s\S]*ended early/],
  ['skips-silently', '1 passed, 1 failed, 0 skipped', /without a reason/],
  ['skips', '1 passed, 3 failed, 0 skipped', /skipped under ODRADEK_REQUIRE=all: no moon/, { ODRADEK_REQUIRE: 'all' }],
  ['only', '1 passed, 1 failed, 0 skipped', /marked only/, { ODRADEK_REQUIRE: 'all' }],
  ['no-such-file', '0 passed, 1 failed, 0 skipped', /no test file/],
]

for (const [fixture, summary, says, env] of expectations) {
  test(`fails and says why when a file is like ${fixture}${env === undefined ? '' : ' and all is required'}`, async () => {
    const result = await runFixture(fixture, env)
    assert.is(lastLine(result), summary)
    assert.match(result.stdout, says)
    assert.is(result.code, 1)
  })
}

test('passes when every test of a file passes', async () => {
  const result = await runFixture('good')
  assert.is(lastLine(result), '2 passed, 0 failed, 0 skipped')
  assert.is(result.code, 0)
})

test('counts skips and prints their reasons when nothing is required', async () => {
  const result = await runFixture('skips')
  assert.is(lastLine(result), '1 passed, 0 failed, 3 skipped')
  assert.match(result.stdout, /skipped: whole: two \(no moon tonight\)/)
  assert.match(result.stdout, /skipped: single: three \(no wind either\)/)
  assert.is(result.code, 0)
})

test('leaves no program behind when a file forgot one', async () => {
  const pids = join(temporaryFolder('pids'), 'pids')
  const result = await runFixture('leaves-a-child', { ODRADEK_TEST_PIDS: pids })
  assert.is(lastLine(result), '1 passed, 0 failed, 0 skipped')
  const pid = Number(readFileSync(pids, 'utf8'))
  // A killed process may wait as a zombie for whoever adopted it.
  const alive = existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  assert.not(alive)
})

test.run()
