/**
 * Compiles a plan into a function that reads one struct. Every object it makes has all fields of the schema, in the
 * schema's order, so all messages of a type have one shape.
 */
import type { Plan, PlanField } from './plan.ts'
import { minimumElementBytes } from './plan.ts'
import { ProtocolError } from './protocol-error.ts'
import type { Reader } from './reader.ts'
import type { PrimitiveType } from './schema.ts'

export type ReadFunction = (reader: Reader) => unknown

/** The function that reads a struct of this plan. */
export function compileRead(plan: Plan): ReadFunction {
  const names = plan.fields.map(field => field.name)
  const reads = plan.fields.map(field =>
    field.absent || field.tag >= 0 ? () => field.default : readerOfField(plan, field),
  )
  const readTags = plan.flexible ? compileTags(plan) : undefined
  const count = names.length
  return reader => {
    const value: Record<string, unknown> = {}
    for (let index = 0; index < count; index++) value[names[index]!] = reads[index]!(reader)
    if (readTags !== undefined) readTags(reader, value)
    return value
  }
}

/** Reads the tagged fields into `value`; what it does not know is passed over. */
function compileTags(plan: Plan): (reader: Reader, value: Record<string, unknown>) => void {
  const known = new Map(plan.tagged.map(field => [field.tag, { field, read: readerOfField(plan, field) }]))
  return (reader, value) => {
    for (let left = reader.uvarint(); left > 0; left--) {
      const tag = reader.uvarint()
      const size = reader.uvarint()
      const end = reader.take(size) + size
      const entry = known.get(tag)
      if (entry === undefined) continue
      reader.position = end - size
      value[entry.field.name] = entry.read(reader)
      if (reader.position !== end) {
        throw new ProtocolError(`${plan.path}.${entry.field.name} does not fill the ${size} bytes of its tag`)
      }
    }
  }
}

function readerOfField(plan: Plan, field: PlanField): ReadFunction {
  const read = readerOfType(field)
  if (field.nullable) return read
  return reader => {
    const value = read(reader)
    if (value === null)
      throw new ProtocolError(`${plan.path}.${field.name} is null, which version ${plan.version} forbids`)
    return value
  }
}

function readerOfType(field: PlanField): ReadFunction {
  const { compact } = field
  switch (field.kind) {
    case 'array':
      return readerOfArray(field)
    case 'struct': {
      const read = compileRead(field.struct!)
      if (!field.nullable) return read
      if (field.tag >= 0) return reader => (reader.uvarint() === 0 ? null : read(reader))
      return reader => (reader.int8() < 0 ? null : read(reader))
    }
    case 'records':
      return compact ? reader => reader.records(reader.uvarint() - 1) : reader => reader.records(reader.int32())
    default:
      return readerOfPrimitive(field.kind, compact)
  }
}

function readerOfPrimitive(type: PrimitiveType, compact: boolean): ReadFunction {
  switch (type) {
    case 'string':
      return compact ? reader => reader.compactString() : reader => reader.string()
    case 'bytes':
      return compact ? reader => reader.copy(reader.uvarint() - 1) : reader => reader.copy(reader.int32())
    default:
      return reader => reader[type]()
  }
}

function readerOfArray(field: PlanField): ReadFunction {
  const elementBytes = minimumElementBytes(field)
  const element = field.struct === undefined ? readerOfElement(field) : compileRead(field.struct)
  const { compact } = field
  return reader => {
    const count = reader.count(compact ? reader.uvarint() - 1 : reader.int32(), elementBytes)
    if (count < 0) return null
    const values: unknown[] = []
    for (let index = 0; index < count; index++) values.push(element(reader))
    return values
  }
}

function readerOfElement(field: PlanField): ReadFunction {
  const read = readerOfPrimitive(field.element!, field.compact)
  return reader => {
    const value = read(reader)
    if (value === null) throw new ProtocolError(`an element of ${field.name} is null`)
    return value
  }
}
