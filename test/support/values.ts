/**
 * Values of any message, made from its plan: fixed examples (the same in every run, since recorded vectors hold their
 * bytes) and fast-check arbitraries. Fields that the version lacks are left out.
 */
import fc from 'fast-check'
import type { Plan, PlanField } from '../../src/protocol/plan.ts'
import { isDefault } from '../../src/protocol/plan.ts'
import type { FieldKind } from '../../src/protocol/schema.ts'

export type Value = Record<string, unknown>

/** full: every field differs from its default; nulls: null wherever allowed; least: nothing but defaults. */
export const examples = ['full', 'nulls', 'least'] as const
export type Example = (typeof examples)[number]

export const exampleOf = (plan: Plan, example: Example): Value => exampleStruct(plan, example, { next: 1 })

const exampleStruct = (plan: Plan, example: Example, counter: { next: number }): Value => {
  const value: Value = {}
  for (const field of plan.fields) {
    if (!field.absent) value[field.name] = exampleField(field, example, counter)
  }
  return value
}

const exampleField = (field: PlanField, example: Example, counter: { next: number }): unknown => {
  if (example === 'least') {
    if (field.default === null && !field.nullable) return exampleScalar(field.kind, 0)
    return field.kind === 'struct' && field.default !== null
      ? exampleStruct(field.struct!, example, counter)
      : field.default
  }
  if (example === 'nulls' && field.nullable) return null
  if (field.kind === 'struct') return exampleStruct(field.struct!, example, counter)
  if (field.kind === 'array') {
    const make = (): unknown =>
      field.struct === undefined
        ? exampleScalar(field.element!, counter.next++)
        : exampleStruct(field.struct, example, counter)
    return [make(), make()]
  }
  if (field.kind === 'bool') return field.default !== true
  return exampleScalar(field.kind, counter.next++)
}

const exampleScalar = (kind: FieldKind, number: number): unknown => {
  switch (kind) {
    case 'bool':
      return number % 2 === 1
    case 'int8':
      return -(number % 100) - 3
    case 'int16':
      return -1000 - number
    case 'uint16':
      return 60000 + number
    case 'int32':
      return -100000 - number
    case 'uint32':
      return 4000000000 + number
    case 'int64':
      return number % 2 === 0 ? 2 ** 45 + number : -(2 ** 40) - number
    case 'int64Exact':
      return number % 2 === 0 ? 2n ** 63n - BigInt(number) : -(2n ** 63n) + BigInt(number)
    case 'float64':
      return number + 0.5
    case 'string':
      return number === 0 ? '' : `text ${number} äß€😀`.repeat(number % 7 === 0 ? 9 : 1)
    case 'uuid':
      return `${String(number).padStart(20, 'A')}Bw`
    case 'bytes':
    case 'records':
      return Uint8Array.from({ length: number === 0 ? 0 : 50 + (number % 30) }, (_, index) => (index * number) & 255)
    default:
      throw new TypeError(`no example of ${kind}`)
  }
}

const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 12 }), fc.string({ minLength: 40, maxLength: 140 }))
const blob = fc.uint8Array({ maxLength: 200 })

/** Any value that can be written in the plan's version. */
export const arbitraryOf = (plan: Plan): fc.Arbitrary<Value> =>
  fc.record(
    Object.fromEntries(plan.fields.filter(field => !field.absent).map(field => [field.name, arbitraryField(field)])),
    { noNullPrototype: true },
  ) as fc.Arbitrary<Value>

const arbitraryField = (field: PlanField): fc.Arbitrary<unknown> => {
  const arbitrary =
    field.kind === 'struct'
      ? arbitraryOf(field.struct!)
      : field.kind === 'array'
        ? fc.array(field.struct === undefined ? arbitraryScalar(field.element!) : arbitraryOf(field.struct), {
            maxLength: 3,
          })
        : arbitraryScalar(field.kind)
  const withDefault =
    field.default === null || field.tag < 0 ? arbitrary : fc.oneof(arbitrary, fc.constant(field.default))
  return field.nullable ? fc.option(withDefault, { nil: null }) : withDefault
}

const arbitraryScalar = (kind: FieldKind): fc.Arbitrary<unknown> => {
  switch (kind) {
    case 'bool':
      return fc.boolean()
    case 'int8':
      return fc.integer({ min: -128, max: 127 })
    case 'int16':
      return fc.integer({ min: -32768, max: 32767 })
    case 'uint16':
      return fc.integer({ min: 0, max: 65535 })
    case 'int32':
      return fc.integer()
    case 'uint32':
      return fc.integer({ min: 0, max: 2 ** 32 - 1 })
    case 'int64':
      return fc.maxSafeInteger()
    case 'int64Exact':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    case 'float64':
      return fc.double({ noNaN: true })
    case 'string':
      return text
    case 'uuid':
      return fc.uint8Array({ minLength: 16, maxLength: 16 }).map(bytes => Buffer.from(bytes).toString('base64url'))
    case 'bytes':
    case 'records':
      return blob
    default:
      throw new TypeError(`no value of ${kind}`)
  }
}

/**
 * What reading back should yield for a written value: defaults where the version has no field, records as their length
 * and first bytes.
 */
export const expectedOf = (plan: Plan, value: Value): Value =>
  Object.fromEntries(plan.fields.map(field => [field.name, expectedField(field, value[field.name])]))

const expectedField = (field: PlanField, value: unknown): unknown => {
  if (field.absent || isDefault(field, value)) return comparable(field, field.default)
  return comparable(field, value)
}

/** A decoded message in the same terms. */
export const comparableOf = (plan: Plan, decoded: Value): Value =>
  Object.fromEntries(plan.fields.map(field => [field.name, comparable(field, decoded[field.name])]))

const comparable = (field: PlanField, value: unknown): unknown => {
  if (value === null || value === undefined) return value
  switch (field.kind) {
    case 'struct':
      return expectedOf(field.struct!, value as Value)
    case 'array':
      return (value as unknown[]).map(element =>
        field.struct === undefined ? element : expectedOf(field.struct, element as Value),
      )
    case 'bytes':
      return Array.from(value as Uint8Array)
    case 'records': {
      const bytes = value instanceof Uint8Array ? value : (value as { header: Uint8Array }).header
      return { length: (value as { length: number }).length, header: Array.from(bytes.subarray(0, 61)) }
    }
    default:
      return Object.is(value, -0) ? 0 : value
  }
}
