/**
 * Whatever is written can be read back: generated values, every message, every version; by the generated functions and
 * by the closures that stand in for them, which must agree byte by byte.
 */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { planFor } from '../../src/protocol/compile.ts'
import { compileRead } from '../../src/protocol/decode.ts'
import { compileWrite } from '../../src/protocol/encode.ts'
import { generateRead } from '../../src/protocol/generate-read.ts'
import { generateWrite } from '../../src/protocol/generate-write.ts'
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
      const writes = [generateWrite(plan), compileWrite(plan)] as const
      const reads = [generateRead(plan), compileRead(plan)] as const
      const check = (value: Value): void => {
        const [bytes, others] = writes.map(write => {
          writer.begin()
          write(writer, value)
          const { length } = writer
          const written = joinParts(writer.finish())
          assert.is(written.length, length)
          return written
        }) as [Uint8Array, Uint8Array]
        assert.equal(others, bytes)
        const [decoded, twin] = reads.map(read => {
          const reader = new Reader(bytes)
          const found = read(reader) as Value
          assert.is(reader.remaining, 0)
          return found
        }) as [Value, Value]
        assert.equal(twin, decoded)
        assert.equal(Object.keys(twin), Object.keys(decoded))
        assert.equal(comparableOf(plan, decoded), expectedOf(plan, value))
      }
      for (const example of examples) check(exampleOf(plan, example))
      fc.assert(fc.property(arbitraryOf(plan), check), { numRuns: 12, seed: version + 1 })
    }
  })
}

test.run()
