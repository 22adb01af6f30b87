/**
 * `odradek log dump | verify | repair`: looks into log directories, partition folders and files while no broker runs.
 *
 * Invariants: results go to stdout, lines for people or the engine's own JSON lines; what was in the way goes to
 * stderr. Only `repair --yes` writes to what it looks at. Memory is a chunk of lines, however large the files are.
 */
import { writeSync } from 'node:fs'
import { resolve } from 'node:path'
import { NativeBindingError } from '../native/index.ts'
import { inspect } from '../native/inspect.ts'
import type { InspectRequest } from '../native/types.ts'
import { ExitCode } from './exit-codes.ts'
import { decoded } from './log-decode.ts'
import { type LogLine, textOf } from './log-text.ts'

export interface DumpFlags {
  readonly records?: boolean
  readonly from?: number
  readonly to?: number
  readonly json?: boolean
}

export interface VerifyFlags {
  readonly deep?: boolean
  readonly json?: boolean
}

export interface RepairFlags {
  readonly yes?: boolean
  readonly acceptLoss?: boolean
  readonly json?: boolean
}

const STDOUT = 1
const STDERR = 2
/** How long a full pipe is left alone. */
const PIPE_MS = 2

const nothing: Omit<InspectRequest, 'mode' | 'paths'> = {
  deep: false,
  records: false,
  from: 0,
  to: Number.MAX_SAFE_INTEGER,
  acceptLoss: false,
}

/** All of the text, however slow its reader is; false when the reader went away. */
function put(channel: number, text: string): boolean {
  const bytes = new TextEncoder().encode(text)
  let written = 0
  while (written < bytes.length) {
    try {
      written += writeSync(channel, bytes, written)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      if (code !== 'EAGAIN') return false
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PIPE_MS)
    }
  }
  return true
}

/** Runs one inspection, each line to `line`, which answers what to print. Resolves to the exit code of a failure. */
function run(
  request: Omit<InspectRequest, 'paths'>,
  paths: readonly string[],
  line: (line: LogLine, raw: string) => string | undefined,
): number | undefined {
  if (paths.includes('')) {
    put(STDERR, 'error: a path is empty; the working directory is .\n')
    return ExitCode.usage
  }
  try {
    const failure = inspect({ ...request, paths: paths.map(path => resolve(path)) }, lines => {
      let text = ''
      for (const raw of lines.split('\n')) {
        if (raw === '') continue
        const printed = line(JSON.parse(raw) as LogLine, raw)
        if (printed !== undefined) text += `${printed}\n`
      }
      return put(STDOUT, text)
    })
    if (failure === undefined) return undefined
    put(STDERR, `error: ${failure}\n`)
  } catch (error) {
    if (!(error instanceof NativeBindingError)) throw error
    put(STDERR, `error: ${error.message}\n`)
  }
  return ExitCode.usage
}

/** A warning to stderr that a broker is at work there; true if the line was one. */
function isLock(line: LogLine): boolean {
  if (line.type !== 'locked') return false
  const whose = line.process === undefined ? 'a process' : `process ${line.process}`
  put(STDERR, `warning: ${whose} has ${line.root} open; what it is writing may look torn\n`)
  return true
}

/** Prints what the paths hold. */
export function logDump(paths: readonly string[], flags: DumpFlags): number {
  const request = { ...nothing, mode: 'dump', records: flags.records === true } as const
  const range = { from: flags.from ?? nothing.from, to: flags.to ?? nothing.to }
  const failed = run({ ...request, ...range }, paths, (line, raw) => {
    if (isLock(line)) return undefined
    const content = line.type === 'record' ? decoded(line) : undefined
    if (flags.json !== true) return textOf(line, content)
    return content === undefined ? raw : `${raw.slice(0, -1)},"decoded":${content}}`
  })
  return failed ?? ExitCode.done
}

/** Says what is wrong with the paths; 1 when anything is. */
export function logVerify(paths: readonly string[], flags: VerifyFlags): number {
  let wrong = false
  const failed = run({ ...nothing, mode: 'verify', deep: flags.deep === true }, paths, (line, raw) => {
    if (isLock(line)) return undefined
    wrong ||= line.type === 'finding' && line.severity !== 'note'
    return flags.json === true ? raw : textOf(line)
  })
  return failed ?? (wrong ? ExitCode.findings : ExitCode.done)
}

/** Says what it would do, or does it; 1 when something is left to do. */
export function logRepair(paths: readonly string[], flags: RepairFlags): number {
  const mode = flags.yes === true ? 'repair' : 'plan'
  let steps = 0
  let due = 0
  let left = 0
  let refused = false
  const failed = run({ ...nothing, mode, acceptLoss: flags.acceptLoss === true }, paths, (line, raw) => {
    if (isLock(line)) return undefined
    if (line.type === 'finding') left++
    if (line.type === 'step') steps++
    if (line.type === 'step' && line.refused) refused = true
    if (line.type === 'step' && (line.refused || mode === 'plan')) due++
    return flags.json === true ? raw : textOf(line)
  })
  if (failed !== undefined) return failed
  if (refused) put(STDERR, 'some steps take acknowledged records away: they need --accept-loss\n')
  if (mode === 'plan' && due > 0) put(STDERR, 'nothing was changed; --yes does it\n')
  if (steps === 0 && left === 0) put(STDERR, 'nothing to mend\n')
  return due + left > 0 ? ExitCode.findings : ExitCode.done
}
