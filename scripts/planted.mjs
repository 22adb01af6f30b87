/**
 * `npm run planted`: plants bugs into copies of the sources, one at a time, and demands that the test which is
 * there for each of them fails. The bugs are in test/planted; those of the log engine are built in by a
 * feature and switched on.
 *
 *   npm run planted                    all of them
 *   npm run planted -- static          those with "static" in their name
 */
import { buildNative } from './build-native.mjs'
import { inRoot, main, run } from './lib.mjs'
import { hostRuntime, runtimeNamed } from './runtimes.mjs'
import { setup } from './setup.mjs'

await main(async args => {
  await setup()
  const host = hostRuntime()
  // The copies are run as they are written.
  if (host.built) await setup('test/runtimes')
  const { command } = host.built ? runtimeNamed('node24') : host
  await buildNative()
  const { code } = await run(command, ['--no-warnings', inRoot('test/planted/plant.ts'), ...args])
  return code
})
