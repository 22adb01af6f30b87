/**
 * What a schema comes to in one version: which fields are there, in what form, and with which defaults. Both directions
 * and the skim programs are compiled from plans, so each rule about versions stands here once.
 */
import { ZERO_UUID } from '../base/uuid.ts'
import type { Field, FieldKind, Fields, PrimitiveType, VersionRange } from './schema.ts'
import { inRange } from './schema.ts'

export interface PlanField {
  readonly name: string
  readonly kind: FieldKind
  /**
   * What a decoder yields when the field is not there, and what an encoder need not write.
   * Frozen where it is an object.
   */
  readonly default: unknown
  /** Not on the wire in this version. */
  readonly absent: boolean
  /** Absent, and it does no harm when a value gets lost. */
  readonly ignorable: boolean
  /** -1: an ordinary field, in its place. */
  readonly tag: number
  readonly nullable: boolean
  /** Lengths and counts are varints. */
  readonly compact: boolean
  readonly element: PrimitiveType | undefined
  readonly struct: Plan | undefined
}

export interface Plan {
  /** For messages of errors: `ProduceRequest.topicData`. */
  readonly path: string
  readonly version: number
  readonly flexible: boolean
  /** All fields of the schema, in its order. */
  readonly fields: readonly PlanField[]
  /** The tagged ones, by rising tag. */
  readonly tagged: readonly PlanField[]
  /** No value of this struct takes fewer bytes. */
  readonly minimumBytes: number
}

const EMPTY_ARRAY: readonly never[] = Object.freeze([])
const EMPTY_BYTES = new Uint8Array(0)

export function planOf(path: string, fields: Fields, version: number, flexible: VersionRange): Plan {
  const isFlexible = inRange(flexible, version)
  const planned = Object.entries(fields).map(([name, field]) => planField(path, name, field, version, flexible))
  return {
    path,
    version,
    flexible: isFlexible,
    fields: planned,
    tagged: planned.filter(field => !field.absent && field.tag >= 0).sort((a, b) => a.tag - b.tag),
    minimumBytes: planned.reduce((sum, field) => sum + minimumBytes(field), isFlexible ? 1 : 0),
  }
}

function planField(path: string, name: string, field: Field, version: number, flexible: VersionRange): PlanField {
  const struct =
    field.fields === undefined
      ? undefined
      : planOf(`${path}.${name}`, field.fields, version, field.flexible ?? flexible)
  const nullable = inRange(field.nullable, version)
  return {
    name,
    kind: field.kind,
    default: defaultOf(field, struct),
    absent: !inRange(field.versions, version),
    ignorable: field.ignorable,
    tag: inRange(field.tagged, version) ? field.tag : -1,
    nullable,
    compact: inRange(field.flexible ?? flexible, version),
    element: field.element,
    struct,
  }
}

function defaultOf(field: Field, struct: Plan | undefined): unknown {
  if (field.default !== undefined) return field.default
  switch (field.kind) {
    case 'bool':
      return false
    case 'int64Exact':
      return 0n
    case 'string':
      return ''
    case 'uuid':
      return ZERO_UUID
    case 'bytes':
      return EMPTY_BYTES
    case 'records':
      return null
    case 'array':
      return EMPTY_ARRAY
    case 'struct':
      return Object.freeze(Object.fromEntries(struct!.fields.map(child => [child.name, child.default])))
    default:
      return 0
  }
}

const FIXED: Partial<Record<FieldKind, number>> = {
  bool: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  int64Exact: 8,
  float64: 8,
  uuid: 16,
}

/** Bytes of a value of a type of fixed size; undefined: its size varies. */
export function fixedBytes(kind: FieldKind): number | undefined {
  return FIXED[kind]
}

function minimumBytes(field: PlanField): number {
  if (field.absent || field.tag >= 0) return 0
  if (field.kind === 'struct') return field.nullable ? 1 : field.struct!.minimumBytes
  return fixedBytes(field.kind) ?? lengthBytes(field.kind, field.compact)
}

/** No element of the array takes fewer bytes. At least 1, so that a count is bounded by the bytes that follow. */
export function minimumElementBytes(field: PlanField): number {
  if (field.struct !== undefined) return Math.max(1, field.struct.minimumBytes)
  return fixedBytes(field.element!) ?? lengthBytes(field.element!, field.compact)
}

function lengthBytes(kind: FieldKind, compact: boolean): number {
  if (compact) return 1
  return kind === 'string' ? 2 : 4
}

/** Whether the field tells a person why: its text may quote a client, whose strings leave no room for more. */
export function isExplanation(field: PlanField): boolean {
  return field.kind === 'string' && field.name === 'errorMessage'
}

/** Whether `value` is what a decoder would yield if the field were not there; undefined counts as left out. */
export function isDefault(field: PlanField, value: unknown): boolean {
  if (value === undefined || value === field.default) return true
  if (value === null || field.default === null) return false
  switch (field.kind) {
    case 'array':
    case 'bytes':
      return (value as ArrayLike<unknown>).length === 0
    case 'struct':
      return field.struct!.fields.every(child => isDefault(child, (value as Record<string, unknown>)[child.name]))
    default:
      return false
  }
}
