/**
 * What the other scripts share: where the repository is, how to run a program, how to speak. Plain Node 20 and nothing
 * installed, because these run before anything is. Progress goes to stderr: stdout belongs to what is started.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

export const inRoot = (...parts) => join(root, ...parts)

export const say = text => process.stderr.write(`${text}\n`)

/** An expected failure: its message is all that the user needs to read. */
export class Failure extends Error {}

/** Runs `body`; an expected failure ends the process with one line, anything else with its stack. */
export const main = async body => {
  try {
    process.exitCode = (await body(process.argv.slice(2))) ?? process.exitCode ?? 0
  } catch (error) {
    say(error instanceof Failure ? `error: ${error.message}` : (error?.stack ?? String(error)))
    process.exitCode = 1
  }
}

/** Is the module at `url` (its `import.meta.url`) the program that Node was asked to run? */
export const isProgram = url => process.argv[1] !== undefined && fileURLToPath(url) === process.argv[1]

/**
 * Runs a program from the repository's root and resolves to its exit code, signal as 128 + n; both its outputs go to
 * our stderr unless `capture`, which returns them as one text.
 */
export const run = (command, args, { capture = false, cwd = root, env = {}, onOutput } = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', capture ? 'pipe' : 2, capture ? 'pipe' : 2],
    })
    let output = ''
    const take = chunk => {
      output += chunk
      onOutput?.(chunk)
    }
    child.stdout?.setEncoding('utf8').on('data', take)
    child.stderr?.setEncoding('utf8').on('data', take)
    child.on('error', error =>
      reject(error.code === 'ENOENT' ? new Failure(`the program ${command} is not installed`) : error),
    )
    child.on('close', (code, signal) => resolve({ code: signal ? 128 : code, signal, output }))
  })

/** As `run`, but a non-zero exit is a failure. */
export const must = async (command, args, options = {}) => {
  const result = await run(command, args, options)
  if (result.code !== 0) {
    if (options.capture) say(result.output)
    throw new Failure(`${[command, ...args].join(' ')} failed (${result.signal ?? `exit code ${result.code}`})`)
  }
  return result
}

const unvisited = new Set(['node_modules', 'target', 'dist', '.git'])

/** Every file below `folder` (relative to the root), sorted, as paths relative to the root with forward slashes. */
export const filesBelow = (folder, accept = () => true) => {
  const found = []
  const visit = path => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const child = join(path, entry.name)
      if (entry.isDirectory()) {
        if (!unvisited.has(entry.name)) visit(child)
      } else {
        const name = relative(root, child).replaceAll('\\', '/')
        if (accept(name)) found.push(name)
      }
    }
  }
  if (existsSync(inRoot(folder))) visit(inRoot(folder))
  return found.sort()
}

/** One hash over names and contents. */
export const hashOf = files => {
  const hash = createHash('sha256')
  for (const file of files)
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(inRoot(file)))
      .update('\0')
  return hash.digest('hex')
}

export const readJson = path => {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}
