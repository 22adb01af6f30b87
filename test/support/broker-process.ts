/**
 * A broker as a real process, started as a user starts it: the CLI, built or from sources like the test itself, in the
 * runtime that runs the test.
 */
import { inRepository } from './paths.ts'
import { type Finished, type Running, startProgram } from './process.ts'

export interface BrokerProcess {
  readonly port: number
  readonly pid: number
  readonly running: Running
  /** SIGTERM, and the end of the process. */
  stop(): Promise<Finished>
  /** kill -9, and the end of the process. */
  kill(): Promise<Finished>
}

const runArguments = (): string[] => (process.versions.deno === undefined ? [] : ['run', '-A', '--no-check'])

/** The command that runs `odradek` in this test's runtime. */
export const odradekCommand = (): [program: string, args: string[]] => {
  const built = !import.meta.url.endsWith('.ts')
  return [process.execPath, [...runArguments(), inRepository(built ? 'dist/src/cli/main.js' : 'src/cli/main.ts')]]
}

/** Configs as the command line takes them. */
export const settingsArguments = (settings: Readonly<Record<string, string | number>>): string[] =>
  Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`])

interface StartOptions {
  readonly args?: readonly string[]
  /** Configs of the broker. */
  readonly settings?: Readonly<Record<string, string | number>>
  readonly env?: Record<string, string>
  readonly timeoutMs?: number
}

/** Resolves when the broker says that it listens. */
export const startBrokerProcess = (dir: string, options: StartOptions = {}): Promise<BrokerProcess> => {
  const args = ['--host', '127.0.0.1', '--port', '0', '--dir', dir, ...(options.args ?? [])]
  return serveProcess({ ...options, args })
}

/** The same with nothing but the arguments given, which make it listen on 127.0.0.1. */
export const serveProcess = async (options: StartOptions): Promise<BrokerProcess> => {
  const [program, args] = odradekCommand()
  const given = [...(options.args ?? []), ...settingsArguments(options.settings ?? {})]
  const running = startProgram(program, [...args, 'serve', ...given], {
    env: { ODRADEK_LOG_FORMAT: 'json', ...options.env },
  })
  const [, port] = await running.sees(/listening on 127\.0\.0\.1:(\d+)/, options.timeoutMs ?? 30_000)
  return {
    port: Number(port),
    pid: running.pid,
    running,
    stop: () => running.kill('SIGTERM'),
    kill: () => running.kill('SIGKILL'),
  }
}
