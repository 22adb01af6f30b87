/** A broker for crashes: known from the moment it is started, not only once it listens. */
import { odradekCommand, settingsArguments } from '../broker-process.ts'
import { inRepository } from '../paths.ts'
import { type Running, startProgram } from '../process.ts'
import { workloadSettings } from './workload.ts'

export interface Server {
  readonly running: Running
  /** Resolves to the port when it listens. */
  readonly listening: Promise<number>
}

export interface ServerOptions {
  /** `log.dirs`; the first has the metadata. */
  readonly dirs: readonly string[]
  readonly flush: 'group' | 'os'
  readonly settings?: Readonly<Record<string, string | number>>
  readonly env?: Readonly<Record<string, string>>
}

export const startServer = ({ dirs, flush, settings: more = {}, env = {} }: ServerOptions): Server => {
  const [program, args] = odradekCommand()
  const settings = { ...workloadSettings, ...more, 'log.dirs': dirs.join(',') }
  const configs = settingsArguments(settings)
  const serve = ['serve', '--host', '127.0.0.1', '--port', '0', '--flush', flush, ...configs]
  const running = startProgram(program, [...args, ...serve], {
    env: { ODRADEK_LOG_FORMAT: 'json', ODRADEK_LOG: 'warn', ...env },
  })
  const listening = running.sees(/listening on 127\.0\.0\.1:(\d+)/, 60_000).then(([, port]) => Number(port))
  // It may be ended before it listens.
  listening.catch(() => {})
  return { running, listening }
}

/** The same in a program that goes on when its broker can't (host-program.ts): it ends when its input does. */
export const startEmbedded = ({ dirs, flush, env = {} }: ServerOptions): Server => {
  const [program, [...args]] = odradekCommand()
  args.pop()
  const built = !import.meta.url.endsWith('.ts')
  const folder = built ? 'dist/test/support/crash' : 'test/support/crash'
  const options = { dir: dirs.join(','), flush, config: workloadSettings }
  const script = inRepository(folder, `host-program.${built ? 'js' : 'ts'}`)
  const running = startProgram(program, [...args, script, JSON.stringify(options)], {
    env: { ...env },
    keepInput: true,
  })
  const listening = running.sees(/listening on 127\.0\.0\.1:(\d+)/, 60_000).then(([, port]) => Number(port))
  listening.catch(() => {})
  return { running, listening }
}
