/** Numbers at their limits, tags, nulls, strings, parts: what the primitive types promise. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ZERO_UUID } from '../../src/base/uuid.ts'
import { fetch } from '../../src/protocol/apis/01-fetch.ts'
import { metadata } from '../../src/protocol/apis/03-metadata.ts'
import { planFor, readerFor } from '../../src/protocol/compile.ts'
import { compileRead } from '../../src/protocol/decode.ts'
import { compileWrite } from '../../src/protocol/encode.ts'
import { generateRead } from '../../src/protocol/generate-read.ts'
import { generateWrite } from '../../src/protocol/generate-write.ts'
import { encodeResponse } from '../../src/protocol/headers.ts'
import { decodeMessage, encodeMessage, joinParts } from '../../src/protocol/messages.ts'
import type { Plan, PlanField } from '../../src/protocol/plan.ts'
import { ProtocolError } from '../../src/protocol/protocol-error.ts'
import { Reader } from '../../src/protocol/reader.ts'
import type { Decoded, Encodable, Fields, Schema } from '../../src/protocol/schema.ts'
import { array, int32, int64, int64Exact, message, string, struct, uuid } from '../../src/protocol/schema.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { allSchemas, allVersions } from '../support/schemas.ts'
import { comparableOf, exampleOf, expectedOf, type Value } from '../support/values.ts'

const test = suite('reader and writer')

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const fromHex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], byte => Number.parseInt(byte, 16))
const isProtocolError = (error: unknown): boolean => error instanceof ProtocolError

const range = { versions: '0-2', flexible: '1+' }
/** Messages written and read by the generated functions, and by the closures that stand in for them. */
const forms = [
  { form: 'generated code', read: generateRead, write: generateWrite },
  { form: 'closures', read: compileRead, write: compileWrite },
].map(({ form, read, write }) => ({
  form,
  decode: <F extends Fields>(schema: Schema<F>, version: number, bytes: Uint8Array) =>
    read(planFor(schema, version))(new Reader(bytes)) as Decoded<F>,
  encode: <F extends Fields>(schema: Schema<F>, version: number, value: Encodable<F>): Uint8Array => {
    const writer = new Writer()
    write(planFor(schema, version))(writer, value)
    return joinParts(writer.finish())
  },
}))

const numbers = message('Numbers', range, { saturated: int64('0+'), exact: int64Exact('0+') })

for (const { form, decode } of forms) {
  test(`an int64 saturates at the largest safe integer and its exact twin keeps every bit when both are read (${form})`, () => {
    const cases: [string, number, bigint][] = [
      ['7fffffffffffffff', Number.MAX_SAFE_INTEGER, 2n ** 63n - 1n],
      ['0020000000000000', Number.MAX_SAFE_INTEGER, 2n ** 53n],
      ['001fffffffffffff', Number.MAX_SAFE_INTEGER, 2n ** 53n - 1n],
      ['001ffffffffffffe', Number.MAX_SAFE_INTEGER - 1, 2n ** 53n - 2n],
      ['0000000100000000', 2 ** 32, 2n ** 32n],
      ['0000000000000000', 0, 0n],
      ['ffffffffffffffff', -1, -1n],
      ['ffffffff00000000', -(2 ** 32), -(2n ** 32n)],
      ['ffe0000000000001', -Number.MAX_SAFE_INTEGER, -(2n ** 53n) + 1n],
      ['ffe0000000000000', -Number.MAX_SAFE_INTEGER, -(2n ** 53n)],
      ['8000000000000000', -Number.MAX_SAFE_INTEGER, -(2n ** 63n)],
    ]
    for (const [wire, saturated, exact] of cases) {
      assert.equal(decode(numbers, 0, fromHex(wire + wire)), { saturated, exact }, wire)
    }
  })
}

for (const { form, encode } of forms) {
  test(`an int64 is written bit by bit, and as the largest int64 when it is the largest safe integer (${form})`, () => {
    const wire = (saturated: number): string => hex(encode(numbers, 0, { saturated, exact: 0n })).slice(0, 16)
    assert.is(wire(Number.MAX_SAFE_INTEGER), '7fffffffffffffff')
    assert.is(wire(Number.MAX_SAFE_INTEGER - 1), '001ffffffffffffe')
    assert.is(wire(-1), 'ffffffffffffffff')
    assert.is(wire(-(2 ** 32)), 'ffffffff00000000')
    assert.is(wire(-(2 ** 32) - 1), 'fffffffeffffffff')
    assert.is(wire(-Number.MAX_SAFE_INTEGER), 'ffe0000000000001')
  })
}

