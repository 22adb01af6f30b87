/** Every schema, in all its versions, against the definitions that Apache Kafka's own jars carry. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ZERO_UUID } from '../../src/base/uuid.ts'
import { planFor } from '../../src/protocol/compile.ts'
import type { Plan, PlanField } from '../../src/protocol/plan.ts'
import { inRange, parseVersions, type Schema } from '../../src/protocol/schema.ts'
import { kafkaJars } from '../support/kafka.ts'
import { skip } from '../support/requires.ts'
import { allSchemas, versionsOf } from '../support/schemas.ts'
import { readZip } from '../support/zip.ts'

interface KafkaField {
  name: string
  type: string
  versions: string
  nullableVersions?: string
  taggedVersions?: string
  tag?: number
  default?: unknown
  ignorable?: boolean | string
  flexibleVersions?: string
  fields?: KafkaField[]
}

interface KafkaMessage {
  apiKey?: number
  name: string
  validVersions: string
  flexibleVersions: string
  latestVersionUnstable?: boolean
  fields: KafkaField[]
  commonStructs?: { name: string; fields: KafkaField[] }[]
}

/** What is compared of a field in one version. */
interface Described {
  name: string
  type: string
  tag: number
  nullable: boolean
  compact: boolean
  ignorable: boolean
  default: unknown
  fields: Described[] | undefined
}

const jars = ['kafka-clients', 'kafka-metadata', 'kafka-group-coordinator']

/** The definitions are JSON with comment lines. */
const parseDefinition = (content: Uint8Array): KafkaMessage =>
  JSON.parse(new TextDecoder().decode(content).replace(/^\s*\/\/.*$/gm, '')) as KafkaMessage

const readDefinitions = (): Map<string, KafkaMessage> => {
  const folder = kafkaJars()
  const definitions = new Map<string, KafkaMessage>()
  if (folder === undefined) return definitions
  for (const file of readdirSync(folder)) {
    if (!jars.some(jar => new RegExp(`^${jar}-\\d`).test(file))) continue
    for (const [name, content] of readZip(join(folder, file), entry =>
      /^(common\/)?(message|metadata)\/.*\.json$/.test(entry),
    )) {
      const message = parseDefinition(content)
      if (definitions.has(message.name)) throw new Error(`${message.name} is defined twice: ${name}`)
      definitions.set(message.name, message)
    }
  }
  return definitions
}

const lowerFirst = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1)

