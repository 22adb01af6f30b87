/**
 * Are the tests worth anything? Plants one bug after another into a copy of the sources and runs the test that must notice.
 *
 * Invariants: the repository itself is not touched. A bug whose place is not found, or whose test passes, is a failure.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inRepository } from './paths.ts'

export interface PlantedBug {
  readonly name: string
  /** Under src. */
  readonly file: string
  /** Text that is in the file. */
  readonly from: string
  readonly to: string
  /** The test file that must fail. */
  readonly test: string
}

const TIMEOUT_MS = 120_000

/** Prints a line for each bug. @returns how many went unnoticed. `filter`: only bugs whose name holds it. */
export function plantBugs(bugs: readonly PlantedBug[], filter = ''): number {
  const copy = mkdtempSync(join(tmpdir(), 'planted-'))
  try {
    for (const part of ['src', 'test/coordinator', 'test/support', 'package.json', 'tsconfig.json']) {
      cpSync(inRepository(part), join(copy, part), { recursive: true })
    }
    for (const part of ['node_modules', 'native', 'dist', 'test/vectors'])
      symlinkSync(inRepository(part), join(copy, part))
    const unnoticed = bugs.filter(bug => bug.name.includes(filter)).filter(bug => !isNoticed(copy, bug))
    console.log(`${unnoticed.length} unnoticed`)
    return unnoticed.length
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function isNoticed(copy: string, bug: PlantedBug): boolean {
  const path = join(copy, 'src', bug.file)
  const source = readFileSync(path, 'utf8')
  if (!source.includes(bug.from)) {
    console.log(`LOST     ${bug.name}: its place in ${bug.file} is gone`)
    return false
  }
  writeFileSync(
    path,
    source.replace(bug.from, () => bug.to),
  )
  const { status } = spawnSync(process.execPath, [bug.test], { cwd: copy, timeout: TIMEOUT_MS })
  writeFileSync(path, source)
  console.log(`${status === 0 ? 'MISSED  ' : 'noticed '} ${bug.name} (${bug.test})`)
  return status !== 0
}
