/**
 * Are the tests worth anything? Plants one bug after another into copies of the sources and runs the test file that
 * must notice: `npm run planted [-- part of a bug's name]`.
 *
 * Invariants: the repository itself is not touched. A test file passes without the bug and fails with it, in the very
 * test that was named; a bug whose place is not found is a failure too.
 */
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { inRepository } from '../support/paths.ts'
import type { PlantedBug } from './bug.ts'
import { bugs } from './bugs.ts'
import { plantStorage } from './plant-storage.ts'

const COPIES = 2
/** A bug may make a test hang. */
const PATIENCE_MS = 30_000
/** Tests that draw histories draw those of one seed after another until the bug shows, the same ones each time. */
const SEEDS = [1, 2, 3]

/** Read by tests and not changed. */
const shared = ['node_modules', 'native', 'dist', 'test/vectors', 'test/fixtures', 'Cargo.toml', 'package.json']
const copied = ['src', 'scripts', 'test/coordinator', 'test/timeline', 'test/support']

interface Run {
  readonly failed: readonly string[]
  readonly took: number
}

function makeCopy(): string {
  const copy = mkdtempSync(join(tmpdir(), 'planted-'))
  for (const part of copied) cpSync(inRepository(part), join(copy, part), { recursive: true })
  for (const part of shared) {
    if (!existsSync(inRepository(part))) continue
    mkdirSync(dirname(join(copy, part)), { recursive: true })
    symlinkSync(inRepository(part), join(copy, part))
  }
  return copy
}

/** Runs one test file of a copy; its names of tests that failed, or were running when the process ended. */
function runTests(copy: string, test: string, seed: number): Promise<Run> {
  const began = performance.now()
  const journal = join(copy, 'journal')
  rmSync(journal, { force: true })
  const runner = join(copy, 'scripts/run-test-file.mjs')
  return new Promise((resolve, reject) => {
    const file = join(copy, 'test', test)
    const args = ['--no-warnings', runner, file, journal, String(PATIENCE_MS)]
    // The longer histories are for other times.
    const { ODRADEK_RUNS: _, ...inherited } = process.env
    const env = { ...inherited, ODRADEK_SEED: String(seed) }
    const child = spawn(process.execPath, args, { cwd: copy, env, stdio: 'ignore', timeout: PATIENCE_MS * 4 })
    child.on('error', reject)
    child.on('exit', () => resolve({ failed: failuresIn(journal), took: performance.now() - began }))
  })
}

interface JournalLine {
  readonly event: 'start' | 'pass' | 'skip' | 'fail' | 'end'
  readonly name: string
}

function failuresIn(journal: string): string[] {
  if (!existsSync(journal)) return ['start']
  const lines = readFileSync(journal, 'utf8').split('\n').filter(Boolean)
  const events = lines.map(line => JSON.parse(line) as JournalLine)
  const failed = events.filter(({ event }) => event === 'fail').map(({ name }) => name)
  if (events.at(-1)?.event === 'end') return failed
  const running = events.findLast(({ event }) => event === 'start')?.name
  return [...failed, ...(running === undefined ? [] : [running])]
}

/** @returns what is wrong; undefined: the bug was noticed. */
async function plant(copy: string, bug: PlantedBug): Promise<string | undefined> {
  const path = join(copy, 'src', bug.file)
  const source = readFileSync(path, 'utf8')
  const places = source.split(bug.from).length - 1
  if (places !== 1) return `its text is ${places} times in src/${bug.file}`
  writeFileSync(
    path,
    source.replace(bug.from, () => bug.to),
  )
  try {
    let failed: readonly string[] = []
    for (const seed of SEEDS) {
      failed = (await runTests(copy, bug.test, seed)).failed
      if (failed.some(name => name.endsWith(bug.red))) return undefined
      if (failed.length > 0) break
    }
    return failed.length === 0
      ? `test/${bug.test} passes`
      : `"${bug.red}" passes; what fails is\n${failed.map(name => `             ${name}`).join('\n')}`
  } finally {
    writeFileSync(path, source)
  }
}

/** Takes each item to the next copy that is free. */
async function shareOut<T>(
  copies: readonly string[],
  items: readonly T[],
  act: (copy: string, item: T) => Promise<void>,
) {
  const left = [...items]
  const work = async (copy: string): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await act(copy, item)
  }
  await Promise.all(copies.map(work))
}

/** Plants those of the sources. */
async function plantSources(part: string): Promise<{ readonly planted: number; readonly wrong: number }> {
  const chosen = bugs.filter(bug => bug.name.includes(part))
  if (chosen.length === 0) return { planted: 0, wrong: 0 }
  const copies = Array.from({ length: COPIES }, makeCopy)
  process.on('exit', () => {
    for (const copy of copies) rmSync(copy, { recursive: true, force: true })
  })
  process.on('SIGINT', () => process.exit(130))
  process.on('SIGTERM', () => process.exit(143))
  let wrong = 0
  await shareOut(copies, [...new Set(chosen.map(bug => bug.test))], async (copy, test) => {
    const { failed, took } = await runTests(copy, test, SEEDS[0] as number)
    if (failed.length === 0) return
    wrong++
    console.log(`BROKEN   test/${test} fails without any bug, after ${Math.round(took)} ms: ${failed.join('; ')}`)
  })
  await shareOut(copies, chosen, async (copy, bug) => {
    const fault = await plant(copy, bug)
    if (fault !== undefined) wrong++
    console.log(fault === undefined ? `noticed  ${bug.name}` : `MISSED   ${bug.name}: ${fault}`)
  })
  return { planted: chosen.length, wrong }
}

async function main(part: string): Promise<number> {
  const inSources = await plantSources(part)
  const inEngine = await plantStorage(part)
  const [planted, wrong] = [inSources.planted + inEngine.planted, inSources.wrong + inEngine.wrong]
  if (planted === 0) {
    console.log(`no bug has "${part}" in its name`)
    return 1
  }
  console.log(`${planted} bugs planted, ${wrong === 0 ? 'all noticed' : `${wrong} failures`}`)
  return wrong === 0 ? 0 : 1
}

process.exitCode = await main(process.argv[2] ?? '')
