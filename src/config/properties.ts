/**
 * Reads a Java properties file by Java's rules: `=`, `:` or blanks after the key, comments with `#` or `!`, a backslash
 * at the end of a line continues it, escapes \t \n \r \f \uXXXX and \ before anything else.
 *
 * Invariants: pure; the last of two equal keys counts; an escape \u without four hex digits is an answer, not a throw.
 */

export type ParsedProperties =
  | { readonly ok: true; readonly values: ReadonlyMap<string, string> }
  /** `line` counts from 1. */
  | { readonly ok: false; readonly line: number; readonly problem: string }

interface LogicalLine {
  readonly text: string
  readonly number: number
}

/** Joins continued lines; drops comments and empty lines. */
function* logicalLines(content: string): Generator<LogicalLine> {
  const lines = content.split(/\r\n|\n|\r/)
  for (let index = 0; index < lines.length; index++) {
    let text = lines[index]!.replace(/^[ \t\f]+/, '')
    const number = index + 1
    if (text === '' || text[0] === '#' || text[0] === '!') continue
    while (continues(text)) {
      text = text.slice(0, -1)
      if (index + 1 >= lines.length) break
      index++
      text += lines[index]!.replace(/^[ \t\f]+/, '')
    }
    yield { text, number }
  }
}

/** Whether the line ends with an odd number of backslashes. */
function continues(text: string): boolean {
  let count = 0
  while (text[text.length - 1 - count] === '\\') count++
  return count % 2 === 1
}

const blanks = new Set([' ', '\t', '\f'])

/** Index of the first character after the key. */
function keyEnd(text: string): number {
  for (let index = 0; index < text.length; index++) {
    const character = text[index]!
    if (character === '\\') index++
    else if (character === '=' || character === ':' || blanks.has(character)) return index
  }
  return text.length
}

function valueStart(text: string, from: number): number {
  let index = from
  let separated = false
  for (; index < text.length; index++) {
    const character = text[index]!
    if (blanks.has(character)) continue
    if (separated || (character !== '=' && character !== ':')) break
    separated = true
  }
  return index
}

const escapes: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

/** undefined: a \u without four hexadecimal digits. */
function unescaped(text: string): string | undefined {
  if (!text.includes('\\')) return text
  let result = ''
  for (let index = 0; index < text.length; index++) {
    if (text[index] !== '\\') {
      result += text[index]
      continue
    }
    const next = text[++index]
    if (next === 'u') {
      const hex = text.slice(index + 1, index + 5)
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) return undefined
      result += String.fromCharCode(Number.parseInt(hex, 16))
      index += 4
    } else if (next !== undefined) {
      result += escapes[next] ?? next
    }
  }
  return result
}

/** Reads the text of a properties file. Values keep trailing blanks, as in Java. */
export function parseProperties(content: string): ParsedProperties {
  const values = new Map<string, string>()
  for (const { text, number } of logicalLines(content.replace(/^\uFEFF/, ''))) {
    const end = keyEnd(text)
    const key = unescaped(text.slice(0, end))
    const value = unescaped(text.slice(valueStart(text, end)))
    if (key === undefined || value === undefined) {
      return { ok: false, line: number, problem: '\\u must be followed by four hexadecimal digits' }
    }
    values.set(key, value)
  }
  return { ok: true, values }
}
