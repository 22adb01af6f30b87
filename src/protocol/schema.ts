/**
 * The language in which messages are described: builders for fields, and the TypeScript types that follow from them.
 *
 * A schema is data. It says nothing about how bytes are read or written (`compile.ts` does), and it is the only place
 * where a field's versions, default and tag are written down. Field names are Kafka's with the first letter in lower
 * case; order is the order on the wire. Versions are text as Kafka writes them: `3+`, `0-12`, `5`, `none`.
 *
 * Rules, the same as Kafka's generator has: a field that a version lacks reads as its default; a field without a stated
 * default has 0, false, '', the zero uuid, an empty array or a struct of defaults. Writing a value other than the
 * default to a version that lacks the field is an error unless the field is `ignorable`. Tagged fields are
 * written only when they differ from the default. Before a struct that may be null stands 1, or -1 for null; in a
 * tagged field 1, or 0 for null.
 */

export interface VersionRange {
  readonly from: number
  readonly to: number
}

const NEVER: VersionRange = { from: 1, to: 0 }

/** Parses `3+`, `0-12`, `5`, `none`. */
export function parseVersions(text: string): VersionRange {
  if (text === 'none') return NEVER
  const match = /^(\d+)(\+|-(\d+))?$/.exec(text)
  if (match === null) throw new TypeError(`not a version range: '${text}'`)
  const from = Number(match[1])
  if (match[2] === '+') return { from, to: 32767 }
  return { from, to: match[3] === undefined ? from : Number(match[3]) }
}

export function inRange(range: VersionRange, version: number): boolean {
  return version >= range.from && version <= range.to
}

/** What a primitive type is in TypeScript. `int64` saturates at 2^53-1; `int64Exact` is the same bytes, exact. */
export interface Primitives {
  bool: boolean
  int8: number
  int16: number
  uint16: number
  int32: number
  uint32: number
  int64: number
  int64Exact: bigint
  float64: number
  string: string
  uuid: string
  bytes: Uint8Array
}

export type PrimitiveType = keyof Primitives

/** Record batches in a decoded message: not their bytes but where in the frame they lie. */
export interface RecordsRef {
  /** Offset in the frame (without its length prefix) of the first record byte. */
  readonly position: number
  readonly length: number
  /** The first min(61, length) bytes: a view, valid as long as the bytes that were decoded. */
  readonly header: Uint8Array
}

/** Bytes made here, or a range of a pinned native read. The same shape as a part of an answer in `src/net/net.ts`. */
export type Part = Uint8Array | { readonly handle: number; readonly from: number; readonly length: number }

/** Record batches to be written: bytes, or parts that together are the field's content. */
export type RecordsInput = Part | readonly Part[]

export type FieldKind = PrimitiveType | 'records' | 'struct' | 'array'

export interface FieldOptions {
  /** Versions in which the field may be null. */
  nullable?: string
  /** Versions in which the field is tagged; needs `tag`. */
  tagged?: string
  tag?: number
  default?: boolean | number | bigint | string | null
  ignorable?: boolean
  /** Versions in which strings, bytes and arrays are compact; only where it differs from the message's. */
  flexible?: string
}

type NoOptions = Record<never, never>

/** One field. The type parameters exist for the compiler alone: what reading yields, what writing takes. */
export interface Field<Read = unknown, Write = unknown, Optional extends boolean = boolean> {
  readonly kind: FieldKind
  readonly versions: VersionRange
  readonly nullable: VersionRange
  readonly tagged: VersionRange
  readonly tag: number
  /** undefined: none is stated, the type's own applies. */
  readonly default: boolean | number | bigint | string | null | undefined
  readonly ignorable: boolean
  readonly flexible: VersionRange | undefined
  /** Of a struct, and of an array of structs. */
  readonly fields: Fields | undefined
  /** Of an array of primitives. */
  readonly element: PrimitiveType | undefined
  readonly types?: { read: Read; write: Write; optional: Optional }
}

export interface Fields {
  readonly [name: string]: Field
}

type OrNull<Type, Options> = Options extends { nullable: string } ? Type | null : Type

/** May be left out when writing: it has a stated default, or a version that lacks it is no matter. */
type MayOmit<Options> = Options extends { default: unknown } | { ignorable: true } | { tagged: string } ? true : false

type ReadOf<F> = F extends Field<infer Read, unknown> ? Read : never
type WriteOf<F> = F extends Field<unknown, infer Write> ? Write : never

type OptionalNames<F extends Fields> = {
  [Name in keyof F]: F[Name] extends Field<unknown, unknown, true> ? Name : never
}[keyof F]

