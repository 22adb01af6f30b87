/**
 * What everything here logs with: pino's shape, so that a pino logger can be handed in as it is.
 *
 * Invariants: a text is one line in plain words; fields say whom or what it is about, and never repeat a secret.
 * Nothing below `warn` is printed unless the embedder (or the command) brings a logger.
 */

export interface LogMethod {
  (text: string): void
  (fields: object, text: string): void
}

export interface Logger {
  debug: LogMethod
  info: LogMethod
  warn: LogMethod
  error: LogMethod
}

/** Values that need no quotes. */
const plain = /^[\w.:/@+-]+$/

/** Longer values are cut: a client chooses how long its names are. */
const MAX_VALUE_LENGTH = 200

function valueText(value: unknown): string {
  const isObject = typeof value === 'object'
  let text = isObject
    ? JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? `${each}` : each))
    : String(value)
  if (text.length > MAX_VALUE_LENGTH) text = `${text.slice(0, MAX_VALUE_LENGTH)}…`
  const quoted = isObject || plain.test(text) ? text : JSON.stringify(text)
  // What a terminal could obey is spelled out: JSON does so with the control characters of ASCII only.
  return quoted.replace(/[\x7f-\x9f]/g, code => `\\u00${code.charCodeAt(0).toString(16)}`)
}

/** What a logger was given, for people: the text, its fields as `name=value`, and below them the stack of an error. */
export function logText(first: string | object, text?: string): string {
  if (typeof first === 'string') return first
  let line = text ?? ''
  let stack = ''
  for (const [name, value] of Object.entries(first)) {
    if (value instanceof Error) stack += `\n${value.stack ?? value.message}`
    else if (value !== undefined && value !== null) line += ` ${name}=${valueText(value)}`
  }
  return line + stack
}

function method(write: (line: string) => void, level: string): LogMethod {
  return (first: string | object, text?: string) => {
    write(`odradek ${level} ${logText(first, text)}`)
  }
}

const drop: LogMethod = () => {}

/** Says nothing. */
export const silentLogger: Logger = { debug: drop, info: drop, warn: drop, error: drop }

/** Warnings and errors to the console's error stream: the library's own when none is given. */
export const warningLogger: Logger = {
  debug: drop,
  info: drop,
  warn: method(line => console.error(line), 'warn'),
  error: method(line => console.error(line), 'error'),
}
