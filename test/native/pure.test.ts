import { readFileSync } from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Code } from '../../src/native/engine-code.ts'
import { compileRegex, compress, decompress, matchRegex, xxh3 } from '../../src/native/pure.ts'
import { inRepository } from '../support/paths.ts'

const test = suite('native calls without a runtime')

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

test('what each codec compresses inflates to the same', () => {
  fc.assert(
    fc.property(fc.nat(4), fc.uint8Array({ maxLength: 5000 }), (codec, bytes) => {
      const small = compress(codec, bytes)
      assert.is(small.code, Code.ok)
      const again = decompress(codec, small.bytes, bytes.length)
      assert.equal([again.code, again.text], [Code.ok, ''])
      assert.ok(again.bytes.length === bytes.length && bytes.every((byte, at) => byte === again.bytes[at]))
    }),
  )
})

test('gzip of others is read, and others read ours', () => {
  const text = bytesOf('a record or two '.repeat(1000))
  assert.equal(decompress(1, gzipSync(text), 1 << 20).bytes, text)
  assert.equal(new Uint8Array(gunzipSync(compress(1, text, 9).bytes)), text)
})

test('inflating is bounded when the bytes are a bomb', () => {
  const zeros = new Uint8Array(10 << 20)
  for (const codec of [0, 1, 2, 3, 4]) {
    const bomb = compress(codec, zeros).bytes
    const { code, text, bytes } = decompress(codec, bomb, 1 << 20)
    assert.equal([code, text, bytes.length], [Code.tooLarge, 'the records inflate to more than 1048576 bytes', 0])
    assert.is(decompress(codec, bomb, zeros.length).code, Code.ok)
  }
})

test('malformed bytes are an error value whatever they are', () => {
  for (const codec of [1, 3, 4]) assert.is(decompress(codec, bytesOf('no such stream'), 1000).code, Code.corrupt)
  fc.assert(
    fc.property(fc.nat(6), fc.uint8Array({ maxLength: 200 }), (codec, bytes) => {
      const result = decompress(codec, bytes, 10_000)
      assert.ok(result.bytes.length <= 10_000)
      if (codec > 4) assert.is(result.code, Code.unknownCodec)
    }),
  )
  assert.is(compress(5, bytesOf('a')).code, Code.unknownCodec)
})

test('xxh3 gives the values of the library that Kafka uses', () => {
  // Recorded from hash4j's xxh3_64 for the bytes 1, 8, 15, ... of each length.
  const recorded: [number, bigint][] = [
    [0, 0x2d06800538d394c2n],
    [1, 0xe12ef9d2eb86ceebn],
    [3, 0x5c83885a0fb5d516n],
    [8, 0x96cc97a6768fd7a9n],
    [17, 0x2bf6f66973a6179dn],
    [129, 0x8433489056750b32n],
    [241, 0xbff7215089202d8fn],
    [1000, 0xb8b406a98622d913n],
  ]
  for (const [length, hash] of recorded) {
    assert.is(xxh3(Uint8Array.from({ length }, (_, at) => at * 7 + 1)), hash, `${length} bytes`)
  }
})

interface Judgement {
  readonly pattern: string
  readonly matches?: readonly number[]
  readonly error?: string
}

const recorded: { names: string[]; patterns: Judgement[] } = JSON.parse(
  readFileSync(inRepository('test/vectors/regex/re2j.json'), 'utf8'),
)

test('regular expressions are refused and match as RE2/J has judged them', () => {
  assert.ok(recorded.patterns.length > 2000)
  for (const { pattern, matches, error } of recorded.patterns) {
    const expected = error === 'regexp/syntax: internal error' ? 'unexpected )' : error
    assert.is(compileRegex(pattern), expected, pattern)
    const matched = matchRegex(pattern, recorded.names)
    assert.is(matched.error, expected, pattern)
    assert.equal(matched.names, matches?.map(index => recorded.names[index]) ?? [], pattern)
  }
})

test('every surprise that the documentation names is one', () => {
  const page = readFileSync(inRepository('docs/regex.md'), 'utf8')
  const table = page.slice(page.indexOf('| pattern | here and in RE2/J |'))
  const rows = [...table.matchAll(/^\| `(.+?)` \| (.+?) \|/gm)]
  assert.ok(rows.length > 35)
  const judged = new Map(recorded.patterns.map(judgement => [judgement.pattern, judgement]))
  for (const [, pattern = '', said = ''] of rows) {
    const refused = compileRegex(pattern) !== undefined
    assert.is(refused, said.startsWith('refused'), `${pattern}: ${said}`)
    assert.is(refused, judged.get(pattern)?.error !== undefined, `${pattern} was recorded`)
    assert.ok(judged.has(pattern), `${pattern} is among the patterns that were recorded`)
  }
})

test('matching says why it gave up when a pattern is invalid or too costly', () => {
  assert.equal(matchRegex('a(', ['a']), { names: [], error: 'missing closing )' })
  assert.equal(matchRegex('a(', []), { names: [], error: 'missing closing )' })
  assert.equal(matchRegex('a', []), { names: [], error: undefined })
  const noise = Array.from({ length: 1000 }, (_, name) => {
    let seed = name
    return Array.from({ length: 240 }, () => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      return seed >>> 31 === 0 ? 'a' : 'b'
    }).join('')
  })
  assert.equal(matchRegex('.*a.{200}.*b.{200}c', noise), { names: [], error: 'it is too costly to match' })
  assert.is(compileRegex('((a{1000}){1000}){1000}'), 'it is too large')
  assert.is(compileRegex('a'.repeat(65_537)), 'it has more than 65536 bytes')
  assert.is(compileRegex(`${'('.repeat(101)}${')'.repeat(101)}`), 'its groups are nested too deeply')
})

test.run()
