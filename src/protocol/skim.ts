/**
 * Compiles (direction, API, version) to the byte program by which the reactor copies a frame without its record bytes.
 * The table of opcodes stands in native/reactor/src/skim.rs; the reactor runs programs and knows no API.
 *
 * A program describes the whole frame without its length prefix, header included, in the order of the wire.
 */
import type { Api } from './api.ts'
import { planFor } from './compile.ts'
import { requestHeader, requestHeaderVersion, responseHeader, responseHeaderVersion } from './headers.ts'
import type { Plan, PlanField } from './plan.ts'
import { fixedBytes } from './plan.ts'
import type { FieldKind } from './schema.ts'

const Op = {
  end: 0,
  fixed: 1,
  string: 2,
  compactString: 3,
  bytes: 4,
  compactBytes: 5,
  array: 6,
  compactArray: 7,
  arrayEnd: 8,
  tags: 9,
  records: 10,
  compactRecords: 11,
  nullable: 12,
  nullableEnd: 13,
} as const

/** The program for requests, or for answers, of one version of an API. */
export function skimProgram(direction: 'request' | 'response', api: Api, version: number): Uint8Array {
  const program = new Program()
  if (direction === 'request') {
    program.struct(planFor(requestHeader, requestHeaderVersion(api, version)))
    program.struct(planFor(api.request, version))
  } else {
    program.struct(planFor(responseHeader, responseHeaderVersion(api, version)))
    program.struct(planFor(api.response, version))
  }
  return program.finish()
}

class Program {
  private readonly bytes: number[] = []
  /** Bytes of fixed size not yet written down: neighbours become one operation. */
  private fixed = 0

  finish(): Uint8Array {
    this.op(Op.end)
    return Uint8Array.from(this.bytes)
  }

  struct(plan: Plan): void {
    for (const field of plan.fields) {
      if (!field.absent && field.tag < 0) this.field(field)
    }
    if (plan.flexible) this.op(Op.tags)
  }

  private field(field: PlanField): void {
    switch (field.kind) {
      case 'array':
        this.op(field.compact ? Op.compactArray : Op.array)
        if (field.struct === undefined) this.scalar(field.element!, field.compact)
        else this.struct(field.struct)
        this.op(Op.arrayEnd)
        break
      case 'struct':
        if (field.nullable) this.op(Op.nullable)
        this.struct(field.struct!)
        if (field.nullable) this.op(Op.nullableEnd)
        break
      default:
        this.scalar(field.kind, field.compact)
    }
  }

  private scalar(kind: FieldKind, compact: boolean): void {
    const size = fixedBytes(kind)
    if (size !== undefined) this.fixed += size
    else if (kind === 'string') this.op(compact ? Op.compactString : Op.string)
    else if (kind === 'bytes') this.op(compact ? Op.compactBytes : Op.bytes)
    else this.op(compact ? Op.compactRecords : Op.records)
  }

  private op(code: number): void {
    if (this.fixed > 0) {
      this.bytes.push(Op.fixed)
      let size = this.fixed
      for (; size > 127; size >>>= 7) this.bytes.push((size & 127) | 128)
      this.bytes.push(size)
      this.fixed = 0
    }
    this.bytes.push(code)
  }
}
