/**
 * The shape of the house, read from the sources: rows of rooms, no cycles, one door to the addon, clock, chance and
 * files in their rooms, no dead file, a README in every room. What the rules let through is one table, with reasons.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { inRepository } from './support/paths.ts'
import {
  bannedCalls,
  cycles,
  deadFiles,
  type Finding,
  introductions,
  layering,
  leftovers,
  oneDoor,
  rustPlaces,
  type Sources,
  unusedExports,
  wideComments,
} from './support/tidy.ts'

const entries = ['src/index.ts', 'src/cli/main.ts']

/** Rule, file (or the beginning of its path), and why it may. An entry that nothing needs fails too. */
const exceptions: readonly (readonly [rule: string, file: string, why: string])[] = [
  ['upward type', 'src/native/', 'the ports of src/host and the faces of log and net are types, without code'],
  ['console', 'src/base/logger.ts', 'the default logger writes warnings to stderr, and stderr is all it has'],
  ['dead file', 'src/host/simulated.ts', 'the simulated host; tests and the simulator bring it'],
  ['dead file', 'src/base/prng.ts', 'the seeded source of chance of the simulated host'],
  ['rust file call', 'native/fuzz/src/bin/fuzz.rs', 'libFuzzer reads its seeds from files'],
  ['rust unsafe', 'native/engine/src/vfs/', 'libc calls of the posix Vfs'],
  ['rust unsafe', 'native/reactor/src/os.rs', 'sendfile and socket options'],
  ['rust unsafe', 'native/reactor/src/memory.rs', 'the memory of a large frame is mapped and moved by pages'],
  ['rust unsafe', 'native/reactor/src/transport.rs', 'a buffer is read into before it is initialised'],
  ['rust unsafe', 'native/addon/src/', 'N-API is a C interface'],
]

const readSources = (): Sources => {
  const files = new Map<string, string>()
  const visit = (folder: string): void => {
    for (const entry of readdirSync(inRepository(folder), { withFileTypes: true })) {
      const name = `${folder}/${entry.name}`
      if (entry.isDirectory()) {
        if (!['node_modules', 'target', 'vectors', 'fixtures', 'transcripts', 'results'].includes(entry.name))
          visit(name)
      } else if (/\.(ts|cjs|mjs|rs|md|toml)$/.test(entry.name)) {
        files.set(name, readFileSync(join(inRepository(folder), entry.name), 'utf8'))
      }
    }
  }
  for (const folder of ['src', 'native', 'test', 'bench', 'scripts']) visit(folder)
  return files
}

const sources = readSources()

const excused = new Set<number>()

const remaining = (findings: readonly Finding[]): string[] =>
  findings
    .filter(({ rule, file }) => {
      const index = exceptions.findIndex(([excusedRule, path]) => excusedRule === rule && file.startsWith(path))
      if (index >= 0) excused.add(index)
      return index < 0
    })
    .map(({ rule, file, text }) => `${file}: ${text} (${rule})`)

const tidy = (findings: readonly Finding[]): void => {
  assert.equal(remaining(findings), [])
}

const house = suite('tidy')

house('imports run downward when read room by room', () => tidy(layering(sources)))
house('imports by value make no cycle when followed', () => tidy(cycles(sources)))
house('the addon is opened by one file when imports are read', () => tidy(oneDoor(sources)))
house('clock, chance, timers and process stay in their rooms when code is read', () => tidy(bannedCalls(sources)))
house('every file is reached when imports are followed from the entries', () => tidy(deadFiles(sources, entries)))
house('every export is used when other files are read', () => tidy(unusedExports(sources)))
house('every room and file introduces itself when opened', () => tidy(introductions(sources)))
house('files, clock, chance and unsafe stay in their places when Rust is read', () => tidy(rustPlaces(sources)))
house('no note to self and no foreign path is left when all text is read', () => tidy(leftovers(sources)))
house('comments are no wider than code when their lines are measured', () => tidy(wideComments(sources)))
house('no exception is stale when all rules have been checked', () => {
  const stale = exceptions.filter((_, index) => !excused.has(index))
  assert.equal(stale, [])
})
house.run()

/** The checks themselves, on planted sources: each must find its finding, and nothing in a clean source. */
const planted = suite('tidy checks')

