'use strict'
/**
 * Finds the addon for this platform. One static require for each, each in its own try: the only form that
 * Node, Bun, Deno and `bun build --compile` all take. Never throws: src/native/index.ts says what is wrong
 * when the addon is needed.
 */

/** Why each file that was tried could not be loaded. */
const failures = []
let addon

function attempt(name, load) {
  if (addon !== undefined) return
  try {
    addon = load()
  } catch (error) {
    failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

let override
try {
  override = process.env.ODRADEK_NATIVE_PATH
} catch {
  // A sandbox without access to the environment: then nothing is overridden.
}

const platform = `${process.platform}-${process.arch}`
if (override !== undefined && override !== '') attempt(override, () => require(override))
else if (platform === 'linux-x64') attempt('linux-x64-gnu', () => require('./odradek.linux-x64-gnu.node'))
else if (platform === 'linux-arm64') attempt('linux-arm64-gnu', () => require('./odradek.linux-arm64-gnu.node'))
else if (platform === 'darwin-arm64') attempt('darwin-arm64', () => require('./odradek.darwin-arm64.node'))
else if (platform === 'darwin-x64') attempt('darwin-x64', () => require('./odradek.darwin-x64.node'))
else failures.push('there is no addon for this platform')

module.exports = { addon, failures, platform }
