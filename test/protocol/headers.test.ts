/** Headers: their versions, whose frames they open, and what an unknown API means. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { apiVersions } from '../../src/protocol/apis/18-api-versions.ts'
import { readerFor } from '../../src/protocol/compile.ts'
import {
  decodeResponse,
  encodeRequest,
  encodeResponse,
  readRequestHeader,
  requestHeaderVersion,
  responseHeaderVersion,
} from '../../src/protocol/headers.ts'
import { joinParts } from '../../src/protocol/messages.ts'
import { ProtocolError } from '../../src/protocol/protocol-error.ts'
import { Reader } from '../../src/protocol/reader.ts'
import { apis, findApi } from '../../src/protocol/registry.ts'
import { Writer } from '../../src/protocol/writer.ts'

const test = suite('headers')
const writer = new Writer()

test('flexible versions have the newer headers, and ApiVersions answers with the oldest in all of them', () => {
  assert.equal(
    [3, 8, 9, 13].map(version => [requestHeaderVersion(produce, version), responseHeaderVersion(produce, version)]),
    [
      [1, 0],
      [1, 0],
      [2, 1],
      [2, 1],
    ],
  )
  assert.equal(
    [0, 2, 3, 4].map(version => [
      requestHeaderVersion(apiVersions, version),
      responseHeaderVersion(apiVersions, version),
    ]),
    [
      [1, 0],
      [1, 0],
      [2, 0],
      [2, 0],
    ],
  )
})

test('the header of a version that nobody serves can be read, so that it can be answered', () => {
  // ApiVersions 99: header 2, correlation id 7, client id "me", no tags; then what nobody knows.
  const frame = Uint8Array.from([0, 18, 0, 99, 0, 0, 0, 7, 0, 2, 109, 101, 0, 1, 2, 3])
  assert.equal(readRequestHeader(new Reader(frame)), {
    requestApiKey: 18,
    requestApiVersion: 99,
    correlationId: 7,
    clientId: 'me',
  })
})

test('an unknown API key is a protocol error', () => {
  for (const key of [4, 7, 999, -1, 32767]) {
    const frame = Uint8Array.from([(key >> 8) & 255, key & 255, 0, 0, 0, 0, 0, 7, 255, 255])
    assert.throws(
      () => readRequestHeader(new Reader(frame)),
      (error: unknown) => error instanceof ProtocolError,
    )
  }
})

test('a header is an error when it is cut short anywhere', () => {
  const frame = joinParts(encodeRequest(writer, apiVersions, 3, { correlationId: 1, clientId: 'me' }, {}))
  for (let length = 0; length < 13; length++) {
    assert.throws(
      () => readRequestHeader(new Reader(frame.subarray(0, length))),
      (error: unknown) => error instanceof ProtocolError,
    )
  }
})

test('bytes behind a whole request are ignored', () => {
  const frame = joinParts(encodeRequest(writer, apiVersions, 3, { correlationId: 1, clientId: 'me' }, {}))
  const reader = new Reader(Uint8Array.from([...frame, 9, 9, 9]))
  readRequestHeader(reader)
  assert.equal(readerFor(apiVersions.request, 3)(reader), { clientSoftwareName: '', clientSoftwareVersion: '' })
  assert.is(reader.remaining, 3)
})

test('an answer carries its correlation id in front', () => {
  const parts = encodeResponse(writer, apiVersions, 0, -559038737, { errorCode: 35, apiKeys: [] })
  const { correlationId, response } = decodeResponse(new Reader(joinParts(parts)), apiVersions, 0)
  assert.is(correlationId, -559038737)
  assert.is(response.errorCode, 35)
})

test('every API is found by its key and by no other', () => {
  for (const api of apis) assert.is(findApi(api.key), api)
  assert.is(findApi(4), undefined)
  assert.is(findApi(-1), undefined)
  assert.is(new Set(apis.map(api => api.key)).size, apis.length)
})

test.run()
