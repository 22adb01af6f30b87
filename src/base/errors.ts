/**
 * The base of every error class of this library: one class to catch, a stable `code` to switch
 * on, `cause` to the bottom.
 */

export class OdradekError extends Error {
  /** Stable text: `ERR_PROTOCOL`, `ERR_CONFIG`. The message may change between releases, this may not. */
  readonly code: string

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.name = new.target.name
  }
}
