import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseProperties } from '../../src/config/properties.ts'

const properties = suite('properties file')

const read = (content: string) => {
  const parsed = parseProperties(content)
  assert.ok(parsed.ok)
  return parsed.ok ? Object.fromEntries(parsed.values) : {}
}

properties('keys and values are parted by =, : or blanks when written so', () => {
  const content = 'a=1\nb:2\nc 3\n  d  =  4\ne\t:\t5\nf\ng=\nh= = \n'
  assert.equal(read(content), { a: '1', b: '2', c: '3', d: '4', e: '5', f: '', g: '', h: '= ' })
})

properties('comments and blank lines are nothing when read', () => {
  assert.equal(read('# x=1\n  ! y=2\n\n   \r\nz=3#4'), { z: '3#4' })
})

properties('a line goes on when it ends with an odd number of backslashes', () => {
  assert.equal(read('a=1,\\\n   2,\\\r\n\t3\nb=x\\\\\nc=y'), { a: '1,2,3', b: 'x\\', c: 'y' })
  assert.equal(read('a=1\\\n# not a comment'), { a: '1# not a comment' })
  assert.equal(read('a=1\\'), { a: '1' })
})

properties('escapes are undone when in keys and values', () => {
  assert.equal(read('a\\=b\\:c\\ d=\\t\\n\\r\\f\\u00e9\\q\\\\'), { 'a=b:c d': '\t\n\r\f\u00e9q\\' })
})

properties('the last of two equal keys counts when both are there', () => {
  assert.equal(read('\ufeffa=1\na=2'), { a: '2' })
})

properties('a broken \\u names its line when read', () => {
  const parsed = parseProperties('a=1\nb=\\u12g4')
  assert.equal(parsed, { ok: false, line: 2, problem: '\\u must be followed by four hexadecimal digits' })
})

properties('what an escaping writer wrote comes back when read', () => {
  const escapeAll = (text: string) =>
    [...text].map(character => (/[A-Za-z0-9]/.test(character) ? character : escaped(character))).join('')
  const escaped = (character: string) =>
    [...Array(character.length).keys()]
      .map(index => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
      .join('')
  fc.assert(
    fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.string()), pairs => {
      const lines = Object.entries(pairs).map(([key, text]) => `${escapeAll(key)} = ${escapeAll(text)}`)
      const parsed = parseProperties(lines.join('\n'))
      assert.ok(parsed.ok)
      if (parsed.ok) assert.equal([...parsed.values], Object.entries(pairs))
    }),
  )
})

properties.run()
