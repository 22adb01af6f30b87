/**
 * The command's log: to stderr, by level; lines for people on a terminal, JSON (pino's) anywhere else.
 *
 * Invariants: writes are synchronous, so nothing is lost when the process ends; results never go
 * here, they go to stdout.
 */
import { writeSync } from 'node:fs'
import { pino } from 'pino'
import { type Logger, type LogMethod, logText } from '../base/logger.ts'

const levels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof levels)[number]

export interface LogSettings {
  readonly level: LogLevel
  readonly format: 'pretty' | 'json'
}

/** From ODRADEK_LOG and ODRADEK_LOG_FORMAT; a text when one of them says something else than it may. */
export function logSettings(
  environment: Readonly<Record<string, string | undefined>>,
  terminal: boolean,
): LogSettings | string {
  const level = environment['ODRADEK_LOG'] || 'info'
  const format = environment['ODRADEK_LOG_FORMAT'] || (terminal ? 'pretty' : 'json')
  if (!levels.includes(level as LogLevel))
    return `ODRADEK_LOG=${level} is not allowed: must be one of ${levels.join(', ')}`
  if (format !== 'pretty' && format !== 'json') {
    return `ODRADEK_LOG_FORMAT=${format} is not allowed: must be pretty or json`
  }
  return { level: level as LogLevel, format }
}

const STDERR = 2

/** Writes whole lines to stderr; a reader that went away is no reason to fail. */
function writeLine(line: string): void {
  try {
    writeSync(STDERR, `${line}\n`)
  } catch {
    // Nobody reads any more.
  }
}

export function createLogger({ level, format }: LogSettings): Logger {
  if (format === 'json') return pino({ level, base: null }, pino.destination({ dest: STDERR, sync: true }))
  const least = levels.indexOf(level)
  const method = (name: LogLevel): LogMethod =>
    levels.indexOf(name) < least
      ? () => {}
      : (first: string | object, text?: string) => {
          writeLine(`${name.padEnd(5)} ${logText(first, text)}`)
        }
  return { debug: method('debug'), info: method('info'), warn: method('warn'), error: method('error') }
}
