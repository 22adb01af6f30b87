/** Runs a skim program as the table in native/reactor/src/skim.rs says: a plain second form, for tests. */

export interface SkimmedFrame {
  readonly bytes: Uint8Array
  readonly elisions: { at: number; position: number; length: number }[]
}

const KEPT = 61

/** Copies `frame` without its record bytes. Throws a RangeError when it does not fit the program. */
export const runSkim = (program: Uint8Array, frame: Uint8Array): SkimmedFrame => {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length)
  const kept: number[] = []
  const elisions: SkimmedFrame['elisions'] = []
  let at = 0
  let keptFrom = 0

  const skip = (length: number): void => {
    if (length > frame.length - at) throw new RangeError('the frame is too short')
    at += length
  }
  const uvarint = (): number => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = view.getUint8(at++)
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
  }
  const int32 = (): number => {
    skip(4)
    return view.getInt32(at - 4)
  }
  const int16 = (): number => {
    skip(2)
    return view.getInt16(at - 2)
  }
  const keep = (to: number): void => {
    for (let index = keptFrom; index < to; index++) kept.push(frame[index] as number)
  }
  const records = (length: number): void => {
    if (length < 0) return
    const position = at
    skip(length)
    elisions.push({ at: kept.length + position - keptFrom, position, length })
    if (length > KEPT) {
      keep(position + KEPT)
      keptFrom = at
    }
  }

  /** Runs from `next` to the operation that ends the body, and returns the index behind it. */
  const body = (next: number, dry: boolean): number => {
    for (;;) {
      const op = program[next++]
      switch (op) {
        case 0:
        case 8:
        case 13:
          return next
        case 1: {
          let size = 0
          for (let shift = 0; ; shift += 7) {
            const byte = program[next++] as number
            size |= (byte & 127) << shift
            if (byte < 128) break
          }
          if (!dry) skip(size)
          break
        }
        case 6:
        case 7: {
          const count = dry ? 0 : op === 6 ? int32() : uvarint() - 1
          for (let left = count; left > 0; left--) body(next, false)
          next = body(next, true)
          break
        }
        case 12: {
          const isNull = dry || view.getInt8(at++) < 0
          next = body(next, isNull)
          break
        }
        default:
          if (!dry) scalar(op as number)
      }
    }
  }
  const scalar = (op: number): void => {
    if (op === 2) skip(Math.max(0, int16()))
    else if (op === 3 || op === 5) skip(Math.max(0, uvarint() - 1))
    else if (op === 4) skip(Math.max(0, int32()))
    else if (op === 10) records(int32())
    else if (op === 11) records(uvarint() - 1)
    else if (op === 9) {
      for (let left = uvarint(); left > 0; left--) {
        uvarint()
        skip(uvarint())
      }
    } else throw new TypeError(`unknown opcode ${op}`)
  }

  body(0, false)
  keep(frame.length)
  return { bytes: Uint8Array.from(kept), elisions }
}
