/**
 * `npm run bench -- NAME [ARGS]`: makes what is missing and runs bench/NAME.ts, built where the runtime needs it.
 * Without a name it lists what there is.
 */
import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { build } from './build.mjs'
import { buildNative } from './build-native.mjs'
import { Failure, filesBelow, inRoot, main } from './lib.mjs'
import { hostRuntime } from './runtimes.mjs'
import { setup } from './setup.mjs'

let program

await main(async ([name]) => {
  const names = filesBelow('bench', path => /^bench\/[\w-]+\.ts$/.test(path)).map(path => path.slice(6, -3))
  if (name === undefined) throw new Failure(`name one of: ${names.join(', ')}`)
  if (!existsSync(inRoot(`bench/${name}.ts`))) throw new Failure(`no bench/${name}.ts; there are: ${names.join(', ')}`)
  await setup()
  await buildNative()
  const { built } = hostRuntime()
  if (built) await build({ all: true, lenient: true })
  program = inRoot(built ? `dist/bench/${name}.js` : `bench/${name}.ts`)
})

if (program !== undefined) {
  process.exitCode = undefined
  process.argv.splice(1, 2, program)
  await import(pathToFileURL(program).href)
}
