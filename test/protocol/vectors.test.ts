/** The same bytes as Apache Kafka's own classes make, both ways; recorded by test/vectors/record/messages.ts. */
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { planFor } from '../../src/protocol/compile.ts'
import { describeError, ErrorCode } from '../../src/protocol/error-codes.ts'
import { decodeMessage, encodeMessage } from '../../src/protocol/messages.ts'
import type { Schema } from '../../src/protocol/schema.ts'
import { inRepository } from '../support/paths.ts'
import { allSchemas, allVersions } from '../support/schemas.ts'
import { comparableOf, type Example, exampleOf, examples, expectedOf } from '../support/values.ts'

const linesOf = (name: string): string[][] =>
  readFileSync(inRepository('test/vectors/protocol', name), 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => line.split(' '))

const fromHex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], byte => Number.parseInt(byte, 16))

const test = suite("Kafka's bytes")
const vectors = linesOf('messages.txt')

test('there is a vector for every message, version and example', () => {
  const expected = allVersions().flatMap(({ schema, version }) =>
    examples.map(kind => `${schema.name} ${version} ${kind}`),
  )
  assert.equal(
    vectors.map(([name, version, example]) => `${name} ${version} ${example}`),
    expected,
  )
})

for (const schema of allSchemas) {
  test(`${schema.name} is written and read as Kafka does`, () => {
    for (const [name, number, example, hex] of vectors) {
      if (name === schema.name) check(schema, Number(number), example as Example, fromHex(hex ?? ''))
    }
  })
}

const check = (schema: Schema, version: number, example: Example, bytes: Uint8Array): void => {
  const plan = planFor(schema, version)
  const value = exampleOf(plan, example)
  assert.equal(encodeMessage(schema, version, value as never), bytes, `${schema.name} ${version} ${example}`)
  assert.equal(comparableOf(plan, decodeMessage(schema, version, bytes)), expectedOf(plan, value))
}

test('error codes have the numbers, names and retriability that Kafka gives them', () => {
  const theirs = linesOf('errors.txt').map(([code, name, retriable]) => `${code} ${name} ${retriable}`)
  const ours = Object.values(ErrorCode).map(code => {
    const { name, retriable } = describeError(code)
    return `${code} ${name} ${retriable}`
  })
  assert.equal(ours.sort(), theirs.sort())
})

test('a number that is no code of Kafka is described as an unknown server error', () => {
  for (const code of [-2, 134, 1000]) assert.is(describeError(code).name, 'UNKNOWN_SERVER_ERROR')
})

test.run()
