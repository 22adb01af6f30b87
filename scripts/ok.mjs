/** `npm run ok`: the gate before a commit. It reads only; `npm run fix` rewrites. */
import { existsSync } from 'node:fs'
import { typeCheck } from './build.mjs'
import { inRoot, main, run, say } from './lib.mjs'
import { setup } from './setup.mjs'

const steps = [
  ['format and lint', () => run(inRoot('node_modules/.bin/biome'), ['check', '.'])],
  [
    'types',
    async () => {
      const complaints = await typeCheck()
      if (complaints !== '') say(complaints)
      return { code: complaints === '' ? 0 : 1 }
    },
  ],
  ['rust format', () => run('cargo', ['fmt', '--all', '--check'])],
  ['rust lint', () => run('cargo', ['clippy', '--workspace', '--all-targets', '--quiet', '--', '-D', 'warnings'])],
  ['tests', () => run(process.execPath, [inRoot('scripts/test.mjs')])],
]

await main(async () => {
  await setup()
  if (existsSync(inRoot('test/clients/package-lock.json'))) await setup('test/clients')
  const failed = []
  for (const [name, step] of steps) {
    say(`== ${name}`)
    if ((await step()).code !== 0) failed.push(name)
  }
  say(failed.length === 0 ? 'all is well' : `not well: ${failed.join(', ')}`)
  return failed.length === 0 ? 0 : 1
})
