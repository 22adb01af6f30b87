/** The README's table of clients is the one that was written from a run of the suite. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { inRepository } from './support/paths.ts'
import { runProgram } from './support/process.ts'

const test = suite('works with')

test('the README says what the kept table says when both are read', async () => {
  const { code, stderr } = await runProgram(process.execPath, [inRepository('scripts/works-with.mjs'), '--check'])
  assert.is(code, 0, stderr)
})

test.run()
