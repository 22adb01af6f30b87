/** Starts other programs of the suite in the runtime that runs this one. */
import { type Running, type RunOptions, startProgram } from './process.ts'

/** How a file of the suite is called here: as it is, or as it was built. */
export function siblingUrl(name: string, from: string): URL {
  return new URL(`${name}.${from.endsWith('.ts') ? 'ts' : 'js'}`, from)
}

export function startSibling(url: URL, args: readonly string[], options: RunOptions = {}): Running {
  const flags = 'Deno' in globalThis ? ['run', '-A', '--no-check'] : []
  return startProgram(process.execPath, [...flags, url.pathname, ...args], options)
}
