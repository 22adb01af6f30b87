/** Finds where in an encoded message the lengths and counts stand: a second, plain reading of the wire format. */
import type { Plan, PlanField } from '../../src/protocol/plan.ts'
import { fixedBytes } from '../../src/protocol/plan.ts'
import type { FieldKind } from '../../src/protocol/schema.ts'

export interface LengthField {
  name: string
  at: number
  width: number
  form: 'int16' | 'int32' | 'uvarint'
}

export const lengthFieldsOf = (plan: Plan, bytes: Uint8Array): LengthField[] => {
  const walk = new Walk(bytes)
  walk.struct(plan)
  if (walk.at !== bytes.length) throw new Error(`walked ${walk.at} of ${bytes.length} bytes`)
  return walk.found
}

class Walk {
  at = 0
  readonly found: LengthField[] = []
  private readonly view: DataView

  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  struct(plan: Plan): void {
    for (const field of plan.fields) {
      if (!field.absent && field.tag < 0) this.field(field)
    }
    if (!plan.flexible) return
    const name = `${plan.path} tags`
    for (let left = this.length(name, 'uvarint'); left > 0; left--) {
      const tag = this.uvarint()
      const size = this.length(`${name} size`, 'uvarint')
      const field = plan.tagged.find(candidate => candidate.tag === tag)
      if (field === undefined) this.at += size
      else this.field(field)
    }
  }

  private field(field: PlanField): void {
    if (field.kind === 'struct') {
      if (!field.nullable || this.view.getInt8(this.at++) >= 0) this.struct(field.struct!)
    } else if (field.kind === 'array') {
      for (let left = this.sized(field.name, 'array', field.compact); left > 0; left--) {
        if (field.struct === undefined) this.scalar(field.name, field.element!, field.compact)
        else this.struct(field.struct)
      }
    } else {
      this.scalar(field.name, field.kind, field.compact)
    }
  }

  private scalar(name: string, kind: FieldKind, compact: boolean): void {
    const length = fixedBytes(kind) ?? Math.max(0, this.sized(name, kind, compact))
    this.at += length
  }

  private sized(name: string, kind: FieldKind, compact: boolean): number {
    if (compact) return this.length(name, 'uvarint') - 1
    return this.length(name, kind === 'string' ? 'int16' : 'int32')
  }

  private length(name: string, form: LengthField['form']): number {
    const { at } = this
    let value: number
    if (form === 'uvarint') {
      value = this.uvarint()
    } else {
      value = form === 'int16' ? this.view.getInt16(at) : this.view.getInt32(at)
      this.at += form === 'int16' ? 2 : 4
    }
    this.found.push({ name, at, width: this.at - at, form })
    return value
  }

  private uvarint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.view.getUint8(this.at++)
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
  }
}
