/** `npm run fix`: rewrites what formatter and linter can put right by themselves, in both languages. */
import { inRoot, main, must, run } from './lib.mjs'
import { setup } from './setup.mjs'

await main(async () => {
  await setup()
  await must('cargo', ['fmt', '--all'])
  return (await run(inRoot('node_modules/.bin/biome'), ['check', '--write', '.'])).code
})
