/**
 * Switches the engine's bugs on, one at a time, and runs the one test that must notice each. One build has them all.
 *
 * Invariant: a test passes without a bug and fails with it; one that passes all the same is a failure, and so
 * is one that does not run.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { inRepository } from '../support/paths.ts'
import { inStorage, type StorageBug } from './storage.ts'

/** A bug may make a test hang. */
const PATIENCE_MS = 300_000

interface Ran {
  readonly code: number | null
  readonly output: string
}

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: inRepository(''),
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: PATIENCE_MS * 10,
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.on('error', reject)
    child.on('close', code => resolve({ code, output }))
  })
}

/** Builds the Rust tests with all bugs in them; the program of each test file, by its path below native/. */
async function build(): Promise<ReadonlyMap<string, string>> {
  const packages = ['-p', 'odradek-engine', '-p', 'odradek-proof', '--features', 'odradek-engine/planted']
  const { code, output } = await run(
    'cargo',
    ['test', ...packages, '--no-run', '--message-format=json', '--quiet'],
    process.env,
  )
  if (code !== 0) throw new Error('the engine with planted bugs does not build: cargo test --features planted says why')
  const programs = new Map<string, string>()
  for (const line of output.split('\n').filter(Boolean)) {
    const { executable, target } = JSON.parse(line) as { executable?: string; target?: { src_path: string } }
    if (!executable || target === undefined) continue
    programs.set(target.src_path.slice(join(inRepository(''), 'native/').length).replaceAll('\\', '/'), executable)
  }
  return programs
}

/** @returns what is wrong; undefined: as it has to be. */
async function check(program: string, bug: StorageBug, planted: boolean): Promise<string | undefined> {
  const { ODRADEK_PLANTED: _, ...env } = process.env
  const plants = planted ? { ODRADEK_PLANTED: bug.name } : {}
  const { output } = await run(program, ['--exact', bug.red], { ...env, ...plants })
  if (!output.includes('running 1 test')) return `there is no test ${bug.red}`
  const passed = output.includes(`test ${bug.red} ... ok`)
  if (planted) return passed ? `${bug.red} passes` : undefined
  return passed ? undefined : `${bug.red} fails without any bug`
}

/**
 * Plants those with `part` in their names.
 *
 * @returns how many, and how many were missed.
 */
export async function plantStorage(part: string): Promise<{ readonly planted: number; readonly wrong: number }> {
  const chosen = inStorage.filter(bug => bug.name.includes(part))
  if (chosen.length === 0) return { planted: 0, wrong: 0 }
  const programs = await build()
  let wrong = 0
  const sound = new Set<string>()
  for (const bug of chosen) {
    const program = programs.get(bug.test)
    const act = async (): Promise<string | undefined> => {
      if (program === undefined) return `native/${bug.test} was not built`
      const broken = sound.has(bug.red) ? undefined : await check(program, bug, false)
      sound.add(bug.red)
      return broken ?? check(program, bug, true)
    }
    const fault = await act()
    if (fault !== undefined) wrong++
    console.log(fault === undefined ? `noticed  ${bug.name}` : `MISSED   ${bug.name}: ${fault}`)
  }
  return { planted: chosen.length, wrong }
}
