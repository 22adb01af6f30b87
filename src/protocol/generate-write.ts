/**
 * The same functions as `encode.ts` makes, but as generated JavaScript: room for fields of fixed size that stand side
 * by side is made once. Used where the runtime permits code from strings; nothing goes into the text but the names,
 * tags and sizes of our own schemas.
 */
import type { WriteFunction } from './encode.ts'
import { nullRefused, versionRefused } from './encode.ts'
import { putInternedUuid } from './interned.ts'
import type { Plan, PlanField } from './plan.ts'
import { fixedBytes, isDefault, isExplanation } from './plan.ts'
import type { FieldKind } from './schema.ts'
import { putExactLong, putFloat, putLong } from './writer.ts'

/** What generated code may call. */
const helpers = {
  long: putLong,
  exactLong: putExactLong,
  float: putFloat,
  uuid: putInternedUuid,
  isDefault,
  nullRefused,
  versionRefused,
}

/** The function that writes a struct of this plan. Throws where the runtime refuses generated code. */
export function generateWrite(plan: Plan): WriteFunction {
  const source = new WriteSource(plan)
  const text = source.text()
  return new Function('plan', 'constants', 'helpers', text)(plan, source.constants, helpers) as WriteFunction
}

class WriteSource {
  /** Defaults that are objects, plan fields, and the functions of nested structs. */
  readonly constants: unknown[] = []
  /** Declarations that stand before the function. */
  private readonly before: string[] = []
  private readonly plan: Plan

  constructor(plan: Plan) {
    this.plan = plan
  }

  text(): string {
    const { fields, flexible } = this.plan
    const inPlace = fields.filter(field => !field.absent && field.tag < 0)
    const body = [
      ...fields.filter(field => field.absent && !field.ignorable).map(field => this.refusal(field)),
      ...this.inPlace(inPlace),
      ...(flexible ? this.tags() : []),
    ]
    return `'use strict'
${this.before.join('\n')}
return function (writer, value) {
${body.join('\n')}
}`
  }

  private refusal(field: PlanField): string {
    const constant = this.constant(field)
    return `if (value.${field.name} !== undefined && !helpers.isDefault(${constant}, value.${field.name})) throw helpers.versionRefused(plan, ${constant})`
  }

  private inPlace(fields: readonly PlanField[]): string[] {
    const lines: string[] = []
    let run: string[] = []
    let runBytes = 0
    let runs = 0
    const endRun = (): void => {
      if (run.length > 0)
        lines.push(`const at${runs} = writer.reserve(${runBytes}), bytes${runs} = writer.buffer`, ...run)
      run = []
      runBytes = 0
      runs++
    }
    for (const field of fields) {
      const size = fixedBytes(field.kind)
      if (size === undefined) endRun()
      lines.push(`let $${field.name} = value.${field.name}`, this.missing(field))
      if (size === undefined) {
        lines.push(this.write(field))
      } else {
        run.push(put(field.kind, `bytes${runs}`, `at${runs} + ${runBytes}`, `$${field.name}`))
        runBytes += size
      }
    }
    endRun()
    return lines
  }

  /** What happens when the object lacks the field, or has null where the version forbids it. */
  private missing(field: PlanField): string {
    const lines = [`if ($${field.name} === undefined) $${field.name} = ${this.default(field)}`]
    if (!field.nullable) {
      lines.push(`if ($${field.name} === null) throw helpers.nullRefused(plan, ${this.constant(field)})`)
    }
    return lines.join('\n')
  }

