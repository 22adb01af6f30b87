/**
 * Installs the npm packages of a folder when they are missing or not those of its lockfile; else does nothing.
 *
 *   node scripts/setup.mjs [FOLDER...]     the root when none is named
 */
import { join } from 'node:path'
import { inRoot, isProgram, main, must, readJson, say } from './lib.mjs'

/** Compares what npm says it installed with the lockfile, version by version. */
const isInstalled = folder => {
  const wanted = readJson(join(folder, 'package-lock.json'))?.packages
  const present = readJson(join(folder, 'node_modules', '.package-lock.json'))?.packages
  if (wanted === undefined || present === undefined) return false
  for (const [name, entry] of Object.entries(wanted)) {
    if (name === '' || entry.optional || entry.link) continue
    if (present[name]?.version !== entry.version) return false
  }
  return true
}

export const setup = async (name = '.') => {
  const folder = inRoot(name)
  if (isInstalled(folder)) return
  say(`installing the npm packages of ${name === '.' ? 'the repository' : name}`)
  // Not `npm ci`: it refuses a lockfile that lacks other platforms' optional packages, which npm leaves out when it
  // can't see them (npm/cli#4828). This installs the locked versions too, adds this platform's, and writes no lockfile.
  await must('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder })
}

if (isProgram(import.meta.url)) {
  await main(async folders => {
    for (const folder of folders.length > 0 ? folders : ['.']) await setup(folder)
  })
}
