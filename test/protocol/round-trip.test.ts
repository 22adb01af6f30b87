/** Whatever is written can be read back: generated values, every message, every version. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { planFor, readerFor, writerFor } from '../../src/protocol/compile.ts'
import { joinParts } from '../../src/protocol/messages.ts'
import { Reader } from '../../src/protocol/reader.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { allSchemas, versionsOf } from '../support/schemas.ts'
import { arbitraryOf, comparableOf, exampleOf, examples, expectedOf, type Value } from '../support/values.ts'

const test = suite('round trips')
const writer = new Writer()

for (const schema of allSchemas) {
  test(`${schema.name} reads back as it was written when any value is written in any version`, () => {
    for (const version of versionsOf(schema)) {
      const plan = planFor(schema, version)
      const write = writerFor(schema, version)
      const read = readerFor(schema, version)
      const check = (value: Value): void => {
        writer.begin()
        write(writer, value as never)
        const { length } = writer
        const bytes = joinParts(writer.finish())
        assert.is(bytes.length, length)
        const reader = new Reader(bytes)
        assert.equal(comparableOf(plan, read(reader)), expectedOf(plan, value))
        assert.is(reader.remaining, 0)
      }
      for (const example of examples) check(exampleOf(plan, example))
      fc.assert(fc.property(arbitraryOf(plan), check), { numRuns: 12, seed: version + 1 })
    }
  })
}

test.run()
