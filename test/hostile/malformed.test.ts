/**
 * Broken requests over real connections to a running broker, made from the schemas: cut short anywhere, and with every
 * length and count replaced, at every field of every API and version that the broker serves.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { handlers } from '../../src/broker/handlers/index.ts'
import type { Api } from '../../src/protocol/api.ts'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { planFor } from '../../src/protocol/compile.ts'
import { requestHeader, requestHeaderVersion } from '../../src/protocol/headers.ts'
import { encodeMessage } from '../../src/protocol/messages.ts'
import { findApi } from '../../src/protocol/registry.ts'
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts'
import { anonymousBytes, eachOf, outcomeOf, UndisturbedClient } from '../support/disturbance.ts'
import { versionsOf } from '../support/schemas.ts'
import { framed } from '../support/sockets.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { exampleOf } from '../support/values.ts'
import { type LengthField, lengthFieldsOf } from '../support/walk.ts'

export const timeoutMs = 300_000

const AT_ONCE = 32
/** Of records that stay native. */
const LARGE = 5000
/** A broker that made anything from the lengths it is told would need gigabytes. */
const MOST_GROWTH_BYTES = 128 << 20

const test = suite('malformed requests')
let broker: BrokerProcess
let undisturbed: UndisturbedClient

test.before(async () => {
  broker = await startBrokerProcess(temporaryFolder('malformed'))
  undisturbed = await UndisturbedClient.start(broker.port, 'undisturbed')
})

test.after(async () => {
  const written = await undisturbed.stop()
  assert.ok(written > 0)
  assert.is((await broker.stop()).code, 0)
})

interface Sent {
  readonly what: string
  readonly frame: Uint8Array
}

interface Example {
  readonly version: number
  readonly frame: Uint8Array
  readonly lengths: readonly LengthField[]
}

/** Every records field becomes so long that the frame is skimmed: its records never reach JavaScript. */
const enlarged = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return new Uint8Array(LARGE)
  if (Array.isArray(value)) return value.map(enlarged)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, enlarged(field)]))
}

/** One request of each version, each field other than its default, and where its lengths and counts stand. */
const examplesOf = (api: Api, shaped: (value: unknown) => unknown = value => value): Example[] =>
  versionsOf(api.request).map(version => {
    const headerVersion = requestHeaderVersion(api, version)
    const named = { requestApiKey: api.key, requestApiVersion: version, correlationId: 7, clientId: 'malformed' }
    const header = encodeMessage(requestHeader, headerVersion, named)
    const plan = planFor(api.request, version)
    const body = encodeMessage(api.request, version, shaped(exampleOf(plan, 'full')) as never)
    const moved = lengthFieldsOf(plan, body).map(field => ({ ...field, at: field.at + header.length }))
    return {
      version,
      frame: Uint8Array.from([...header, ...body]),
      lengths: [...lengthFieldsOf(planFor(requestHeader, headerVersion), header), ...moved],
    }
  })

const int16 = (value: number): number[] => [(value >> 8) & 255, value & 255]
const int32 = (value: number): number[] => [...int16(value >> 16), ...int16(value)]
const uvarint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...uvarint(value >>> 7)])

/** Lengths that promise more than there is: by one, by some, and by as much as the form can say. */
const tooLong = ({ form, at, width }: LengthField, frame: Uint8Array): number[][] => {
  const beyond = frame.length - at - width + 1
  if (form === 'int16') return [int16(beyond), int16(0x7fff)]
  if (form === 'int32') return [int32(beyond), int32(0x00ff_ffff), int32(0x7fff_ffff)]
  const endless = [0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]
  return [uvarint(beyond + 1), uvarint(0x00ff_ffff), uvarint(0xffff_fffe), endless, [0x80, 0x80, 0x80, 0x80, 0x80]]
}

/** Lengths that mean something else: null, less than null, nothing, one less. */
const otherwise = ({ form, at }: LengthField, frame: Uint8Array): number[][] => {
  const view = new DataView(frame.buffer)
  if (form === 'int16') return [int16(-1), int16(-2), int16(0), int16(view.getInt16(at) - 1)]
  if (form === 'int32') return [int32(-1), int32(-2), int32(-0x8000_0000), int32(0), int32(view.getInt32(at) - 1)]
  return [[0], [1], [0x80, 0x00]]
}