test('the exact int64 fields are those that must come back bit by bit', () => {
  const exact = new Set<string>()
  const visit = (plan: Plan): void => {
    for (const field of plan.fields) {
      if (field.kind === 'int64Exact') exact.add(`${plan.path}.${field.name}`)
      if (field.struct !== undefined) visit(field.struct)
    }
  }
  for (const schema of allSchemas) visit(planFor(schema, schema.versions.to))
  assert.equal([...exact].sort(), [
    'AllocateProducerIdsResponse.producerIdStart',
    'ConsumerGroupMetadataValue.metadataHash',
    'FetchResponse.responses.partitions.abortedTransactions.producerId',
    'InitProducerIdRequest.producerId',
    'InitProducerIdResponse.producerId',
    'LegacyOffsetCommitValue.offset',
    'ListOffsetsRequest.topics.partitions.timestamp',
    'ListOffsetsResponse.topics.partitions.timestamp',
    'OffsetCommitRequest.topics.partitions.committedOffset',
    'OffsetCommitValue.offset',
    'OffsetFetchResponse.groups.topics.partitions.committedOffset',
    'OffsetFetchResponse.topics.partitions.committedOffset',
    'ProducerIdsRecord.nextProducerId',
  ])
})

const tagged = message('Tagged', range, {
  name: string('0+', { nullable: '2+' }),
  first: int32('1+', { tagged: '1+', tag: 3, default: -1 }),
  second: struct('1+', { id: uuid('1+'), text: string('1+', { default: 'x' }) }, { tagged: '1+', tag: 1 }),
  list: array('0+', 'string', { nullable: '1+' }),
})

for (const { form, encode } of forms) {
  test(`tagged fields are written by rising tag and only when they differ from the default (${form})`, () => {
    assert.is(hex(encode(tagged, 1, { name: 'a', list: null })), '02610000')
    assert.is(hex(encode(tagged, 1, { name: 'a', list: [], first: -1, second: { id: ZERO_UUID } })), '02610100')
    const both = encode(tagged, 1, { name: 'a', list: [], first: 7, second: { id: ZERO_UUID, text: '' } })
    assert.is(hex(both), `0261010201120000000000000000000000000000000001000304${'00000007'}`)
  })
}

for (const { form, decode, encode } of forms) {
  test(`a tagged field of more than 127 bytes keeps its bytes when its size grows behind it (${form})`, () => {
    for (const length of [100, 108, 109, 110, 127, 128, 200, 16000, 17000, 30000]) {
      const text = 'y'.repeat(length)
      const bytes = encode(tagged, 1, { name: 'a', list: ['z'], second: { id: ZERO_UUID, text } })
      const decoded = decode(tagged, 1, bytes)
      assert.is(decoded.second.text, text)
      assert.equal(decoded.list, ['z'])
    }
  })
}

for (const { form, decode } of forms) {
  test(`unknown tags are passed over, and a known one that does not fill its size is an error (${form})`, () => {
    assert.is(decode(tagged, 1, fromHex('0261010205021111030400000007')).first, 7)
    assert.throws(() => decode(tagged, 1, fromHex('02610101030500000007ff')), isProtocolError)
    assert.throws(() => decode(tagged, 1, fromHex('026101010303000007')), isProtocolError)
  })
}

for (const { form, decode, encode } of forms) {
  test(`null is an error where the version forbids it, in both directions (${form})`, () => {
    assert.throws(() => decode(tagged, 0, fromHex('ffff00000000')), isProtocolError)
    assert.throws(() => decode(tagged, 1, fromHex('000100')), isProtocolError)
    assert.is(decode(tagged, 2, fromHex('000100')).name, null)
    assert.throws(() => decode(tagged, 0, fromHex('000161ffffffff')), isProtocolError)
    assert.throws(() => decode(tagged, 1, fromHex('0261020000')), /element of list is null/)
    assert.throws(() => encode(tagged, 1, { name: null, list: null }), /Tagged.name may not be null in version 1/)
  })
}

for (const { form, encode } of forms) {
  test(`a value other than the default is refused when the version has no place for it (${form})`, () => {
    assert.throws(() => encode(tagged, 0, { name: 'a', list: [], first: 2 }), /Tagged.first .*version 0/)
    assert.not.throws(() => encode(tagged, 0, { name: 'a', list: [], first: -1 }))
    assert.throws(() => encode(metadata.request, 3, { topics: null, allowAutoTopicCreation: false } as never))
  })
}

