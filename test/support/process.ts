/**
 * Programs started by tests. Every child is remembered and killed, by its own id, when the test process ends; no
 * program outlives the test that started it.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'

const children = new Set<ChildProcess>()

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

export interface Finished {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface RunOptions {
  input?: string | Uint8Array
  /** stdin stays open after `input`; whoever started the program writes to it and ends it. */
  keepInput?: boolean
  env?: Record<string, string | undefined>
  cwd?: string
  /** The program is killed after this long, and the promise rejects. Default 60 s. */
  timeoutMs?: number
}

/** A running program: its output so far, its end. */
export interface Running {
  readonly child: ChildProcess
  readonly pid: number
  stdout(): string
  stderr(): string
  /**
   * Resolves when the pattern occurs in stdout or stderr; rejects when the program ends first, or after `timeoutMs`.
   */
  sees(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>
  /** Sends the signal and resolves when the program has ended. */
  kill(signal?: NodeJS.Signals): Promise<Finished>
  readonly finished: Promise<Finished>
}

export const startProgram = (command: string, args: readonly string[], options: RunOptions = {}): Running => {
  const spawnOptions: SpawnOptions = { stdio: ['pipe', 'pipe', 'pipe'] }
  if (options.cwd !== undefined) spawnOptions.cwd = options.cwd
  spawnOptions.env = { ...process.env, ...options.env } as NodeJS.ProcessEnv
  const child = spawn(command, args, spawnOptions)
  children.add(child)
  let stdout = ''
  let stderr = ''
  const listeners = new Set<() => void>()
  const heard = (): void => {
    for (const listener of [...listeners]) listener()
  }
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk
    heard()
  })
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
    heard()
  })
  // A program may end before it has read its input.
  child.stdin?.on('error', () => {})
  if (options.keepInput) child.stdin?.write(options.input ?? '')
  else child.stdin?.end(options.input ?? '')

  let ended: Finished | undefined
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', error => {
      children.delete(child)
      reject(error)
    })
    child.on('close', (code, signal) => {
      children.delete(child)
      ended = { code, signal, stdout, stderr }
      resolve(ended)
      heard()
    })
  })
  finished.catch(() => {})

  return {
    child,
    pid: child.pid ?? -1,
    stdout: () => stdout,
    stderr: () => stderr,
    sees: (pattern, timeoutMs = 30_000) =>
      new Promise((resolve, reject) => {
        const stop = (): void => {
          clearTimeout(timer)
          listeners.delete(look)
        }
        const timer = setTimeout(() => {
          stop()
          reject(new Error(`${command}: ${pattern} not seen within ${timeoutMs} ms in:\n${stdout}\n${stderr}`))
        }, timeoutMs)
        const look = (): void => {
          const match = stdout.match(pattern) ?? stderr.match(pattern)
          if (match === null && ended === undefined) return
          stop()
          if (match !== null) resolve(match)
          else
            reject(
              new Error(`${command} ended (${ended?.signal ?? ended?.code}) before ${pattern}:\n${stdout}\n${stderr}`),
            )
        }
        listeners.add(look)
        look()
      }),
    kill: async (signal = 'SIGTERM') => {
      // Not child.kill: under Deno a child that was sent a signal that way counts as ended by it, whatever it returned.
      if (ended === undefined && child.exitCode === null && child.pid !== undefined) process.kill(child.pid, signal)
      return finished
    },
    finished,
  }
}

/** Runs a program to its end. Never rejects for a non-zero exit code; rejects when it can't start or takes too long. */
export const runProgram = async (
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> => {
  const running = startProgram(command, args, options)
  const timeoutMs = options.timeoutMs ?? 60_000
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      running.child.kill('SIGKILL')
      reject(new Error(`${command} did not end within ${timeoutMs} ms:\n${running.stdout()}\n${running.stderr()}`))
    }, timeoutMs)
  })
  try {
    return await Promise.race([running.finished, late])
  } finally {
    clearTimeout(timer)
  }
}
