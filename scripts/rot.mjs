/**
 * `npm run rot`: files of a data directory that decay, on the file system in memory (native/proof): what the log engine
 * makes of it. Fails when something goes unnoticed and isn't harmless. `npm test` has a short form
 * (native/proof/tests/rot.rs).
 *
 *   npm run rot -- --count 5000 --seed 7   so many damages of closed directories, and of crashed ones
 */
import { main, run } from './lib.mjs'

await main(async args => {
  const program = ['--quiet', '--profile', 'proof', '-p', 'odradek-proof', '--bin', 'rot']
  const { code } = await run('cargo', ['run', ...program, '--', ...args])
  return code
})
