/**
 * `npm run crash`: the crashes and faults of test/crash for as long as they are wanted. The short form is a part of
 * `npm test`.
 *
 *   npm run crash -- power --count 2000 --seed 7 --fs ext4    power cuts on a real file system, as root
 *   npm run crash -- kill --count 1000 --seed 7               kill -9
 *   npm run crash -- faults --count 200                       the n-th call of each kind fails, for every n
 *
 * `kill --moves`: replicas move between two directories meanwhile. `--flush os`: what is
 * acknowledged from the page cache.
 * `--at-once 2`: two series of crashes beside each other.
 */
import { build } from './build.mjs'
import { buildNative } from './build-native.mjs'
import { inRoot, main, run } from './lib.mjs'
import { hostRuntime } from './runtimes.mjs'
import { setup } from './setup.mjs'

await main(async args => {
  await setup()
  await buildNative()
  const { command, args: before, built } = hostRuntime()
  if (built) await build({ all: true })
  const { code } = await run(command, [
    ...before,
    inRoot(built ? 'dist/test/crash/long.js' : 'test/crash/long.ts'),
    ...args,
  ])
  return code
})
