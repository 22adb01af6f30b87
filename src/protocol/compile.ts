/**
 * The functions that read and write a message in one version, compiled when first asked for and kept with the schema:
 * generated code where the runtime permits it, closures elsewhere. Tests hold the two to be the same.
 */
import { compileRead } from './decode.ts'
import { compileWrite } from './encode.ts'
import { generateRead } from './generate-read.ts'
import { generateWrite } from './generate-write.ts'
import type { Plan } from './plan.ts'
import { planOf } from './plan.ts'
import { ProtocolError } from './protocol-error.ts'
import type { Reader } from './reader.ts'
import type { Decoded, Encodable, Fields, Schema } from './schema.ts'
import { inRange } from './schema.ts'
import type { Writer } from './writer.ts'

interface Compiled {
  readonly plan: Plan
  read: ((reader: Reader) => never) | undefined
  write: ((writer: Writer, value: never) => void) | undefined
}

let permits: boolean | undefined

/** `generated`, or `closures` where code from strings is forbidden (by a content security policy or a flag). */
function permitted<Compile>(generated: Compile, closures: Compile): Compile {
  permits ??= permitsGeneratedCode()
  return permits ? generated : closures
}

function permitsGeneratedCode(): boolean {
  try {
    return new Function('return true')() === true
  } catch {
    return false
  }
}

const compiled = new WeakMap<Schema, Compiled[]>()

function compiledOf(schema: Schema, version: number): Compiled {
  let versions = compiled.get(schema)
  if (versions === undefined) compiled.set(schema, (versions = []))
  const found = versions[version]
  if (found !== undefined) return found
  if (!inRange(schema.versions, version)) throw new ProtocolError(`${schema.name} has no version ${version}`)
  const plan = planOf(schema.name, schema.fields, version, schema.flexible)
  return (versions[version] = { plan, read: undefined, write: undefined })
}

/** What `schema` comes to in `version`. */
export function planFor(schema: Schema, version: number): Plan {
  return compiledOf(schema, version).plan
}

/** Reads `schema` in `version`. The function throws a ProtocolError on malformed bytes and ignores what follows. */
export function readerFor<F extends Fields>(schema: Schema<F>, version: number): (reader: Reader) => Decoded<F> {
  const entry = compiledOf(schema, version)
  entry.read ??= permitted(generateRead, compileRead)(entry.plan) as (reader: Reader) => never
  return entry.read
}

/** Writes `schema` in `version`. The function throws a ProtocolError when the value cannot be said in that version. */
export function writerFor<F extends Fields>(
  schema: Schema<F>,
  version: number,
): (writer: Writer, value: Encodable<F>) => void {
  const entry = compiledOf(schema, version)
  entry.write ??= permitted(generateWrite, compileWrite)(entry.plan) as (writer: Writer, value: never) => void
  return entry.write as (writer: Writer, value: Encodable<F>) => void
}
