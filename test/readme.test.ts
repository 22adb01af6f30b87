/** What the README derives from elsewhere is what stands there; the commands it names exist. */
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { inRepository } from './support/paths.ts'
import { runProgram } from './support/process.ts'

const test = suite('readme')

test('says what the tables say when its derived parts are written again', async () => {
  const { code, stderr } = await runProgram(process.execPath, [inRepository('scripts/readme.mjs'), '--check'])
  assert.is(code, 0, stderr)
})

test('names only commands that exist when it says npm', () => {
  const { scripts } = JSON.parse(readFileSync(inRepository('package.json'), 'utf8')) as { scripts: object }
  for (const page of ['README.md', 'CONTRIBUTING.md']) {
    const text = readFileSync(inRepository(page), 'utf8')
    for (const [, name] of text.matchAll(/\bnpm run ([\w:]+)/g)) assert.ok(name! in scripts, `${page}: npm run ${name}`)
  }
})

test.run()
