/**
 * What tidy.test.ts checks, as functions of sources: `files` maps a path inside the repository to its text, so that a
 * check can be tried on planted sources. Each returns findings; an empty list means tidy.
 */

export interface Finding {
  readonly rule: string
  readonly file: string
  readonly text: string
}

export type Sources = ReadonlyMap<string, string>

/** The rooms of src/, lowest row first. A room imports from lower rows; within a row, types only. */
export const rows: readonly (readonly string[])[] = [
  ['base'],
  ['native', 'protocol', 'config'],
  ['host', 'records'],
  ['timeline', 'log', 'net'],
  ['raft'],
  ['partition', 'metadata'],
  ['coordinator', 'controller'],
  ['broker'],
  ['client'],
  ['embed'],
  ['console'],
  ['cli'],
]

const blank = (text: string): string => text.replace(/[^\n]/g, ' ')

/** Where a slash begins a regular expression rather than a division: after these, or at the start. */
const beforeRegex = /(?:[(,=:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|in|of))\s*$/

/**
 * The code of a TypeScript source: comments blanked, and unless `keepStrings` the content of strings, templates and
 * regular expressions too. Lengths and lines stay.
 */
export const codeOf = (source: string, keepStrings = false): string => {
  let out = ''
  let at = 0
  const templates: number[] = []
  let depth = 0
  const text = (end: number): void => {
    const part = source.slice(at, end)
    out += keepStrings ? part : blank(part)
    at = end
  }
  const template = (): void => {
    let end = at
    while (end < source.length && source[end] !== '`' && !source.startsWith('${', end))
      end += source[end] === '\\' ? 2 : 1
    text(Math.min(end, source.length))
    if (source.startsWith('${', at)) {
      out += '${'
      at += 2
      templates.push(depth)
      depth += 1
    } else if (at < source.length) {
      out += '`'
      at += 1
    }
  }
  while (at < source.length) {
    const character = source[at] as string
    if (source.startsWith('//', at)) {
      const end = source.indexOf('\n', at)
      const stop = end < 0 ? source.length : end
      out += blank(source.slice(at, stop))
      at = stop
    } else if (source.startsWith('/*', at)) {
      const end = source.indexOf('*/', at + 2)
      const stop = end < 0 ? source.length : end + 2
      out += blank(source.slice(at, stop))
      at = stop
    } else if (character === "'" || character === '"') {
      out += character
      at += 1
      let end = at
      while (end < source.length && source[end] !== character && source[end] !== '\n')
        end += source[end] === '\\' ? 2 : 1
      text(Math.min(end, source.length))
      out += source[at] ?? ''
      at += 1
    } else if (character === '`') {
      out += character
      at += 1
      template()
    } else if (character === '/' && (out.trim() === '' || beforeRegex.test(out.slice(-40)))) {
      out += character
      at += 1
      let end = at
      let inClass = false
      while (end < source.length && source[end] !== '\n' && (inClass || source[end] !== '/')) {
        if (source[end] === '[') inClass = true
        if (source[end] === ']') inClass = false
        end += source[end] === '\\' ? 2 : 1
      }
      text(Math.min(end, source.length))
      out += source[at] ?? ''
      at += 1
    } else {
      if (character === '{') depth += 1
      if (character === '}') depth -= 1
      out += character
      at += 1
      if (character === '}' && templates.at(-1) === depth) {
        templates.pop()
        template()
      }
    }
  }
  return out
}

export interface Import {
  readonly from: string
  readonly types: boolean
}

/** Every import, re-export and require of a source, in order. */
export const importsOf = (source: string): Import[] => {
  const code = codeOf(source, true)
  const found: Import[] = []
  const statement = /^\s*(import|export)\s+(type\s+)?([^'"`;]*?)\bfrom\s*['"]([^'"]+)['"]/gm
  for (const [, , typeWord, clause, from] of code.matchAll(statement)) {
    const names = /^\s*\{([^}]*)\}\s*$/.exec(clause ?? '')?.[1]
    const list = names?.split(',').flatMap(name => name.trim() || [])
    const everyNameIsType = list !== undefined && list.length > 0 && list.every(name => name.startsWith('type '))
    found.push({ from: from as string, types: typeWord !== undefined || everyNameIsType })
  }
  for (const [, from] of code.matchAll(/^\s*import\s*['"]([^'"]+)['"]/gm))
    found.push({ from: from as string, types: false })
  for (const [, from] of code.matchAll(/\b(?:import|require)\s*\(\s*['"]([^'"]+)['"]/g)) {
    found.push({ from: from as string, types: false })
  }
  return found
}

/** The path inside the repository that a relative import means; undefined for a package. */
export const resolveImport = (file: string, from: string): string | undefined => {
  if (!from.startsWith('.')) return undefined
  const parts = file.split('/').slice(0, -1)
  for (const part of from.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}

const roomOf = (file: string): string | undefined => /^src\/([^/]+)\//.exec(file)?.[1]

const rowOf = (room: string): number => rows.findIndex(row => row.includes(room))

const typescript = (files: Sources): [string, string][] =>
  [...files].filter(([file]) => file.startsWith('src/') && file.endsWith('.ts') && !file.endsWith('.d.ts'))

/** Imports run downward. */
export const layering = (files: Sources): Finding[] => {
  const findings: Finding[] = []
  for (const [file, source] of typescript(files)) {
    const room = roomOf(file)
    if (room === undefined) continue
    if (rowOf(room) < 0) {
      findings.push({ rule: 'rows', file, text: `the room ${room} has no row` })
      continue
    }
    for (const { from, types } of importsOf(source)) {
      const target = resolveImport(file, from)
      if (target === undefined) continue
      const other = roomOf(target)
      if (!target.startsWith('src/')) {
        if (room !== 'native') findings.push({ rule: 'outside', file, text: `imports ${from}, which is not in src` })
        continue
      }
      if (other === room) continue
      if (other === undefined || rowOf(other) > rowOf(room)) {
        findings.push({ rule: types ? 'upward type' : 'upward', file, text: `imports ${target}, which is above it` })
      } else if (rowOf(other) === rowOf(room) && !types) {
        findings.push({ rule: 'sideways', file, text: `imports ${target} of its own row by value` })
      }
    }
  }
  return findings
}

/** No cycle among imports by value; types alone make none at run time. */
export const cycles = (files: Sources): Finding[] => {
  const graph = new Map<string, string[]>()
  for (const [file, source] of typescript(files)) {
    const targets = importsOf(source).filter(({ types }) => !types)
    graph.set(
      file,
      targets.flatMap(({ from }) => resolveImport(file, from) ?? []),
    )
  }
  const findings: Finding[] = []
  const done = new Set<string>()
  const path: string[] = []
  const visit = (file: string): void => {
    if (path.includes(file)) {
      findings.push({ rule: 'cycle', file, text: [...path.slice(path.indexOf(file)), file].join(' -> ') })
      return
    }
    if (done.has(file)) return
    path.push(file)
    for (const target of graph.get(file) ?? []) visit(target)
    path.pop()
    done.add(file)
  }
  for (const file of graph.keys()) visit(file)
  return findings
}

/** The addon has one door. */
export const oneDoor = (files: Sources): Finding[] => {
  const findings: Finding[] = []
  for (const [file, source] of typescript(files)) {
    for (const { from } of importsOf(source)) {
      if (/\.(node|cjs)$/.test(from) && file !== 'src/native/index.ts') {
        findings.push({ rule: 'door', file, text: `imports ${from}; only src/native/index.ts opens the addon` })
      }
    }
  }
  return findings
}

interface Ban {
  readonly rule: string
  readonly pattern: RegExp
  readonly instead: string
  /** Rooms that may. */
  readonly rooms: readonly string[]
}

const bans: readonly Ban[] = [
  { rule: 'clock', pattern: /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\b/, instead: 'Clock', rooms: ['host'] },
  {
    rule: 'chance',
    pattern: /\bMath\.random\b|(?<![.\w])crypto\.|\bgetRandomValues\b|\brandomUUID\b/,
    instead: 'Random',
    rooms: ['host'],
  },
  { rule: 'timer', pattern: /\bset(?:Timeout|Interval|Immediate)\b/, instead: 'Timers', rooms: ['host'] },
  { rule: 'microtask', pattern: /\bqueueMicrotask\b|\bnextTick\b/, instead: 'Loop', rooms: ['host'] },
  {
    rule: 'process',
    pattern: /(?<![.\w])process\s*(?:\.|\?\.)/,
    instead: 'ProcessPort',
    rooms: ['host', 'cli', 'native'],
  },
  { rule: 'console', pattern: /(?<![.\w])console\./, instead: 'a Logger', rooms: ['cli'] },
  { rule: 'fetch', pattern: /(?<![.\w#])fetch\(\s*(?:['"`]|new URL)/, instead: 'the reactor', rooms: [] },
  { rule: 'Buffer', pattern: /(?<![.\w])Buffer\b(?!\s*:)/, instead: 'Uint8Array', rooms: ['cli'] },
  {
    rule: 'top-level await',
    pattern: /^(?:export\s+)?(?:const\s+\S+\s*=\s*)?await\b/m,
    instead: 'a function',
    rooms: [],
  },
]

/** Clock, chance, timers, process and files stay in their rooms. */
export const bannedCalls = (files: Sources): Finding[] => {
  const findings: Finding[] = []
  for (const [file, source] of typescript(files)) {
    const room = roomOf(file) ?? ''
    const code = codeOf(source)
    for (const { rule, pattern, instead, rooms } of bans) {
      const match = pattern.exec(code)
      if (match === null || rooms.includes(room)) continue
      findings.push({ rule, file, text: `uses ${match[0].trim()}; take ${instead}` })
    }
    for (const { from } of importsOf(source)) {
      if (!from.startsWith('node:') || ['host', 'cli', 'native'].includes(room)) continue
      findings.push({ rule: 'node', file, text: `imports ${from}` })
    }
  }
  return findings
}

/** Every file of src is reached from an entry point. */
export const deadFiles = (files: Sources, entries: readonly string[]): Finding[] => {
  const reached = new Set<string>()
  const visit = (file: string): void => {
    const source = files.get(file)
    if (source === undefined || reached.has(file)) return
    reached.add(file)
    for (const { from } of importsOf(source)) {
      const target = resolveImport(file, from)
      if (target !== undefined) visit(target)
    }
  }
  for (const entry of entries) visit(entry)
  return [...files.keys()]
    .filter(file => file.startsWith('src/') && /\.(ts|cjs)$/.test(file) && !/\.d\.c?ts$/.test(file))
    .filter(file => !reached.has(file))
    .map(file => ({ rule: 'dead file', file, text: `is reached from none of ${entries.join(', ')}` }))
}

/** An exported value is used by some other file of the repository. (Types may be there to be inferred.) */
export const unusedExports = (files: Sources): Finding[] => {
  const words = new Map<string, Set<string>>()
  for (const [file, source] of files) {
    if (!/\.m?[tj]s$/.test(file)) continue
    words.set(file, new Set(codeOf(source, true).match(/[\w$]+/g) ?? []))
  }
  const findings: Finding[] = []
  const declaration =
    /^export\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:const|let|function\*?|class)\s+([\w$]+)/gm
  for (const [file, source] of typescript(files)) {
    if (file === 'src/index.ts') continue
    for (const [, name] of codeOf(source).matchAll(declaration)) {
      const used = [...words].some(([other, names]) => other !== file && names.has(name as string))
      if (!used) findings.push({ rule: 'unused export', file, text: `nobody imports ${name}` })
    }
  }
  return findings
}

/** A file says what it is for before it does anything; a room has a README. */
export const introductions = (files: Sources): Finding[] => {
  const findings: Finding[] = []
  const rooms = new Set<string>()
  for (const [file, source] of files) {
    const room = /^(?:src|native)\/[^/]+(?=\/)/.exec(file)?.[0]
    if (room !== undefined) rooms.add(room)
    const opening = source.trimStart().replace(/^#!.*\n\s*/, '')
    if (/^src\/.*\.ts$/.test(file) && !opening.startsWith('/**')) {
      findings.push({ rule: 'header', file, text: 'does not open with a comment that says what it is for' })
    }
    if (/^native\/.*\/src\/.*\.rs$/.test(file) && !/^\/\/!|^\/\*!/.test(opening)) {
      findings.push({ rule: 'header', file, text: 'does not open with //! that says what it is for' })
    }
  }
  for (const room of rooms) {
    if ((files.get(`${room}/README.md`) ?? '').trim() === '') {
      findings.push({ rule: 'readme', file: room, text: 'the room has no README.md' })
    }
  }
  return findings
}

/** Rust without comments, strings' content kept, and without what is compiled for tests only. */
export const rustCodeOf = (source: string): string => {
  let code = source.replace(/\/\*[\s\S]*?\*\//g, blank).replace(/\/\/.*$/gm, blank)
  for (let at = code.search(/#\[cfg\((?:all\()?test\b/); at >= 0; at = code.search(/#\[cfg\((?:all\()?test\b/)) {
    const open = code.indexOf('{', at)
    const semicolon = code.indexOf(';', at)
    let end = semicolon < 0 ? code.length : semicolon + 1
    if (open >= 0 && (semicolon < 0 || open < semicolon)) {
      let depth = 0
      end = code.length
      for (let position = open; position < code.length; position += 1) {
        if (code[position] === '{') depth += 1
        if (code[position] === '}') depth -= 1
        if (depth === 0) {
          end = position + 1
          break
        }
      }
    }
    code = code.slice(0, at) + blank(code.slice(at, end)) + code.slice(end)
  }
  return code
}

interface RustBan {
  readonly rule: string
  readonly pattern: RegExp
  readonly applies: (file: string) => boolean
}

const inEngine = (file: string): boolean => file.startsWith('native/engine/src/')
const inVfs = (file: string): boolean => /^native\/engine\/src\/vfs(?:\/|\.rs)/.test(file)

const rustBans: readonly RustBan[] = [
  {
    rule: 'rust file call',
    pattern: /\bstd::fs\b|\bFile::(?:open|create)\b|\bOpenOptions\b/,
    applies: file => !inVfs(file),
  },
  {
    rule: 'rust system call',
    pattern: /\blibc::|\brustix::/,
    applies: file => inEngine(file) && !inVfs(file),
  },
  {
    rule: 'rust clock',
    pattern: /\bInstant\b|\bSystemTime\b|\bthread::(?:sleep|spawn|Builder)\b/,
    applies: file => inEngine(file) && !/^native\/engine\/src\/driver(\.rs|\/)/.test(file),
  },
  {
    rule: 'rust chance',
    pattern: /\bHash(?:Map|Set)\b|\brand::|\bgetrandom\b/,
    applies: inEngine,
  },
  { rule: 'rust unsafe', pattern: /\bunsafe\b/, applies: () => true },
]

/** Files, system calls, clock, chance and unsafe stay in their places. */
export const rustPlaces = (files: Sources): Finding[] => {
  const findings: Finding[] = []
  for (const [file, source] of files) {
    if (!/^native\/.*\/src\/.*\.rs$/.test(file)) continue
    const code = rustCodeOf(source)
    for (const { rule, pattern, applies } of rustBans) {
      const match = applies(file) ? pattern.exec(code) : null
      if (match !== null) findings.push({ rule, file, text: `has ${match[0]}` })
    }
  }
  return findings
}

/** Notes to self, and paths of somebody's machine. */
export const leftovers = (files: Sources): Finding[] => {
  const findings: Finding[] = []
  // In pieces, so that this file passes its own check.
  const notes = new RegExp(`\\b(?:${['TO' + 'DO', 'FIX' + 'ME', 'to' + 'do!', 'unimple' + 'mented!'].join('|')})`)
  const outside = new RegExp(['/wo' + 'rk/', '/ro' + 'ot/', '\\.\\./sha' + 'red/'].join('|'))
  for (const [file, source] of files) {
    const note = notes.exec(source)
    if (note !== null) findings.push({ rule: 'note to self', file, text: `has ${note[0]}` })
    const path = outside.exec(source)
    if (path !== null) findings.push({ rule: 'outside path', file, text: `names ${path[0]}` })
  }
  return findings
}

/** Columns of a line: what the formatters of code keep to, who leave comments alone. */
const LINE_WIDTH = 120

/**
 * Comments as wide as code at most, but for addresses, tables and what is set in from its own edge, as commands are.
 */
export const wideComments = (files: Sources): Finding[] => {
  const findings: Finding[] = []
  for (const [file, source] of files) {
    if (!/\.(?:ts|cjs|mjs|rs)$/.test(file)) continue
    for (const [index, line] of source.split('\n').entries()) {
      if ([...line].length <= LINE_WIDTH) continue
      const comment = /^\s*(?:\/\/[/!]?|\/?\*+) ?(.*)$/.exec(line)?.[1]
      if (comment === undefined || /^\s| \| |:\/\//.test(comment)) continue
      findings.push({ rule: 'wide comment', file, text: `line ${index + 1} has more than ${LINE_WIDTH} columns` })
    }
  }
  return findings
}
