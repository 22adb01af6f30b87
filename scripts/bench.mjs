/**
 * `npm run bench -- NAME [ARGS]`: makes what is missing and runs bench/NAME.ts or bench/NAME.bench.ts, built where the
 * runtime needs it. Without a name it lists what there is.
 */
import { pathToFileURL } from 'node:url'
import { build } from './build.mjs'
import { buildNative } from './build-native.mjs'
import { Failure, filesBelow, inRoot, main } from './lib.mjs'
import { hostRuntime } from './runtimes.mjs'
import { setup } from './setup.mjs'

let program

await main(async ([name]) => {
  const programs = filesBelow('bench', path => path.endsWith('.ts') && !/^bench\/(?:support|load)\//.test(path))
  const nameOf = path => path.slice('bench/'.length).replace(/(?:\.bench)?\.ts$/, '')
  const names = programs.map(nameOf).join(', ')
  if (name === undefined) throw new Failure(`name one of: ${names}`)
  const chosen = programs.find(path => nameOf(path) === name)
  if (chosen === undefined) throw new Failure(`there is no bench ${name}; there are: ${names}`)
  await setup()
  await buildNative()
  const { built } = hostRuntime()
  if (built) await build({ all: true, lenient: true })
  program = inRoot(built ? `dist/${chosen.replace(/\.ts$/, '.js')}` : chosen)
})

if (program !== undefined) {
  process.exitCode = undefined
  process.argv.splice(1, 2, program)
  await import(pathToFileURL(program).href)
}
