/** `npm run demo -- [HOST:PORT]`: makes what is missing and runs demo/flights.mjs in this process. */
import { pathToFileURL } from 'node:url'
import { build } from './build.mjs'
import { buildNative } from './build-native.mjs'
import { inRoot, main } from './lib.mjs'
import { setup } from './setup.mjs'

await main(async () => {
  await setup()
  await setup('demo')
  await buildNative()
  await build()
})

if (process.exitCode === 0) {
  process.exitCode = undefined
  const program = inRoot('demo/flights.mjs')
  process.argv.splice(1, 1, program)
  await import(pathToFileURL(program).href)
}
