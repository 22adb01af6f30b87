/**
 * The door to the native addon: the only file that imports it.
 *
 * Invariants: importing this file never fails; using an addon that could not be loaded throws `NativeBindingError`,
 * which says for which platform, why, and what to do.
 */
import loaded from '../../native/addon/binding.cjs'
import type { Binding } from './binding.ts'

/** There is no addon for this platform, or it could not be loaded. */
export class NativeBindingError extends Error {
  override readonly name = 'NativeBindingError'
  readonly code = 'ERR_ODRADEK_NATIVE_BINDING'
  readonly platform: string

  constructor(platform: string, failures: readonly string[]) {
    super(
      `The native addon for ${platform} could not be loaded (${failures.join('; ')}). ` +
        'Build it with `npm run build:native`, which needs a Rust toolchain and a C compiler, or name one with ODRADEK_NATIVE_PATH.',
    )
    this.platform = platform
  }
}

export function binding(): Binding {
  if (loaded.addon === undefined) throw new NativeBindingError(loaded.platform, loaded.failures)
  return loaded.addon
}
