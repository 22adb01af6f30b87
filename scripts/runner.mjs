/**
 * The test runner: each file in a process of its own (a crash, a hang or a leak stays its own), two at most at once;
 * what starts a JVM, or mounts, runs alone.
 *
 *   node scripts/runner.mjs [--runtime NAME] [--timeout-ms N] [--grace-ms N] PATTERN...
 *
 * A pattern is a file, a folder, or the beginning of a path. Everything that uvu passes over is a failure here: see
 * run-test-file.mjs for what happens inside a file; here a file that ends early or is killed, a pattern that matches
 * nothing, a process that an open handle keeps alive.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { filesBelow, inRoot, isProgram, main, root, say } from './lib.mjs'
import { hostRuntime, runtimeNamed } from './runtimes.mjs'

export const defaultTimeoutMs = 60_000

/** Test files whose path is, or begins with, one of the patterns; a pattern without any is reported by `unmatched`. */
export const matchFiles = patterns => {
  const all = filesBelow('test', name => /\.test\.(ts|mjs)$/.test(name) && !name.startsWith('test/fixtures/'))
  const unmatched = []
  const files = new Set()
  for (const given of patterns) {
    const pattern = given.replace(/^\.\//, '')
    const exact = filesBelow(pattern.replace(/\/[^/]*$/, ''), name => name === pattern && /\.(ts|mjs)$/.test(name))
    const inside = all.filter(name => name.startsWith(`${pattern}/`) || name.startsWith(`${pattern}.`))
    const found = [exact, inside, all.filter(name => name.startsWith(pattern))].find(({ length }) => length > 0) ?? []
    if (found.length === 0) unmatched.push(given)
    for (const name of found) files.add(name)
  }
  return { files: [...files].sort(), unmatched }
}

const readJournal = path => {
  let text
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return []
  }
  // The last line may be half written when the process was killed.
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  return lines.filter(line => line !== '').map(line => JSON.parse(line))
}

const sourceFor = (file, runtime) =>
  runtime.built && file.endsWith('.ts') ? inRoot('dist', file.replace(/\.ts$/, '.js')) : inRoot(file)

/** Process groups of running test files: each file's process leads one, and whatever it started is in it. */
const groups = new Set()

const killGroup = pid => {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nobody is left in it.
  }
}

process.on('exit', () => {
  for (const pid of groups) killGroup(pid)
})
for (const [signal, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15],
]) {
  process.on(signal, () => process.exit(128 + number))
}

/**
 * Runs one file. Resolves to `{ file, runtime, passed: [{name, ms}], failed: [{name, text}], skipped: [{name, reason}],
 * ms, output }`.
 */
