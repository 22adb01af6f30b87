/**
 * `npm run images`: crash images of the log engine by the thousand, from scripts on the file system in memory
 * (native/proof). The short form is a part of `npm test`.
 *
 *   npm run images -- --count 1000000 --seed 7          scripts from this seed on, until there were so many images
 *   npm run images -- --script roll --seed 7 --cut 12   one moment of one script, as a failure names it
 */
import { main, run } from './lib.mjs'

await main(async args => {
  const program = ['--quiet', '--profile', 'proof', '-p', 'odradek-proof', '--bin', 'images']
  const { code } = await run('cargo', ['run', ...program, '--', ...args])
  return code
})
