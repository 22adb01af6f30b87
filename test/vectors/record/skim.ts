/** Writes test/vectors/protocol/skim.txt from the schemas: `node test/vectors/record/skim.ts`. */
import { writeFileSync } from 'node:fs'
import { inRepository } from '../../support/paths.ts'
import { skimVectors } from '../../support/skim-vectors.ts'

const lines = skimVectors()
writeFileSync(inRepository('test/vectors/protocol/skim.txt'), `${lines.join('\n')}\n`)
console.log(`${lines.length} frames`)
