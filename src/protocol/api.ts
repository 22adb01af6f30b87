/**
 * What one API is: its key and the two messages. One file per API under `apis/` makes one; `registry.ts` lists them.
 */
import type { Fields, Schema } from './schema.ts'

export interface Api<Request extends Fields = Fields, Response extends Fields = Fields> {
  readonly key: number
  /** Kafka's name without Request or Response: `Produce`. */
  readonly name: string
  readonly minVersion: number
  readonly maxVersion: number
  readonly request: Schema<Request>
  readonly response: Schema<Response>
}

/** Both messages must agree on key and versions. */
export function api<Request extends Fields, Response extends Fields>(
  request: Schema<Request>,
  response: Schema<Response>,
): Api<Request, Response> {
  const { from, to } = request.versions
  if (request.apiKey === undefined || request.apiKey !== response.apiKey) {
    throw new TypeError(`${request.name} and ${response.name} differ in their API key`)
  }
  if (from !== response.versions.from || to !== response.versions.to) {
    throw new TypeError(`${request.name} and ${response.name} differ in their versions`)
  }
  return {
    key: request.apiKey,
    name: request.name.replace(/Request$/, ''),
    minVersion: from,
    maxVersion: to,
    request,
    response,
  }
}
