/**
 * The runtimes that the suite runs in. The four of test/runtimes come from npm; the host is the Node that runs us.
 * `built`: it can't run TypeScript, so it gets dist/.
 */
import { inRoot } from './lib.mjs'

const stripsTypes = () => {
  const [major, minor] = process.versions.node.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 18)
}

export const hostRuntime = () => ({ name: 'host', command: process.execPath, args: [], built: !stripsTypes() })

const installed = path => inRoot('test/runtimes/node_modules', path)

export const runtimes = () => [
  { name: 'node20', command: installed('node20/bin/node'), args: [], built: true },
  { name: 'node24', command: installed('node24/bin/node'), args: [], built: false },
  { name: 'bun', command: installed('@oven/bun-linux-x64/bin/bun'), args: ['run'], built: false },
  { name: 'deno', command: installed('@deno/linux-x64-glibc/deno'), args: ['run', '-A', '--no-check'], built: false },
]

export const runtimeNamed = name => [hostRuntime(), ...runtimes()].find(runtime => runtime.name === name)
