import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { metadata } from '../../src/protocol/apis/03-metadata.ts'
import { apiVersions } from '../../src/protocol/apis/18-api-versions.ts'
import { planFor } from '../../src/protocol/compile.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { encodeRequest } from '../../src/protocol/headers.ts'
import { joinParts } from '../../src/protocol/messages.ts'
import { findApi } from '../../src/protocol/registry.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { startTestBroker, type TestBroker } from '../support/broker.ts'
import { exampleOf } from '../support/values.ts'
import type { WireClient } from '../support/wire-client.ts'

const test = suite('hostile requests')
let fixture: TestBroker
test.before(async () => {
  fixture = await startTestBroker()
})
test.after(() => fixture.close())

/** The next client is served as if nothing had happened. */
async function undisturbed() {
  const client = await fixture.connect()
  const answer = await client.send(metadata, 12, { topics: [] })
  assert.is(answer.brokers.length, 1)
  await client.close()
}

function framed(frame: Uint8Array, length = frame.length): Uint8Array {
  const bytes = new Uint8Array(4 + frame.length)
  new DataView(bytes.buffer).setInt32(0, length)
  bytes.set(frame, 4)
  return bytes
}

function header(apiKey: number, version: number, rest: readonly number[] = []): Uint8Array {
  const bytes = new Uint8Array(10 + rest.length)
  const view = new DataView(bytes.buffer)
  view.setInt16(0, apiKey)
  view.setInt16(2, version)
  view.setInt32(4, 77)
  view.setInt16(8, -1)
  bytes.set(rest, 10)
  return bytes
}

async function closes(bytes: Uint8Array) {
  const client = await fixture.connect()
  client.sendBytes(bytes)
  await client.closed
}

test('frames of no, negative or too much length and a TLS hello close the connection', async () => {
  const hello = Uint8Array.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3])
  for (const bytes of [framed(new Uint8Array(0)), framed(header(3, 1), -5), framed(header(3, 1), 104857601), hello])
    await closes(bytes)
  await undisturbed()
})

test('an unknown API key closes the connection', async () => {
  for (const key of [-1, 4, 8, 71, 94, 1000, 32767]) await closes(framed(header(key, 0)))
  await undisturbed()
})

test('an unsupported version closes the connection, of Produce 0 to 2 too', async () => {
  for (const [key, version] of [
    [0, 0],
    [0, 2],
    [0, 14],
    [1, 3],
    [1, 19],
    [3, 14],
    [3, -1],
    [19, 1],
  ] as const)
    await closes(framed(header(key, version)))
  await undisturbed()
})

test('ApiVersions of an unknown version is answered in version 0, and the connection goes on', async () => {
  const client = await fixture.connect()
  for (const version of [5, 99, 32767]) {
    const answer = await client.exchangeFrame(header(apiVersions.key, version, [0]))
    const view = new DataView(answer.buffer, answer.byteOffset)
    // Correlation id, error code, one entry: ApiVersions and its versions.
    assert.equal([view.getInt32(0), view.getInt16(4), view.getInt32(6)], [77, ErrorCode.UNSUPPORTED_VERSION, 1])
    assert.equal([view.getInt16(10), view.getInt16(12), view.getInt16(14), answer.length], [18, 0, 4, 16])
  }
  assert.is((await client.send(apiVersions, 0, {})).errorCode, 0)
  await client.close()
})

/** Requests with every field filled in, for each version of each API that is served. */
async function requests(): Promise<{ name: string; frame: Uint8Array }[]> {
  const client = await fixture.connect()
  const { apiKeys } = await client.send(apiVersions, 0, {})
  await client.close()
  const writer = new Writer()
  return apiKeys.flatMap(({ apiKey, maxVersion }) => {
    const api = findApi(apiKey)
    if (api === undefined) return []
    const versions = [api.minVersion, maxVersion]
    return versions.map(version => {
      const example = exampleOf(planFor(api.request, version), 'full') as never
      const parts = encodeRequest(writer, api, version, { correlationId: 1, clientId: 'hostile' }, example)
      return { name: `${api.name} ${version}`, frame: joinParts(parts).slice() }
    })
  })
}

/** Resolves when the broker has answered or closed. */
async function settled(client: WireClient, bytes: Uint8Array) {
  client.sendBytes(bytes)
  client.endWriting()
  await client.closed
}

test('a request that is cut at any byte closes its connection and hurts nobody else', async () => {
  for (const { frame } of await requests()) {
    for (let length = 8; length < frame.length; length += Math.ceil(frame.length / 40)) {
      const client = await fixture.connect()
      await settled(client, framed(frame.subarray(0, length)))
    }
  }
  await undisturbed()
})

test('lengths that promise more than there is close the connection', async () => {
  for (const { frame } of await requests()) {
    for (let at = 10; at + 4 <= frame.length; at += Math.ceil(frame.length / 30)) {
      const broken = frame.slice()
      broken.set([0x7f, 0xff, 0xff, 0xff], at)
      const client = await fixture.connect()
      await settled(client, framed(broken))
    }
  }
  await undisturbed()
})

test.run()
