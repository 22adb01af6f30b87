/** A frame that was copied without its record bytes says the same as the whole frame. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Api } from '../../src/protocol/api.ts'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { fetch } from '../../src/protocol/apis/01-fetch.ts'
import { planFor, readerFor } from '../../src/protocol/compile.ts'
import { decodeResponse, encodeRequest, encodeResponse, readRequestHeader } from '../../src/protocol/headers.ts'
import { joinParts } from '../../src/protocol/messages.ts'
import { ProtocolError } from '../../src/protocol/protocol-error.ts'
import { Reader } from '../../src/protocol/reader.ts'
import { apis } from '../../src/protocol/registry.ts'
import { skimProgram } from '../../src/protocol/skim.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { inRepository } from '../support/paths.ts'
import { versionsOf } from '../support/schemas.ts'
import { runSkim } from '../support/skim.ts'
import { skimVectors } from '../support/skim-vectors.ts'
import { arbitraryOf, exampleOf, examples, type Value } from '../support/values.ts'

const test = suite('skim')
const writer = new Writer()

type Direction = 'request' | 'response'

const encode = (direction: Direction, api: Api, version: number, value: Value): Uint8Array =>
  joinParts(
    direction === 'request'
      ? encodeRequest(writer, api, version, { correlationId: 5, clientId: 'a client' }, value as never)
      : encodeResponse(writer, api, version, 5, value as never),
  )

const decode = (direction: Direction, api: Api, version: number, reader: Reader): unknown => {
  if (direction === 'response') return decodeResponse(reader, api, version)
  const header = readRequestHeader(reader)
  return { header, request: readerFor(api.request, version)(reader) }
}

const directions = [
  ['request', produce],
  ['response', fetch],
] as const

for (const [direction, api] of directions) {
  test(`a ${api.name} ${direction} reads the same, record positions included, when its record bytes are left out`, () => {
    for (const version of versionsOf(api.request)) {
      const program = skimProgram(direction, api, version)
      const check = (value: Value): void => {
        const frame = encode(direction, api, version, value)
        const skimmed = runSkim(program, frame)
        const whole = decode(direction, api, version, new Reader(frame))
        const reader = new Reader(skimmed.bytes, skimmed.elisions)
        assert.equal(decode(direction, api, version, reader), whole)
        assert.is(reader.remaining, 0)
        const left = skimmed.elisions.reduce((sum, elision) => sum + Math.max(0, elision.length - 61), 0)
        assert.is(skimmed.bytes.length, frame.length - left)
      }
      const plan = planFor(direction === 'request' ? api.request : api.response, version)
      for (const example of examples) check(exampleOf(plan, example))
      fc.assert(fc.property(arbitraryOf(plan), check), { numRuns: 25, seed: version })
    }
  })
}

test('every program walks the whole frame when an API has no records at all', () => {
  for (const api of apis) {
    for (const version of versionsOf(api.request)) {
      for (const direction of ['request', 'response'] as const) {
        const schema = direction === 'request' ? api.request : api.response
        const frame = encode(direction, api, version, exampleOf(planFor(schema, version), 'full'))
        const program = skimProgram(direction, api, version)
        assert.not.throws(() => runSkim(program, frame))
        assert.throws(() => runSkim(program, frame.subarray(0, frame.length - 1)))
      }
    }
  }
})

test('the frames on which the reactor is tested are those that the schemas give', () => {
  const lines = readFileSync(inRepository('test/vectors/protocol/skim.txt'), 'utf8').trimEnd().split('\n')
  assert.equal(lines, skimVectors())
})

test('a list of left-out records that does not fit the frame is an error', () => {
  const frame = encode('request', produce, 9, exampleOf(planFor(produce.request, 9), 'full'))
  const { bytes, elisions } = runSkim(skimProgram('request', produce, 9), frame)
  const broken = [
    elisions.slice(1),
    elisions.map(elision => ({ ...elision, length: elision.length + 1 })),
    elisions.map(elision => ({ ...elision, at: elision.at + 1 })),
  ]
  for (const list of broken) {
    assert.throws(
      () => decode('request', produce, 9, new Reader(bytes, list)),
      (error: unknown) => error instanceof ProtocolError,
    )
  }
})

test.run()
