/**
 * The same functions as `decode.ts` makes, but as generated JavaScript: fields of fixed size that stand side by side
 * are bounds-checked once, and an object is made in one piece. Used where the runtime permits code from strings;
 * nothing goes into the text but the names, tags and sizes of our own schemas.
 */
import type { ReadFunction } from './decode.ts'
import { internedUuid } from './interned.ts'
import type { Plan, PlanField } from './plan.ts'
import { fixedBytes, minimumElementBytes } from './plan.ts'
import { ProtocolError } from './protocol-error.ts'
import { exactLongAt, floatAt, longAt } from './reader.ts'
import type { FieldKind } from './schema.ts'

/** What generated code may call. */
const helpers = {
  long: longAt,
  exactLong: exactLongAt,
  float: floatAt,
  uuid: internedUuid,
  nullIn(plan: Plan, name: string): ProtocolError {
    return new ProtocolError(`${plan.path}.${name} is null, which version ${plan.version} forbids`)
  },
  notFilled(plan: Plan, size: number): ProtocolError {
    return new ProtocolError(`a tagged field of ${plan.path} does not fill the ${size} bytes of its tag`)
  },
}

/** The function that reads a struct of this plan. Throws where the runtime refuses generated code. */
export function generateRead(plan: Plan): ReadFunction {
  const source = new ReadSource(plan)
  const text = source.text()
  return new Function('plan', 'constants', 'helpers', text)(plan, source.constants, helpers) as ReadFunction
}

class ReadSource {
  /** Defaults that are objects, and the functions of nested structs. */
  readonly constants: unknown[] = []
  /** Declarations that stand before the function. */
  private readonly before: string[] = []
  private readonly plan: Plan

  constructor(plan: Plan) {
    this.plan = plan
  }

  text(): string {
    const { fields, tagged, flexible } = this.plan
    const inPlace = fields.filter(field => !field.absent && field.tag < 0)
    const body = [
      ...this.inPlace(inPlace),
      ...tagged.map(field => `let $${field.name} = ${this.default(field)}`),
      ...(flexible ? [this.tags()] : []),
    ]
    const properties = fields.map(field => `${field.name}: ${field.absent ? this.default(field) : `$${field.name}`}`)
    return `'use strict'
${this.before.join('\n')}
return function (reader) {
${body.join('\n')}
return { ${properties.join(', ')} }
}`
  }

  private inPlace(fields: readonly PlanField[]): string[] {
    const lines: string[] = []
    let run: string[] = []
    let runBytes = 0
    let runs = 0
    const endRun = (): void => {
      if (run.length > 0) lines.push(`const at${runs} = reader.take(${runBytes}), bytes${runs} = reader.bytes`, ...run)
      run = []
      runBytes = 0
      runs++
    }
    for (const field of fields) {
      const size = fixedBytes(field.kind)
      if (size === undefined) {
        endRun()
        lines.push(`const $${field.name} = ${this.value(field)}`, this.nullCheck(field))
      } else {
        run.push(`const $${field.name} = ${fixed(field.kind, `bytes${runs}`, `at${runs} + ${runBytes}`)}`)
        runBytes += size
      }
    }
    endRun()
    return lines
  }

  private tags(): string {
    const cases = this.plan.tagged.map(
      field => `case ${field.tag}:
reader.position = end - size
$${field.name} = ${this.value(field)}
${this.nullCheck(field)}
break`,
    )
    return `for (let left = reader.uvarint(); left > 0; left--) {
const tag = reader.uvarint(), size = reader.uvarint(), end = reader.take(size) + size
switch (tag) {
${cases.join('\n')}
default: continue
}
if (reader.position !== end) throw helpers.notFilled(plan, size)
}`
  }

  private nullCheck(field: PlanField): string {
    if (field.nullable || field.kind === 'struct' || fixedBytes(field.kind) !== undefined) return ''
    return `if ($${field.name} === null) throw helpers.nullIn(plan, '${field.name}')`
  }

  /** An expression that reads the field. */
  private value(field: PlanField): string {
    const length = lengthOf(field.compact)
    switch (field.kind) {
      case 'struct': {
        const read = `${this.constant(generateRead(field.struct!))}(reader)`
        if (!field.nullable) return read
        return field.tag < 0 ? `reader.int8() < 0 ? null : ${read}` : `reader.uvarint() === 0 ? null : ${read}`
      }
      case 'array':
        return `${this.array(field)}(reader)`
      case 'string':
        return `reader.${field.compact ? 'compactString' : 'string'}()`
      case 'bytes':
        return `reader.copy(${length})`
      case 'records':
        return `reader.records(${length})`
      default:
        return `reader.${field.kind}()`
    }
  }

  /** The name of a function that reads the array. */
  private array(field: PlanField): string {
    const name = `array${this.before.length}`
    this.before.push(`function ${name}(reader) {
const count = reader.count(${lengthOf(field.compact)}, ${minimumElementBytes(field)})
if (count < 0) return null
const values = []
${field.struct === undefined ? this.elements(field) : this.structs(field.struct)}
return values
}`)
    return name
  }

  private structs(plan: Plan): string {
    return `for (let left = count; left > 0; left--) values.push(${this.constant(generateRead(plan))}(reader))`
  }

  private elements(field: PlanField): string {
    const size = fixedBytes(field.element!)
    if (size !== undefined) {
      return `const from = reader.take(count * ${size}), bytes = reader.bytes
for (let at = from; at < from + count * ${size}; at += ${size}) values.push(${fixed(field.element!, 'bytes', 'at')})`
    }
    const read = this.value({ ...field, kind: field.element!, struct: undefined })
    return `for (let left = count; left > 0; left--) {
const value = ${read}
if (value === null) throw helpers.nullIn(plan, 'an element of ${field.name}')
values.push(value)
}`
  }

  private default(field: PlanField): string {
    const { default: value } = field
    if (typeof value === 'string') return JSON.stringify(value)
    if (typeof value === 'bigint') return `${value}n`
    return typeof value === 'object' && value !== null ? this.constant(value) : String(value)
  }

  private constant(value: unknown): string {
    const name = `constant${this.constants.length}`
    this.before.push(`const ${name} = constants[${this.constants.push(value) - 1}]`)
    return name
  }
}

function lengthOf(compact: boolean): string {
  return compact ? 'reader.uvarint() - 1' : 'reader.int32()'
}

/** An expression for a value of fixed size at `at` of `bytes`, which is known to be there. */
function fixed(kind: FieldKind, bytes: string, at: string): string {
  const byte = (index: number): string => `${bytes}[${at} + ${index}]`
  switch (kind) {
    case 'bool':
      return `${byte(0)} !== 0`
    case 'int8':
      return `${byte(0)} << 24 >> 24`
    case 'int16':
      return `(${byte(0)} << 24 | ${byte(1)} << 16) >> 16`
    case 'uint16':
      return `${byte(0)} << 8 | ${byte(1)}`
    case 'int32':
      return `${byte(0)} << 24 | ${byte(1)} << 16 | ${byte(2)} << 8 | ${byte(3)}`
    case 'uint32':
      return `(${byte(0)} << 24 | ${byte(1)} << 16 | ${byte(2)} << 8 | ${byte(3)}) >>> 0`
    case 'int64':
      return `helpers.long(${bytes}, ${at})`
    case 'int64Exact':
      return `helpers.exactLong(${bytes}, ${at})`
    case 'float64':
      return `helpers.float(${bytes}, ${at})`
    case 'uuid':
      return `helpers.uuid(${bytes}, ${at})`
    default:
      throw new TypeError(`${kind} has no fixed size`)
  }
}
