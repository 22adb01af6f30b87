/**
 * What everything here logs with: pino's shape, so that a pino logger can be handed in as it is.
 *
 * Invariants: a text is one line in plain words; fields are for machines and never repeat a secret. Nothing below `warn`
 * is printed unless the embedder (or the command) brings a logger.
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

function method(write: (line: string) => void, level: string): LogMethod {
  return (first: string | object, text?: string) => {
    write(`odradek ${level} ${typeof first === 'string' ? first : text}`)
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