const spliced = (frame: Uint8Array, { at, width }: LengthField, length: readonly number[]): Uint8Array =>
  Uint8Array.from([...frame.subarray(0, at), ...length, ...frame.subarray(at + width)])

function* withLengths(
  examples: readonly Example[],
  lengthsFor: (field: LengthField, frame: Uint8Array) => number[][],
): Iterable<Sent> {
  for (const { version, frame, lengths } of examples) {
    for (const field of lengths) {
      for (const length of lengthsFor(field, frame)) {
        yield { what: `version ${version}, ${field.name} := [${length}]`, frame: spliced(frame, field, length) }
      }
    }
  }
}

function* cutShort(examples: readonly Example[], step = 1): Iterable<Sent> {
  for (const { version, frame } of examples) {
    for (let length = 1; length < frame.length; length += step) {
      yield { what: `version ${version}, ${length} of ${frame.length} bytes`, frame: frame.subarray(0, length) }
    }
  }
}

const boundedMemory = async (act: () => Promise<void>): Promise<void> => {
  const before = anonymousBytes(broker.pid)
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, anonymousBytes(broker.pid))
  }, 20)
  await act()
  clearInterval(timer)
  assert.ok(most - before < MOST_GROWTH_BYTES, `${Math.round((most - before) / 1024)} KiB more memory`)
}

for (const { apiKey } of handlers) {
  const api = findApi(apiKey) as Api
  const { name } = api

  test(`${name} is read when nothing is wrong with it`, async () => {
    await eachOf(examplesOf(api), AT_ONCE, async ({ version, frame }) => {
      assert.equal(await outcomeOf(broker.port, framed(frame)), { answers: 1, closed: false }, `version ${version}`)
    })
  })

  test(`${name} ends the connection when it is cut short anywhere`, () =>
    boundedMemory(() =>
      eachOf(cutShort(examplesOf(api)), AT_ONCE, async ({ what, frame }) => {
        assert.equal(await outcomeOf(broker.port, framed(frame)), { answers: 0, closed: true }, what)
      }),
    ))

  test(`${name} ends the connection when any length or count promises more than there is`, () =>
    boundedMemory(() =>
      eachOf(withLengths(examplesOf(api), tooLong), AT_ONCE, async ({ what, frame }) => {
        assert.equal(await outcomeOf(broker.port, framed(frame)), { answers: 0, closed: true }, what)
      }),
    ))

  test(`${name} is answered or ends the connection when any length or count is null, negative or less`, () =>
    boundedMemory(() =>
      eachOf(withLengths(examplesOf(api), otherwise), AT_ONCE, async ({ what, frame }) => {
        const { answers, closed } = await outcomeOf(broker.port, framed(frame))
        assert.ok(closed ? answers === 0 : answers === 1, `${what}: ${answers} answers, closed: ${closed}`)
      }),
    ))
}

test('Produce whose records stay native is read, and ends the connection when it is broken', () =>
  boundedMemory(async () => {
    const examples = examplesOf(produce, enlarged)
    await eachOf(examples, AT_ONCE, async ({ version, frame }) => {
      assert.equal(await outcomeOf(broker.port, framed(frame)), { answers: 1, closed: false }, `version ${version}`)
    })
    for (const broken of [cutShort(examples, 101), withLengths(examples, tooLong)]) {
      await eachOf(broken, AT_ONCE, async ({ what, frame }) => {
        assert.equal(await outcomeOf(broker.port, framed(frame)), { answers: 0, closed: true }, what)
      })
    }
    await eachOf(withLengths(examples, otherwise), AT_ONCE, async ({ what, frame }) => {
      const { answers, closed } = await outcomeOf(broker.port, framed(frame))
      assert.ok(closed ? answers === 0 : answers === 1, `${what}: ${answers} answers, closed: ${closed}`)
    })
  }))

test.run()