const plant = (...files: [string, string][]): Sources => new Map(files)
const rulesOf = (findings: readonly Finding[]): string[] => findings.map(({ rule }) => rule)

planted('an upward import is found when by value and when by type', () => {
  const upward = plant(
    ['src/base/a.ts', "import { b } from '../broker/b.ts'\nimport type { C } from '../log/c.ts'\n"],
    ['src/broker/b.ts', "import { a } from '../base/a.ts'\n"],
  )
  assert.equal(rulesOf(layering(upward)), ['upward', 'upward type'])
})

planted('a re-export upward is found when it spans lines', () => {
  const found = layering(plant(['src/log/a.ts', "export {\n  b,\n  c,\n} from '../embed/b.ts'\n"]))
  assert.equal(rulesOf(found), ['upward'])
})

planted('a sideways import is found when by value and passes when by type', () => {
  const value = plant(['src/log/a.ts', "import { b } from '../net/b.ts'\n"])
  const types = plant(['src/log/a.ts', "import { type B, type C } from '../net/b.ts'\n"])
  assert.equal(rulesOf(layering(value)), ['sideways'])
  assert.equal(rulesOf(layering(types)), [])
})

planted('a room without a row and an import of the root are found when read', () => {
  assert.equal(rulesOf(layering(plant(['src/attic/a.ts', '']))), ['rows'])
  assert.equal(rulesOf(layering(plant(['src/log/a.ts', "import { x } from '../index.ts'\n"]))), ['upward'])
  assert.equal(rulesOf(layering(plant(['src/log/a.ts', "import x from '../../package.json'\n"]))), ['outside'])
})

planted('an import in a comment or a string is not one when read', () => {
  const source =
    "// import { b } from '../broker/b.ts'\n/* import '../broker/c.ts' */\nconst text = `import('../broker/d.ts')`\n"
  assert.equal(
    rulesOf(layering(plant(['src/base/a.ts', source.replace('`', '"').replace('`', '"').replaceAll("'", '')]))),
    [],
  )
})

planted('a cycle is found when by value and passes when by type', () => {
  const value = plant(
    ['src/log/a.ts', "import { b } from './b.ts'\n"],
    ['src/log/b.ts', "import { c } from './c.ts'\n"],
    ['src/log/c.ts', "export { a } from './a.ts'\n"],
  )
  const types = plant(
    ['src/log/a.ts', "import { b } from './b.ts'\n"],
    ['src/log/b.ts', "import type { A } from './a.ts'\n"],
  )
  assert.equal(rulesOf(cycles(value)), ['cycle'])
  assert.equal(rulesOf(cycles(types)), [])
})

planted('a second door is found when a file opens the addon', () => {
  const found = oneDoor(
    plant(
      ['src/log/a.ts', "const addon = require('../../native/addon/odradek.linux-x64-gnu.node')\n"],
      ['src/native/index.ts', "import binding from './binding.cjs'\n"],
    ),
  )
  assert.equal(found.length, 1)
})