for (const { form, decode } of forms) {
  test(`what a version lacks reads as its default (${form})`, () => {
    const decoded = decode(tagged, 0, fromHex('00016100000000'))
    assert.equal(decoded, { name: 'a', first: -1, second: { id: ZERO_UUID, text: 'x' }, list: [] })
  })
}

test('strings keep what UTF-8 can say, a byte order mark included, and lone surrogates become U+FFFD', () => {
  for (const text of [
    '',
    'a',
    'äöü',
    '\u{feff}x',
    '€'.repeat(40),
    '😀'.repeat(20),
    'é'.repeat(200),
    'x'.repeat(32767),
  ]) {
    const decoded = decodeMessage(tagged, 1, encodeMessage(tagged, 1, { name: text, list: [text, text] }))
    assert.equal([decoded.name, ...(decoded.list ?? [])], [text, text, text])
  }
  for (const [text, read] of [
    ['a\ud800b', 'a\ufffdb'],
    ['\udc00', '\ufffd'],
    ['\ud83d\ud83d\ude00', '\ufffd😀'],
  ] as const) {
    assert.is(decodeMessage(tagged, 1, encodeMessage(tagged, 1, { name: text, list: [] })).name, read)
  }
  assert.throws(() => encodeMessage(tagged, 1, { name: 'x'.repeat(32768), list: [] }), isProtocolError)
})

const large = message('Large', range, { chunks: array('0+', 'bytes') })

for (const { form, encode } of forms) {
  test(`a message that says the same too often is refused before it takes all memory (${form})`, () => {
    const chunk = new Uint8Array(1 << 20)
    assert.ok(encode(large, 1, { chunks: new Array(20).fill(chunk) }).length > 20 << 20)
    assert.throws(() => encode(large, 1, { chunks: new Array(10_000).fill(chunk) }), isProtocolError)
  })
}

test('a writer goes on after a message that was too large', () => {
  const writer = new Writer()
  const write = generateWrite(planFor(large, 1))
  const encoded = (chunks: Uint8Array[]) => {
    writer.begin()
    write(writer, { chunks })
    return joinParts(writer.finish())
  }
  const small = encoded([new Uint8Array([1, 2, 3])])
  assert.throws(() => encoded(new Array(300).fill(new Uint8Array(1 << 20))), isProtocolError)
  assert.equal(encoded([new Uint8Array([1, 2, 3])]), small)
  assert.is(encoded(new Array(3).fill(new Uint8Array(1 << 20))).length, 3 * ((1 << 20) + 3) + 2)
  assert.equal(encoded([new Uint8Array([1, 2, 3])]), small)
})

const failed = message('Failed', range, { errorMessage: string('0+', { nullable: '0+' }) })

for (const { form, decode, encode } of forms) {
  test(`an explanation that is too long for a string goes as far as it is of use (${form})`, () => {
    const told = (errorMessage: string | null, version: number) =>
      decode(failed, version, encode(failed, version, { errorMessage })).errorMessage
    for (const version of [0, 1]) {
      for (const text of [null, '', 'x'.repeat(2000)]) assert.is(told(text, version), text)
      for (const character of ['x', '€']) {
        assert.is(told(character.repeat(40_000), version), `${character.repeat(2000)}...`)
      }
    }
  })
}

test('a string that was read before is the same string, and one that only looks alike is not', () => {
  for (const text of ['topic-1', 'topic-2', 'ÿ', '\u0000', 'topic-1']) {
    for (let round = 0; round < 3; round++) {
      assert.is(decodeMessage(tagged, 0, encodeMessage(tagged, 0, { name: text, list: [] })).name, text)
    }
  }
  // The byte 0xff is no UTF-8; the character U+00FF has the same number.
  assert.is(decodeMessage(tagged, 0, fromHex('0001ff00000000')).name, '\ufffd')
})

test('every exact int64 field comes back bit by bit at both ends of its range', () => {
  for (const { schema, version } of allVersions()) {
    const plan = planFor(schema, version)
    for (const limit of [2n ** 63n - 1n, -(2n ** 63n)]) {
      const value = withExact(plan, exampleOf(plan, 'full'), limit)
      const decoded = decodeMessage(schema, version, encodeMessage(schema, version, value as never))
      assert.equal(comparableOf(plan, decoded), expectedOf(plan, value), `${schema.name} ${version}`)
    }
  }
})

/** The value with `limit` in all its exact fields. */
const withExact = (plan: Plan, value: Value, limit: bigint): Value => {
  const changed = (field: PlanField, given: unknown): unknown => {
    if (field.kind === 'int64Exact') return limit
    if (field.struct === undefined || given === null || given === undefined) return given
    const { struct } = field
    if (field.kind === 'struct') return withExact(struct, given as Value, limit)
    return (given as Value[]).map(element => withExact(struct, element, limit))
  }
  return Object.fromEntries(
    plan.fields.filter(field => !field.absent).map(field => [field.name, changed(field, value[field.name])]),
  )
}

