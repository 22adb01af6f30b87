/**
 * Request and response headers, and whole frames (without their length prefix).
 *
 * Flexible versions of an API have request header 2 and response header 1, others 1 and 0; ApiVersions answers always
 * with response header 0. Header 2 keeps the client id in the old form of a string.
 */
import type { Api } from './api.ts'
import { readerFor, writerFor } from './compile.ts'
import { ProtocolError } from './protocol-error.ts'
import type { Reader } from './reader.ts'
import { findApi } from './registry.ts'
import type { Decoded, Encodable, Fields, Message, Part } from './schema.ts'
import { inRange, int16, int32, message, string } from './schema.ts'
import type { Writer } from './writer.ts'

const API_VERSIONS = 18

export const requestHeader = message(
  'RequestHeader',
  { versions: '1-2', flexible: '2+' },
  {
    requestApiKey: int16('0+'),
    requestApiVersion: int16('0+'),
    correlationId: int32('0+'),
    clientId: string('1+', { nullable: '1+', flexible: 'none' }),
  },
)

export const responseHeader = message(
  'ResponseHeader',
  { versions: '0-1', flexible: '1+' },
  { correlationId: int32('0+') },
)

export type RequestHeader = Message<typeof requestHeader>

export function requestHeaderVersion(api: Api, version: number): number {
  return inRange(api.request.flexible, version) ? 2 : 1
}

export function responseHeaderVersion(api: Api, version: number): number {
  return api.key !== API_VERSIONS && inRange(api.response.flexible, version) ? 1 : 0
}

/**
 * Reads the header of any request whose API key is known; its version may be one that nobody serves. An unknown key is
 * a ProtocolError, since the header's own form depends on it.
 */
export function readRequestHeader(reader: Reader): RequestHeader {
  const at = reader.position
  const api = findApi(reader.int16())
  if (api === undefined) throw new ProtocolError('unknown API key')
  const version = reader.int16()
  reader.position = at
  return readerFor(requestHeader, requestHeaderVersion(api, version))(reader)
}

/** A whole answer, as `Connection.reply` takes it. */
export function encodeResponse<Response extends Fields>(
  writer: Writer,
  api: Api<Fields, Response>,
  version: number,
  correlationId: number,
  response: Encodable<Response>,
): Part[] {
  const write = writerFor(api.response, version)
  writer.begin()
  writerFor(responseHeader, responseHeaderVersion(api, version))(writer, { correlationId })
  write(writer, response)
  return writer.finish()
}

/** A whole request, for the other side of a connection. */
export function encodeRequest<Request extends Fields>(
  writer: Writer,
  api: Api<Request, Fields>,
  version: number,
  header: { correlationId: number; clientId: string | null },
  request: Encodable<Request>,
): Part[] {
  const write = writerFor(api.request, version)
  writer.begin()
  writerFor(requestHeader, requestHeaderVersion(api, version))(writer, {
    requestApiKey: api.key,
    requestApiVersion: version,
    correlationId: header.correlationId,
    clientId: header.clientId,
  })
  write(writer, request)
  return writer.finish()
}

/** The correlation id of an answer; `decodeResponse` reads the rest. */
export function peekCorrelationId(bytes: Uint8Array): number {
  if (bytes.length < 4) throw new ProtocolError('an answer of less than four bytes')
  return (bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!
}

/** A whole answer to a request of this API and version. */
export function decodeResponse<Response extends Fields>(
  reader: Reader,
  api: Api<Fields, Response>,
  version: number,
): { correlationId: number; response: Decoded<Response> } {
  const { correlationId } = readerFor(responseHeader, responseHeaderVersion(api, version))(reader)
  return { correlationId, response: readerFor(api.response, version)(reader) }
}
