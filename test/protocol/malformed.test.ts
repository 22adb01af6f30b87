/** Broken bytes: cut short anywhere, or with a length that promises too much, at every field of every message. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { planFor } from '../../src/protocol/compile.ts'
import { compileRead } from '../../src/protocol/decode.ts'
import { generateRead } from '../../src/protocol/generate-read.ts'
import { encodeMessage } from '../../src/protocol/messages.ts'
import type { Plan } from '../../src/protocol/plan.ts'
import { ProtocolError } from '../../src/protocol/protocol-error.ts'
import { Reader } from '../../src/protocol/reader.ts'
import type { RecordsRef } from '../../src/protocol/schema.ts'
import { allSchemas, versionsOf } from '../support/schemas.ts'
import { exampleOf } from '../support/values.ts'
import { type LengthField, lengthFieldsOf } from '../support/walk.ts'

/** Counts what is made from lengths on the wire. */
class WatchedReader extends Reader {
  made = 0

  override copy(length: number): Uint8Array | null {
    const copy = super.copy(length)
    this.made += copy?.length ?? 0
    return copy
  }

  override count(count: number, elementBytes: number): number {
    const accepted = super.count(count, elementBytes)
    this.made += Math.max(0, accepted)
    return accepted
  }

  override records(length: number): RecordsRef | null {
    const found = super.records(length)
    this.made += found?.header.length ?? 0
    return found
  }
}

type Read = (reader: Reader) => unknown

/** Both forms that a reading function can take. */
const readsOf = (plan: Plan): Read[] => [generateRead(plan), compileRead(plan)]

/** What decoding threw, having made no more than the bytes it was given. */
const failureOf = (read: Read, bytes: Uint8Array): unknown => {
  const reader = new WatchedReader(bytes)
  try {
    read(reader)
    return undefined
  } catch (error) {
    return error
  } finally {
    assert.ok(reader.made <= bytes.length, `${reader.made} made of ${bytes.length} bytes`)
  }
}

const spliced = (bytes: Uint8Array, { at, width }: LengthField, replacement: readonly number[]): Uint8Array =>
  Uint8Array.from([...bytes.subarray(0, at), ...replacement, ...bytes.subarray(at + width)])

const replacements: Record<LengthField['form'], readonly (readonly number[])[]> = {
  int16: [[0x7f, 0xff]],
  int32: [
    [0x7f, 0xff, 0xff, 0xff],
    [0x00, 0xff, 0xff, 0xff],
  ],
  uvarint: [
    [0xff, 0xff, 0xff, 0xff, 0x0f],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    [0x80, 0x80, 0x80, 0x80, 0x80],
    [0xff, 0xff, 0x7f],
  ],
}

const test = suite('malformed messages')

for (const schema of allSchemas) {
  test(`${schema.name} is an error when it is cut short anywhere`, () => {
    for (const version of versionsOf(schema)) {
      const plan = planFor(schema, version)
      const whole = encodeMessage(schema, version, exampleOf(plan, 'full') as never)
      for (const read of readsOf(plan)) {
        for (let length = 0; length < whole.length; length++) {
          const error = failureOf(read, whole.subarray(0, length))
          assert.instance(error, ProtocolError, `version ${version}, ${length} of ${whole.length} bytes`)
        }
      }
    }
  })

  test(`${schema.name} is an error when any length or count promises more than there is`, () => {
    for (const version of versionsOf(schema)) {
      const plan = planFor(schema, version)
      const whole = encodeMessage(schema, version, exampleOf(plan, 'full'))
      const reads = readsOf(plan)
      for (const field of lengthFieldsOf(plan, whole)) {
        for (const replacement of replacements[field.form]) {
          const broken = spliced(whole, field, replacement)
          for (const read of reads) {
            const error = failureOf(read, broken)
            assert.instance(error, ProtocolError, `version ${version}, ${field.name} := ${replacement}`)
          }
        }
      }
    }
  })
}

test.run()
