/**
 * `npm start -- [FLAGS OF SERVE]`: makes what is missing (packages, addon, build) and serves, in this same process, so
 * that signals and the exit code are the broker's own.
 */
import { pathToFileURL } from 'node:url'
import { build } from './build.mjs'
import { buildNative } from './build-native.mjs'
import { inRoot, main } from './lib.mjs'
import { setup } from './setup.mjs'

await main(async () => {
  await setup()
  await buildNative()
  await build()
})

if (process.exitCode === 0) {
  process.exitCode = undefined
  const program = inRoot('dist/src/cli/main.js')
  process.argv.splice(1, 1, program, 'serve')
  await import(pathToFileURL(program).href)
}
