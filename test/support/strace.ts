/** strace attached to a running process: counts or disturbs its system calls until it is detached. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startProgram } from './process.ts'
import { temporaryFolder } from './temporary.ts'

export interface Attached {
  /** The calls seen so far, one a line. */
  lines(): string[]
  /** Ends the tracing; the traced process goes on. */
  detach(): Promise<string[]>
}

/** Attaches to every thread of `pid`; `args` are strace's own, as `-e inject=fdatasync:error=EIO`. */
export const attachStrace = async (pid: number, args: readonly string[]): Promise<Attached> => {
  const output = join(temporaryFolder('strace'), 'calls')
  const running = startProgram('strace', ['-f', '-p', `${pid}`, '-o', output, ...args])
  await running.sees(/attached/)
  const lines = (): string[] =>
    readFileSync(output, 'utf8')
      .split('\n')
      .filter(line => line !== '')
  return {
    lines,
    detach: async () => {
      await running.kill('SIGINT')
      return lines()
    },
  }
}