const primitives = ['bool', 'int8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'float64', 'string', 'uuid', 'bytes']

/** A default as text, so that 0, '0', '0x0' and nothing said at all compare alike. */
const defaultText = (type: string, given: unknown): string => {
  if (given === 'null') return 'null'
  if (type === 'bool') return String(given === true || given === 'true')
  if (type === 'string') return JSON.stringify(given ?? '')
  if (type === 'uuid') return given === undefined || given === '' ? ZERO_UUID : String(given)
  if (['struct', '[]', 'bytes'].includes(type)) return 'empty'
  if (type === 'records') return 'null'
  if (type === 'float64') return String(Number(given ?? 0))
  const exact = BigInt((given as string) ?? 0)
  // An int64 is a number that stands for the largest one where it is 2^53-1.
  return String(exact === 2n ** 63n - 1n ? 2n ** 53n - 1n : exact)
}

const describeKafka = (
  fields: readonly KafkaField[],
  structs: ReadonlyMap<string, KafkaField[]>,
  version: number,
  flexible: string,
): Described[] =>
  fields
    .filter(field => inRange(parseVersions(field.versions), version))
    .map(field => {
      const element = field.type.replace(/^\[\]/, '')
      const isPrimitive = primitives.includes(element) || element === 'records'
      const isArray = element !== field.type
      const ownFlexible = field.flexibleVersions ?? flexible
      const inner = isPrimitive ? undefined : (field.fields ?? structs.get(element) ?? [])
      const kind = isArray ? '[]' : isPrimitive ? element : 'struct'
      return {
        name: lowerFirst(field.name),
        type: isArray ? `[]${isPrimitive ? element : 'struct'}` : kind,
        tag: inRange(parseVersions(field.taggedVersions ?? 'none'), version) ? (field.tag ?? -1) : -1,
        nullable: inRange(parseVersions(field.nullableVersions ?? 'none'), version),
        compact: inRange(parseVersions(ownFlexible), version),
        ignorable: String(field.ignorable) === 'true',
        // Kafka's generator takes a null without quotes for nothing said.
        default: defaultText(kind, field.default ?? undefined),
        fields: inner === undefined ? undefined : describeKafka(inner, structs, version, ownFlexible),
      }
    })

const describeOurs = (plan: Plan): Described[] => plan.fields.filter(field => !field.absent).map(describeField)

const describeField = (field: PlanField): Described => {
  const wire = (type: string): string => (type === 'int64Exact' ? 'int64' : type)
  const kind = field.kind === 'array' ? '[]' : wire(field.kind)
  return {
    name: field.name,
    type: field.kind === 'array' ? `[]${field.struct === undefined ? wire(field.element ?? '') : 'struct'}` : kind,
    tag: field.tag,
    nullable: field.nullable,
    compact: field.compact,
    ignorable: field.ignorable,
    default: field.default === null ? 'null' : defaultText(kind, field.default),
    fields: field.struct === undefined ? undefined : describeOurs(field.struct),
  }
}

/** Versions that Kafka serves: the newest one only when it is stable. */
const stableVersions = (schema: Schema, kafka: KafkaMessage, definitions: ReadonlyMap<string, KafkaMessage>) => {
  const { from, to } = parseVersions(kafka.validVersions)
  const request = definitions.get(schema.name.replace(/Response$/, 'Request'))
  return { from, to: request?.latestVersionUnstable === true ? to - 1 : to }
}

const definitions = readDefinitions()
const test = suite('schemas against Apache Kafka')

test.before(() => {
  const folder = kafkaJars()
  if (folder === undefined || !existsSync(folder)) skip('no Apache Kafka: scripts/kafka-fetch.mjs')
})

for (const schema of allSchemas) {
  test(`${schema.name} has the fields that Kafka gives it in every version`, () => {
    const kafka = definitions.get(schema.name)
    assert.ok(kafka !== undefined, `Kafka has no ${schema.name}`)
    assert.equal(schema.apiKey, kafka.apiKey)
    assert.equal(schema.versions, stableVersions(schema, kafka, definitions))
    const structs = new Map((kafka.commonStructs ?? []).map(struct => [struct.name, struct.fields]))
    for (const version of versionsOf(schema)) {
      const plan = planFor(schema, version)
      assert.is(plan.flexible, inRange(parseVersions(kafka.flexibleVersions), version), `flexible in ${version}`)
      const theirs = describeKafka(kafka.fields, structs, version, kafka.flexibleVersions)
      assert.equal(describeOurs(plan), theirs, `version ${version}`)
    }
  })
}

/** The names of what one of the jars defines, where `wanted` takes the file's name. */
const namesIn = (jar: string, wanted: RegExp): string[] => {
  const folder = kafkaJars() as string
  const file = readdirSync(folder).find(name => new RegExp(`^${jar}-\\d`).test(name)) as string
  return [...readZip(join(folder, file), entry => wanted.test(entry))].map(
    ([, content]) => parseDefinition(content).name,
  )
}

const ours = new Set(allSchemas.map(schema => schema.name))

test('no metadata record of Kafka is missing', () => {
  const names = namesIn('kafka-metadata', /^common\/metadata\/.*Record\.json$/)
  assert.ok(names.length > 20, `${names.length} records`)
  assert.equal(
    names.filter(name => !ours.has(name)),
    [],
  )
})

test('no record of classic and consumer groups is missing', () => {
  const names = namesIn('kafka-group-coordinator', /^common\/message\/(?!Share|Streams).*(Key|Value)\.json$/)
  assert.is(names.length, 20)
  assert.equal(
    names.filter(name => !ours.has(name)),
    [],
  )
})

test.run()