  private tags(): string[] {
    const { tagged } = this.plan
    if (tagged.length === 0) return ['writer.uvarint(0)']
    const differs = tagged.map(field => {
      const name = `$${field.name}`
      return `const ${name} = value.${field.name}
const has${name} = ${name} !== undefined && ${name} !== ${this.default(field)} && !helpers.isDefault(${this.constant(field)}, ${name})
if (has${name}) tagCount++`
    })
    const writes = tagged.map(field => {
      const name = `$${field.name}`
      const refused = field.nullable
        ? ''
        : `if (${name} === null) throw helpers.nullRefused(plan, ${this.constant(field)})`
      return `if (has${name}) {
${refused}
writer.uvarint(${field.tag})
const opened = writer.openSized()
${this.write(field)}
writer.closeSized(opened)
}`
    })
    return ['let tagCount = 0', ...differs, 'writer.uvarint(tagCount)', 'if (tagCount > 0) {', ...writes, '}']
  }

  /** Statements that write the local variable of the field; null only where the field may be null. */
  private write(field: PlanField): string {
    const name = `$${field.name}`
    if (!field.nullable) return this.writePresent(field, name)
    return `if (${name} === null) ${nullOf(field)}
else {
${this.writePresent(field, name)}
}`
  }

  private writePresent(field: PlanField, name: string): string {
    switch (field.kind) {
      case 'struct': {
        const write = `${this.constant(generateWrite(field.struct!))}(writer, ${name})`
        return field.nullable ? `writer.int8(1)\n${write}` : write
      }
      case 'array':
        return `writer.count(${name}.length, ${field.compact})
for (let index = 0; index < ${name}.length; index++) {
const element = ${name}[index]
${this.element(field)}
}`
      default:
        if (isExplanation(field)) return `writer.explanation(${name}, ${field.compact})`
        return scalar(field.kind, field.compact, name)
    }
  }

  private element(field: PlanField): string {
    if (field.struct !== undefined) return `${this.constant(generateWrite(field.struct))}(writer, element)`
    return scalar(field.element!, field.compact, 'element')
  }

  private default(field: PlanField): string {
    const { default: value } = field
    if (typeof value === 'string') return JSON.stringify(value)
    if (typeof value === 'bigint') return `${value}n`
    return typeof value === 'object' && value !== null ? this.constant(value) : String(value)
  }

  private constant(value: unknown): string {
    const known = this.constants.indexOf(value)
    if (known >= 0) return `constant${known}`
    const name = `constant${this.constants.length}`
    this.before.push(`const ${name} = constants[${this.constants.push(value) - 1}]`)
    return name
  }
}

function nullOf(field: PlanField): string {
  if (field.kind === 'struct') return field.tag < 0 ? 'writer.int8(-1)' : 'writer.uvarint(0)'
  if (field.kind === 'string' && !field.compact) return 'writer.int16(-1)'
  return `writer.count(-1, ${field.compact})`
}

function scalar(kind: FieldKind, compact: boolean, name: string): string {
  const size = fixedBytes(kind)
  if (size !== undefined) {
    return `{ const at = writer.reserve(${size}), bytes = writer.buffer
${put(kind, 'bytes', 'at', name)} }`
  }
  return `writer.${kind}(${name}, ${compact})`
}

/** Statements that put a value of fixed size at `at` of `bytes`, where there is room for it. */
function put(kind: FieldKind, bytes: string, at: string, value: string): string {
  const byte = (index: number, shift: number): string =>
    `${bytes}[${at} + ${index}] = ${shift === 0 ? value : `${value} >> ${shift}`}`
  switch (kind) {
    case 'bool':
      return `${bytes}[${at}] = ${value} ? 1 : 0`
    case 'int8':
      return byte(0, 0)
    case 'int16':
    case 'uint16':
      return [byte(0, 8), byte(1, 0)].join('; ')
    case 'int32':
    case 'uint32':
      return [byte(0, 24), byte(1, 16), byte(2, 8), byte(3, 0)].join('; ')
    case 'int64':
      return `helpers.long(${bytes}, ${at}, ${value})`
    case 'int64Exact':
      return `helpers.exactLong(${bytes}, ${at}, ${value})`
    case 'float64':
      return `helpers.float(${bytes}, ${at}, ${value})`
    case 'uuid':
      return `helpers.uuid(${bytes}, ${at}, ${value})`
    default:
      throw new TypeError(`${kind} has no fixed size`)
  }
}
