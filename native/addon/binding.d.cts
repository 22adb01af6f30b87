import type { Binding } from '../../src/native/binding.ts'

declare const loaded: {
  readonly addon: Binding | undefined
  /** Why each file that was tried could not be loaded. */
  readonly failures: readonly string[]
  readonly platform: string
}
export = loaded
