/** Compiles a plan into a function that writes one struct. A field that the object lacks is written as its default. */
import type { Plan, PlanField } from './plan.ts'
import { isDefault, isExplanation } from './plan.ts'
import { ProtocolError } from './protocol-error.ts'
import type { PrimitiveType, RecordsInput } from './schema.ts'
import type { Writer } from './writer.ts'

type Write<Value> = (writer: Writer, value: Value) => void
type Struct = Record<string, unknown>
export type WriteFunction = Write<Struct>

/** The function that writes a struct of this plan. */
export function compileWrite(plan: Plan): WriteFunction {
  const inPlace = plan.fields
    .filter(field => !field.absent && field.tag < 0)
    .map(field => ({ field, write: writerOfField(plan, field) }))
  const refused = plan.fields.filter(field => field.absent && !field.ignorable)
  const writeTags = plan.flexible ? compileTags(plan) : undefined
  return (writer, value) => {
    for (const field of refused) {
      if (!isDefault(field, value[field.name])) throw versionRefused(plan, field)
    }
    for (const { field, write } of inPlace) {
      const given = value[field.name]
      write(writer, given === undefined ? field.default : given)
    }
    if (writeTags !== undefined) writeTags(writer, value)
  }
}

function compileTags(plan: Plan): Write<Struct> {
  const tagged = plan.tagged.map(field => ({ field, write: writerOfField(plan, field) }))
  return (writer, value) => {
    let count = 0
    for (const { field } of tagged) {
      if (!isDefault(field, value[field.name])) count++
    }
    writer.uvarint(count)
    if (count === 0) return
    for (const { field, write } of tagged) {
      const given = value[field.name]
      if (isDefault(field, given)) continue
      writer.uvarint(field.tag)
      const opened = writer.openSized()
      write(writer, given)
      writer.closeSized(opened)
    }
  }
}

/** A value that the version has no place for. */
export function versionRefused(plan: Plan, field: PlanField): ProtocolError {
  return new ProtocolError(`${plan.path}.${field.name} cannot be sent in version ${plan.version}`)
}

/** A null that the version has no form for. */
export function nullRefused(plan: Plan, field: PlanField): ProtocolError {
  return new ProtocolError(`${plan.path}.${field.name} may not be null in version ${plan.version}`)
}

function writerOfField(plan: Plan, field: PlanField): Write<unknown> {
  const write = writerOfType(field)
  const writeNull = field.nullable
    ? nullOf(field)
    : () => {
        throw nullRefused(plan, field)
      }
  return (writer, value) => {
    if (value === null) writeNull(writer)
    else write(writer, value)
  }
}

function nullOf(field: PlanField): (writer: Writer) => void {
  if (field.kind === 'struct') return field.tag < 0 ? writer => writer.int8(-1) : writer => writer.uvarint(0)
  if (field.kind === 'string' && !field.compact) return writer => writer.int16(-1)
  return writer => writer.count(-1, field.compact)
}

function writerOfType(field: PlanField): Write<unknown> {
  switch (field.kind) {
    case 'array':
      return writerOfArray(field)
    case 'struct': {
      const write = compileWrite(field.struct!)
      if (!field.nullable) return write as Write<unknown>
      return (writer, value) => {
        writer.int8(1)
        write(writer, value as Struct)
      }
    }
    case 'records':
      return (writer, value) => writer.records(value as RecordsInput, field.compact)
    default:
      if (isExplanation(field)) return (writer, value) => writer.explanation(value as string, field.compact)
      return writerOfPrimitive(field.kind, field.compact)
  }
}

function writerOfPrimitive(type: PrimitiveType, compact: boolean): Write<unknown> {
  switch (type) {
    case 'string':
      return (writer, value) => writer.string(value as string, compact)
    case 'bytes':
      return (writer, value) => writer.bytes(value as Uint8Array, compact)
    case 'uint16':
      return (writer, value) => writer.int16(value as number)
    case 'uint32':
      return (writer, value) => writer.int32(value as number)
    case 'bool':
      return (writer, value) => writer.bool(value as boolean)
    case 'int64Exact':
      return (writer, value) => writer.int64Exact(value as bigint)
    case 'uuid':
      return (writer, value) => writer.uuid(value as string)
    default:
      return (writer, value) => writer[type](value as number)
  }
}

function writerOfArray(field: PlanField): Write<unknown> {
  const element =
    field.struct === undefined
      ? writerOfPrimitive(field.element!, field.compact)
      : (compileWrite(field.struct) as Write<unknown>)
  return (writer, value) => {
    const values = value as readonly unknown[]
    writer.count(values.length, field.compact)
    for (let index = 0; index < values.length; index++) element(writer, values[index])
  }
}