for (const [code, rule] of [
  ['const now = Date.now()', 'clock'],
  ['const now = new Date()', 'clock'],
  ['const now = performance.now()', 'clock'],
  ['const n = Math.random()', 'chance'],
  ['const n = crypto.randomUUID()', 'chance'],
  ['setTimeout(() => {}, 1)', 'timer'],
  ['const t = globalThis.setInterval', 'timer'],
  ['setImmediate(f)', 'timer'],
  ['queueMicrotask(f)', 'microtask'],
  ["process.on('exit', f)", 'process'],
  ["import { readFileSync } from 'node:fs'", 'node'],
  ["const page = fetch('x')", 'fetch'],
  ['const bytes = Buffer.alloc(1)', 'Buffer'],
  ["console.log('x')", 'console'],
  ['const x = await f()', 'top-level await'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: code inside a template is code
  ['const t = `${`a ${Date.now()}`}`', 'clock'],
  ["const a = b / c; const d = 'x'; const e = Date.now() / 2", 'clock'],
] as const) {
  planted(`the rule ${rule} finds ${code} when it is in a broker file`, () => {
    assert.equal(rulesOf(bannedCalls(plant(['src/broker/a.ts', `${code}\n`]))), [rule])
  })
}

planted('a banned name passes when it is in a comment, a string, a regular expression or its own room', () => {
  const harmless =
    "// Date.now()\n/** setTimeout */\nconst a = 'Math.random()'\nconst b = /['\"]Date.now()/\nconst c = `Buffer`\n"
  assert.equal(bannedCalls(plant(['src/broker/a.ts', harmless])), [])
  assert.equal(bannedCalls(plant(['src/host/system.ts', 'const a = Date.now()\nsetTimeout(f, 1)\n'])), [])
})

planted('a dead file is found when no entry reaches it', () => {
  const found = deadFiles(
    plant(
      ['src/index.ts', "export { a } from './log/a.ts'\n"],
      ['src/log/a.ts', ''],
      ['src/log/b.ts', "import { a } from './a.ts'\n"],
    ),
    ['src/index.ts'],
  )
  assert.equal(
    found.map(({ file }) => file),
    ['src/log/b.ts'],
  )
})

planted('an unused export is found when nobody names it', () => {
  const found = unusedExports(
    plant(
      ['src/log/a.ts', 'export const used = 1\nexport function unused() {}\nexport interface Free {}\n'],
      ['src/log/b.ts', "import { used } from './a.ts'\n"],
    ),
  )
  assert.equal(rulesOf(found), ['unused export'])
})

planted('a missing introduction is found when a file or a room has none', () => {
  const found = introductions(
    plant(
      ['src/log/a.ts', 'export const a = 1\n'],
      ['native/engine/src/lib.rs', 'pub mod log;\n'],
      ['native/engine/README.md', '# engine\n'],
    ),
  )
  assert.equal(rulesOf(found), ['header', 'header', 'readme'])
})

for (const [file, code, rule] of [
  ['native/engine/src/log.rs', 'let f = std::fs::read(path);', 'rust file call'],
  ['native/reactor/src/lib.rs', 'let f = OpenOptions::new();', 'rust file call'],
  ['native/engine/src/log.rs', 'libc::fsync(fd);', 'rust system call'],
  ['native/engine/src/log.rs', 'let t = Instant::now();', 'rust clock'],
  ['native/engine/src/sync.rs', 'std::thread::sleep(d);', 'rust clock'],
  ['native/engine/src/log.rs', 'use std::collections::HashMap;', 'rust chance'],
  ['native/engine/src/log.rs', 'unsafe { f() }', 'rust unsafe'],
  ['native/engine/src/log.rs', '#[cfg(test)]\nmod tests { use std::fs; }\nfn f() { unsafe { g() } }', 'rust unsafe'],
] as const) {
  planted(`the rule ${rule} finds ${code.split('\n')[0]} when it is in ${file}`, () => {
    assert.equal(rulesOf(rustPlaces(plant([file, `${code}\n`]))), [rule])
  })
}

planted('Rust passes when a banned call is in the vfs, the driver, a comment or a test', () => {
  const found = rustPlaces(
    plant(
      ['native/engine/src/vfs/posix.rs', 'let f = std::fs::File::open(path); libc::fsync(fd);\n'],
      ['native/engine/src/driver.rs', 'std::thread::sleep(d);\n'],
      [
        'native/engine/src/log.rs',
        '// unsafe\n/* Instant */\n#[cfg(test)]\nmod tests { fn f() { std::fs::read(p); } }\n',
      ],
    ),
  )
  assert.equal(found, [])
})

planted('a note to self is found when it is left in a file', () => {
  const found = leftovers(plant(['src/log/a.ts', `// TO${'DO'} later\n`], ['scripts/x.mjs', `'/wo${'rk'}/main'\n`]))
  assert.equal(rulesOf(found), ['note to self', 'outside path'])
})

planted('a wide comment is found when it is prose and passes when it is an address, a table, a command or code', () => {
  const wide = 'word '.repeat(24)
  const found = wideComments(
    plant(
      ['src/log/a.ts', `/** ${wide}*/\n/**\n * ${wide}\n */\nconst a = '${wide}'\n`],
      ['native/engine/src/a.rs', `//! ${wide}\n/// ${wide}\n    // ${wide}\n`],
      ['scripts/a.mjs', `//   ${wide}\n// https://example.org/${wide}\n * ${wide} | ${wide}\n`],
    ),
  )
  assert.equal(
    found.map(({ file }) => file),
    ['src/log/a.ts', 'src/log/a.ts', ...Array(3).fill('native/engine/src/a.rs')],
  )
})

planted.run()