export const runFile = (file, { runtime, timeoutMs = defaultTimeoutMs, graceMs = 3_000, env = {} }) =>
  new Promise(resolve => {
    const folder = mkdtempSync(join(tmpdir(), 'odradek-test-'))
    const journalPath = join(folder, 'journal')
    const beganMs = Date.now()
    const child = spawn(
      runtime.command,
      [...runtime.args, inRoot('scripts/run-test-file.mjs'), sourceFor(file, runtime), journalPath, String(timeoutMs)],
      {
        cwd: root,
        // Its own place for temporary files, which is removed behind it, and its own process group.
        env: { ...process.env, NO_COLOR: '1', TMPDIR: folder, ODRADEK_TEST_REMOVED: '1', ...env },
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    if (child.pid !== undefined) groups.add(child.pid)
    let output = ''
    const take = chunk => {
      // Keeps the end: that is where the explanation of a failure is.
      output = (output + chunk).slice(-200_000)
    }
    child.stdout.setEncoding('utf8').on('data', take)
    child.stderr.setEncoding('utf8').on('data', take)

    let killedBecause
    const kill = why => {
      killedBecause = why
      killGroup(child.pid)
    }
    let endedMs
    const watch = setInterval(() => {
      let size
      try {
        size = statSync(journalPath)
      } catch {
        if (Date.now() - beganMs > timeoutMs) kill('did not start')
        return
      }
      const journal = readJournal(journalPath)
      const last = journal.at(-1)
      if (last?.event === 'end') {
        endedMs ??= Date.now()
        if (Date.now() - endedMs > graceMs) kill('open handle')
        return
      }
      // The child times its tests itself; this is for one that keeps its event loop busy.
      const limitMs = journal.findLast(line => line.event === 'start')?.timeoutMs ?? timeoutMs
      if (Date.now() - size.mtimeMs > limitMs + graceMs) kill('hang')
    }, 200)

    let settled = false
    const settle = async (code, signal, startError) => {
      if (settled) return
      settled = true
      clearInterval(watch)
      const journal = readJournal(journalPath)
      if (child.pid !== undefined) {
        killGroup(child.pid)
        groups.delete(child.pid)
      }
      try {
        await rm(folder, { recursive: true, force: true, maxRetries: 3 })
      } catch (error) {
        say(`       left behind: ${folder} (${error.message})`)
      }
      const of = event => journal.filter(line => line.event === event)
      const passed = of('pass')
      const failed = of('fail')
      const ended = journal.at(-1)?.event === 'end'
      const running = journal.findLast(line => line.event === 'start')?.name ?? 'start'
      if (startError !== undefined) failed.push({ name: 'start', text: `${runtime.command}: ${startError.message}` })
      else if (killedBecause === 'open handle') {
        failed.push({
          name: 'exit',
          text: `all tests ended, but something open kept the process alive for ${graceMs} ms; it was killed`,
        })
      } else if (killedBecause !== undefined) {
        failed.push({
          name: running,
          text: `kept the process busy past its time limit; it was killed (${killedBecause})`,
        })
      } else if (!ended) {
        failed.push({ name: running, text: `the process ended early (${signal ?? `exit code ${code}`})` })
      } else if (code !== 0 && failed.length === 0) {
        failed.push({
          name: 'exit',
          text: `all tests passed, but the process ended with ${signal ?? `exit code ${code}`}`,
        })
      }
      resolve({ file, runtime: runtime.name, passed, failed, skipped: of('skip'), ms: Date.now() - beganMs, output })
    }
    child.on('error', error => settle(undefined, undefined, error))
    // Not `close`: a grandchild that holds the pipe must not hold us.
    child.on('exit', (code, signal) => setTimeout(() => settle(code, signal), 20))
  })

const runsAlone = file =>
  /^test\/(clients|crash|runtimes)\//.test(file) ||
  /\brequires\([^)]*'(java|kafka|mount)'/.test(readFileSync(inRoot(file), 'utf8'))

const indent = (text, by) => text.replace(/^(?=.)/gm, by)

const report = ({ file, runtime, passed, failed, skipped, ms, output }, write) => {
  const counts = [
    `${passed.length} passed`,
    ...(failed.length > 0 ? [`${failed.length} failed`] : []),
    ...(skipped.length > 0 ? [`${skipped.length} skipped`] : []),
  ].join(', ')
  const label = runtime === 'host' ? file : `${file} [${runtime}]`
  write(`${failed.length > 0 ? 'FAIL' : ' ok '} ${label}  ${counts}  ${(ms / 1000).toFixed(1)} s`)
  for (const { name, reason } of skipped) write(`       skipped: ${name} (${reason})`)
  for (const { name, text } of failed) write(`     x ${name}\n${indent(text, '         ')}`)
  if (failed.length > 0 && output.trim() !== '') write(`     output:\n${indent(output.trimEnd(), '       | ')}`)
}

/** Runs the jobs `{ file, runtime, env?, label? }`, two at a time where they may; resolves to their results. */
export const runJobs = async (jobs, { timeoutMs, graceMs, write = line => process.stdout.write(`${line}\n`) } = {}) => {
  const results = []
  const one = async ({ file, runtime, env, label }) => {
    const options = { runtime, env, ...(timeoutMs && { timeoutMs }), ...(graceMs && { graceMs }) }
    const result = await runFile(file, options)
    if (label !== undefined) result.runtime = label
    results.push(result)
    report(result, write)
  }
  const together = jobs.filter(({ file }) => !runsAlone(file))
  const alone = jobs.filter(({ file }) => runsAlone(file))
  const lane = async () => {
    for (let job = together.shift(); job !== undefined; job = together.shift()) await one(job)
  }
  await Promise.all([lane(), lane()])
  for (const job of alone) await one(job)
  return results
}

export const total = results => ({
  passed: results.reduce((sum, { passed }) => sum + passed.length, 0),
  failed: results.reduce((sum, { failed }) => sum + failed.length, 0),
  skipped: results.reduce((sum, { skipped }) => sum + skipped.length, 0),
})

export const summary = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped} skipped`

if (isProgram(import.meta.url)) {
  await main(async args => {
    const take = flag => {
      const at = args.indexOf(flag)
      return at < 0 ? undefined : args.splice(at, 2)[1]
    }
    const runtimeName = take('--runtime')
    const timeoutMs = Number(take('--timeout-ms') ?? defaultTimeoutMs)
    const graceMs = Number(take('--grace-ms') ?? 3_000)
    const runtime = runtimeName === undefined ? hostRuntime() : runtimeNamed(runtimeName)
    const { files, unmatched } = matchFiles(args.length > 0 ? args : ['test/'])
    const results = await runJobs(
      files.map(file => ({ file, runtime })),
      { timeoutMs, graceMs },
    )
    for (const pattern of unmatched) {
      process.stdout.write(`FAIL ${pattern}: no test file\n`)
      results.push({ passed: [], failed: [{ name: pattern, text: 'no test file' }], skipped: [] })
    }
    const counts = total(results)
    if (counts.passed + counts.failed + counts.skipped === 0) counts.failed = 1
    process.stdout.write(`\n${summary(counts)}\n`)
    return counts.failed > 0 ? 1 : 0
  })
}