/** What decoding yields: every field is there, in every version. */
export type Decoded<F extends Fields> = { readonly [Name in keyof F]: ReadOf<F[Name]> }

/** What encoding takes: fields with a default, tagged and ignorable ones may be left out. */
export type Encodable<F extends Fields> = {
  readonly [Name in Exclude<keyof F, OptionalNames<F>>]: WriteOf<F[Name]>
} & { readonly [Name in OptionalNames<F>]?: WriteOf<F[Name]> | undefined }

function field(kind: FieldKind, versions: string, options: FieldOptions, more: Partial<Field> = {}): Field {
  return {
    kind,
    versions: parseVersions(versions),
    nullable: parseVersions(options.nullable ?? 'none'),
    tagged: parseVersions(options.tagged ?? 'none'),
    tag: options.tag ?? -1,
    default: options.default,
    ignorable: options.ignorable ?? false,
    flexible: options.flexible === undefined ? undefined : parseVersions(options.flexible),
    fields: undefined,
    element: undefined,
    ...more,
  }
}

type PrimitiveField<Type extends PrimitiveType, Options> = Field<
  OrNull<Primitives[Type], Options>,
  OrNull<Primitives[Type], Options>,
  MayOmit<Options>
>

function primitive<Type extends PrimitiveType>(type: Type) {
  return <const Options extends FieldOptions = NoOptions>(
    versions: string,
    options?: Options,
  ): PrimitiveField<Type, Options> => field(type, versions, options ?? {}) as PrimitiveField<Type, Options>
}

export const bool = primitive('bool')
export const int8 = primitive('int8')
export const int16 = primitive('int16')
export const uint16 = primitive('uint16')
export const int32 = primitive('int32')
export const uint32 = primitive('uint32')
/** A number that saturates at ±(2^53-1) when read; 2^53-1 is written as the largest int64. */
export const int64 = primitive('int64')
/** A bigint: for what must come back bit by bit. */
export const int64Exact = primitive('int64Exact')
export const float64 = primitive('float64')
export const string = primitive('string')
/** 22 characters of base64url. */
export const uuid = primitive('uuid')
export const bytes = primitive('bytes')

/** Record batches: read as a `RecordsRef`, written from bytes or parts. */
export function records<const Options extends FieldOptions = NoOptions>(versions: string, options?: Options) {
  return field('records', versions, options ?? {}) as Field<
    OrNull<RecordsRef, Options>,
    OrNull<RecordsInput, Options>,
    MayOmit<Options>
  >
}

export function struct<const F extends Fields, const Options extends FieldOptions = NoOptions>(
  versions: string,
  fields: F,
  options?: Options,
) {
  return field('struct', versions, options ?? {}, { fields }) as Field<
    OrNull<Decoded<F>, Options>,
    OrNull<Encodable<F>, Options>,
    MayOmit<Options>
  >
}

type ElementRead<E> = E extends PrimitiveType ? Primitives[E] : E extends Fields ? Decoded<E> : never
type ElementWrite<E> = E extends PrimitiveType ? Primitives[E] : E extends Fields ? Encodable<E> : never

/** An array of a primitive (`array('0+', 'int32')`) or of structs (`array('0+', { name: string('0+') })`). */
export function array<const E extends PrimitiveType | Fields, const Options extends FieldOptions = NoOptions>(
  versions: string,
  element: E,
  options?: Options,
) {
  const more: Partial<Field> = typeof element === 'string' ? { element } : { fields: element as Fields }
  return field('array', versions, options ?? {}, more) as Field<
    OrNull<readonly ElementRead<E>[], Options>,
    OrNull<readonly ElementWrite<E>[], Options>,
    MayOmit<Options>
  >
}

export interface Schema<F extends Fields = Fields> {
  /** Kafka's name: `ProduceRequest`, `TopicRecord`. */
  readonly name: string
  /** Of an API or a record; undefined where Kafka gives none. */
  readonly apiKey: number | undefined
  readonly versions: VersionRange
  readonly flexible: VersionRange
  readonly fields: F
}

/** A message: `message('ProduceRequest', { apiKey: 0, versions: '3-13', flexible: '9+' }, { ... })`. */
export function message<const F extends Fields>(
  name: string,
  options: { apiKey?: number; versions: string; flexible: string },
  fields: F,
): Schema<F> {
  return {
    name,
    apiKey: options.apiKey,
    versions: parseVersions(options.versions),
    flexible: parseVersions(options.flexible),
    fields,
  }
}

/** The type of a decoded message. */
export type Message<S> = S extends Schema<infer F> ? Decoded<F> : never
/** The type of a message to be encoded. */
export type MessageInput<S> = S extends Schema<infer F> ? Encodable<F> : never
