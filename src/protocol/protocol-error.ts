/** What decoding throws when bytes break the protocol, and encoding when a value does not fit the version. */
import { OdradekError } from '../base/errors.ts'

/** The connection that sent such bytes is closed: after it nothing on the connection can be understood. */
export class ProtocolError extends OdradekError {
  constructor(message: string) {
    super('ERR_PROTOCOL', message)
  }
}
