/**
 * The native runtime of this environment: the engine's and the reactor's commands, the drain of
 * their news, and its life.
 *
 * Invariants: one shared runtime an environment, counted; a manual one belongs to who opened it. At the end of the
 * process every dirty log is flushed, bounded in time.
 */
import type { Host } from '../host/host.ts'
import { SocketCommands } from './socket-commands.ts'
import type { Runtime } from './types.ts'

export { ListenError } from './socket-commands.ts'

/** How long the end of the process waits for the disk. */
const EXIT_FLUSH_MS = 10_000

let shared: NativeRuntime | undefined

export class NativeRuntime extends SocketCommands implements Runtime {
  #holders = 0
  readonly #removeExitListener: () => void

  /** The environment's runtime, started if need be; with `manual` one of its own. Each needs one `close`. */
  static open(options: { host: Host; manual?: boolean }): NativeRuntime {
    const runtime = options.manual
      ? new NativeRuntime(options.host, true)
      : (shared ??= new NativeRuntime(options.host, false))
    runtime.#holders++
    return runtime
  }

  private constructor(host: Host, manual: boolean) {
    super(host, manual)
    this.#removeExitListener = manual ? () => {} : host.process.onExit(() => void this.flushSync(EXIT_FLUSH_MS))
    // The first drain parks the runtime, so that the first news wakes it.
    this.drain()
  }

  close(): Promise<void> {
    if (--this.#holders === 0) {
      if (shared === this) shared = undefined
      this.#removeExitListener()
      this.end()
    }
    return Promise.resolve()
  }
}