test('answers come as parts, record ranges among them, when records are native', () => {
  const parts = encodeResponse(new Writer(), fetch, 4, 9, {
    responses: [
      {
        topic: 't',
        partitions: [
          {
            partitionIndex: 0,
            errorCode: 0,
            highWatermark: 5,
            abortedTransactions: null,
            records: { handle: 8, from: 0, length: 1000 },
          },
          {
            partitionIndex: 1,
            errorCode: 0,
            highWatermark: 5,
            abortedTransactions: null,
            records: new Uint8Array(3).fill(7),
          },
          {
            partitionIndex: 2,
            errorCode: 0,
            highWatermark: 5,
            abortedTransactions: null,
            records: [{ handle: 9, from: 4, length: 2 }, new Uint8Array(600)],
          },
        ],
      },
    ],
  })
  assert.equal(
    parts.map(part => (part instanceof Uint8Array ? 'bytes' : part.handle)),
    ['bytes', 8, 'bytes', 9, 'bytes'],
  )
  assert.is(hex(parts[0] as Uint8Array).slice(-8), '000003e8')
  assert.is(hex(parts[2] as Uint8Array).slice(-8), '0000025a')
  assert.ok(hex(parts[2] as Uint8Array).includes('00000003070707'))
})

test('a message that failed leaves nothing behind when the next one is encoded', () => {
  const writer = new Writer()
  const good = { responses: [] }
  const expected = encodeResponse(writer, fetch, 4, 9, good).map(part => hex(part as Uint8Array))
  const bad = { responses: [{ topic: 't', partitions: null as never }] }
  assert.throws(() => encodeResponse(writer, fetch, 4, 9, bad))
  const again = encodeResponse(writer, fetch, 4, 9, good).map(part => hex(part as Uint8Array))
  assert.equal(again, expected)
})

test('bytes that were handed out stay as they are when more is written', () => {
  const writer = new Writer()
  const made: [Uint8Array, string][] = []
  for (let round = 0; round < 3000; round++) {
    const [part] = encodeResponse(writer, fetch, 4, round, { responses: [] })
    made.push([part as Uint8Array, hex(part as Uint8Array)])
  }
  for (const [part, text] of made) assert.is(hex(part), text)
})

test('a variable-length integer of more than 32 bits, or of more than five bytes, is an error', () => {
  assert.is(new Reader(fromHex('ffffffff0f')).uvarint(), 2 ** 32 - 1)
  assert.is(new Reader(fromHex('8080808000')).uvarint(), 0)
  for (const wire of ['ffffffff10', 'ffffffff7f', 'ffffffffff01', '808080808000', 'ff', '']) {
    assert.throws(() => new Reader(fromHex(wire)).uvarint(), isProtocolError)
  }
})

const listed = message('Listed', range, {
  list: array('0+', { id: uuid('0+'), name: string('0+'), extra: int64('2+') }),
  numbers: array('0+', 'int32'),
})

test('a count is refused before an element is read when its elements cannot fit into what follows', () => {
  const room = new Uint8Array(4 + 18 * 10)
  for (const [version, count, accepted] of [
    [0, 10, true],
    [0, 11, false],
    [2, 7, true],
    [2, 8, false],
  ] as const) {
    const bytes = version === 0 ? room.slice() : room.slice(0, 1 + 26 * 7)
    bytes[version === 0 ? 3 : 0] = version === 0 ? count : count + 1
    const reader = new Reader(bytes)
    assert.throws(() => readerFor(listed, version)(reader), isProtocolError)
    assert.is(reader.position > 4, accepted, `${count} in version ${version}`)
  }
})

test('a message of more array elements than any honest one has is refused before they are made', () => {
  const message = new Uint8Array(4 + 2 * 5_000_000).fill(1)
  // Metadata 9: a count, then for each topic an empty name and no tags.
  message.set([0xc1, 0x96, 0xb1, 0x02])
  for (const read of [generateRead, compileRead]) {
    const reader = new Reader(message)
    assert.throws(() => read(planFor(metadata.request, 9))(reader), /more than 524288 array elements/)
    assert.is(reader.position, 4)
  }
})

test('a bytes field is a copy', () => {
  const source = fromHex('01020304')
  const copy = new Reader(source).copy(4)
  source.fill(0)
  assert.is(hex(copy as Uint8Array), '01020304')
})

test.run()
