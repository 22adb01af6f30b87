/**
 * Records how Apache Kafka encodes the examples of test/support/values.ts, and its table of error codes:
 * `node test/vectors/record/messages.ts` (a Node that runs TypeScript, java, and Kafka's jars in ODRADEK_KAFKA_LIBS).
 * Writes test/vectors/protocol/messages.txt (`NAME VERSION EXAMPLE HEX`) and errors.txt (`CODE NAME RETRIABLE`).
 */
import { writeFileSync } from 'node:fs'
import { planFor } from '../../../src/protocol/compile.ts'
import type { Plan, PlanField } from '../../../src/protocol/plan.ts'
import type { Schema } from '../../../src/protocol/schema.ts'
import { kafkaJars } from '../../support/kafka.ts'
import { inRepository } from '../../support/paths.ts'
import { runProgram } from '../../support/process.ts'
import { allSchemas, versionsOf } from '../../support/schemas.ts'
import { type Example, exampleOf, examples, type Value } from '../../support/values.ts'

/** JSON as Kafka's converters read it: integers in full, floating point with its point, bytes in base64. */
const structJson = (plan: Plan, value: Value): string =>
  `{${plan.fields
    .filter(field => !field.absent)
    .map(field => `"${field.name}":${fieldJson(field, value[field.name])}`)
    .join()}}`

const fieldJson = (field: PlanField, value: unknown): string => {
  if (value === null) return 'null'
  if (field.kind === 'struct') return structJson(field.struct!, value as Value)
  if (field.kind !== 'array') return scalarJson(value, field.kind === 'float64')
  const elements = (value as unknown[]).map(element =>
    field.struct === undefined ? scalarJson(element, false) : structJson(field.struct, element as Value),
  )
  return `[${elements.join()}]`
}

const scalarJson = (value: unknown, floating: boolean): string => {
  if (value === Number.MAX_SAFE_INTEGER) return '9223372036854775807'
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('base64'))
  if (floating) return Number.isInteger(value) ? `${value}.0` : String(value)
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value)
}

const jsonOf = (schema: Schema, version: number, example: Example): string => {
  const plan = planFor(schema, version)
  return structJson(plan, exampleOf(plan, example))
}

const cases = allSchemas.flatMap(schema =>
  versionsOf(schema).flatMap(version =>
    examples.map(example => ({
      label: `${schema.name} ${version} ${example}`,
      input: `${schema.name} ${version} ${jsonOf(schema, version, example)}`,
    })),
  ),
)

const { stdout, stderr, code } = await runProgram(
  'java',
  ['-cp', `${kafkaJars()}/*`, inRepository('test/vectors/record/Messages.java')],
  { input: `${cases.map(({ input }) => input).join('\n')}\n` },
)
if (code !== 0) throw new Error(stderr)

const lines = stdout.trimEnd().split('\n')
const messages = cases.map(({ label }, index) => `${label} ${lines[index]}`)
writeFileSync(inRepository('test/vectors/protocol/messages.txt'), `${messages.join('\n')}\n`)
writeFileSync(inRepository('test/vectors/protocol/errors.txt'), `${lines.slice(cases.length).join('\n')}\n`)
console.log(`${messages.length} messages, ${lines.length - cases.length} errors`)
