/**
 * Runs one test file in this process and writes what happened, line by line as JSON, to a journal. Started by
 * runner.mjs; plain JavaScript, so that every runtime takes it.
 *
 *   node scripts/run-test-file.mjs FILE JOURNAL TIMEOUT_MS
 *
 * uvu gives registration and assertions; the loop that runs the tests is ours, because uvu's own swallows failures: a
 * throwing before or after hook, `throw undefined`, a test that never settles. `run()` of a uvu suite binds its runner
 * to the suite's context; that call is where the context is taken from.
 *
 * Invariants: each line is on disk before the next step begins, so that the parent knows what was running when this
 * process is killed. The last line is `{"event":"end"}`; without it the file did not finish.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { clearTimeout, setTimeout } from 'node:timers'
import { pathToFileURL } from 'node:url'

const [file, journalPath, timeoutText] = process.argv.slice(2)
const defaultTimeoutMs = Number(timeoutText)
const strict = process.env.ODRADEK_REQUIRE === 'all'

const journal = line => appendFileSync(journalPath, `${JSON.stringify(line)}\n`)

/** A thrown value as an error, whatever it was. */
const asError = thrown => {
  if (thrown instanceof Error) return thrown
  if (typeof thrown === 'object' && thrown !== null && typeof thrown.message === 'string') return thrown
  return new Error(`threw ${typeof thrown === 'string' ? JSON.stringify(thrown) : String(thrown)}, not an error`)
}

const describe = thrown => {
  const error = asError(thrown)
  const ours = /run-test-file\.mjs|node_modules\/uvu\/|\(?node:internal\//
  const frames = (error.stack ?? '').split('\n').filter(line => /^\s+at /.test(line) && !ours.test(line))
  const lines = [`${error.name ?? 'Error'}: ${error.message}`, ...frames]
  if (typeof error.details === 'string' && error.details !== '') lines.push(error.details)
  if (error.cause !== undefined) lines.push(`cause: ${describe(error.cause)}`)
  return lines.join('\n')
}

let current
const failed = (name, thrown) => journal({ event: 'fail', name, text: describe(thrown) })

/** Settles as `body` does, or throws after `timeoutMs`: what hangs is left behind and ends with the process. */
const within = async (timeoutMs, body) => {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not end within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    await Promise.race([(async () => body())(), late])
  } finally {
    clearTimeout(timer)
  }
}

const skipReason = thrown => thrown?.[Symbol.for('odradek.skip')]

const skipped = (name, reason) => {
  if (strict) failed(name, new Error(`skipped under ODRADEK_REQUIRE=all: ${reason}`))
  else journal({ event: 'skip', name, reason })
}

const runSuite = async (context, suite, timeoutMs) => {
  const label = name => (suite ? `${suite}: ${name}` : name)
  const hooks = async (list, what) => {
    for (const { handler } of list) {
      try {
        await within(timeoutMs, () => handler(context.state))
      } catch (thrown) {
        if (skipReason(thrown) !== undefined) throw thrown
        throw new Error(`the ${what} hook failed: ${asError(thrown).message}`, { cause: asError(thrown) })
      }
    }
  }
  // uvu's hooks are bare functions, its tests are { name, handler }.
  const asList = list => list.map(entry => (typeof entry === 'function' ? { handler: entry } : entry))
  const before = asList(context.before)
  const after = asList(context.after)
  const beforeEach = asList(context.bEach)
  const afterEach = asList(context.aEach)
  const only = context.only.length > 0
  const tests = only ? context.only : context.tests

  if (tests.length === 0 && context.skips === 0) {
    failed(label('suite'), new Error('the suite registered no test'))
    return
  }
  if (context.skips > 0) {
    failed(
      label('suite'),
      new Error(`${context.skips} tests skipped by test.skip, without a reason: call skip(reason)`),
    )
  }
  if (only) {
    for (const test of context.tests) skipped(label(test.name), 'another test of the suite is marked only')
  }
  let barred
  const begin = name => {
    current = label(name)
    journal({ event: 'start', name: current, timeoutMs })
    context.state.__test__ = name
  }
  begin('before')
  try {
    await hooks(before, 'before')
  } catch (thrown) {
    barred = thrown
    if (skipReason(thrown) === undefined) failed(current, thrown)
  }
  for (const test of tests) {
    begin(test.name)
    const name = current
    const reasonForAll = skipReason(barred)
    if (reasonForAll !== undefined) {
      skipped(name, reasonForAll)
      continue
    }
    if (barred !== undefined) {
      failed(name, new Error('not run: the before hook failed'))
      continue
    }
    const beganMs = Date.now()
    const errors = []
    let reason
    const attempt = async body => {
      try {
        await body()
      } catch (thrown) {
        const given = skipReason(thrown)
        if (given === undefined) errors.push(asError(thrown))
        else reason = given
      }
    }
    await attempt(async () => {
      await hooks(beforeEach, 'before.each')
      await within(timeoutMs, () => test.handler(context.state))
    })
    await attempt(() => hooks(afterEach, 'after.each'))
    for (const error of errors) failed(name, error)
    if (errors.length > 0) continue
    if (reason !== undefined) skipped(name, reason)
    else journal({ event: 'pass', name, ms: Date.now() - beganMs })
  }
  begin('after')
  try {
    await hooks(after, 'after')
  } catch (thrown) {
    failed(current, thrown)
  }
}

/** Names of suites that the source makes and never runs: uvu would pass over them. */
const unrunSuites = () => {
  const source = readFileSync(file, 'utf8')
  const made = [...source.matchAll(/(?:const|let|var)\s+(\w+)\s*=\s*suite\s*(?:<[^>]*>)?\(/g)].map(([, name]) => name)
  return made.filter(name => !new RegExp(`\\b${name}\\s*\\.run\\s*\\(`).test(source))
}

const stray = what => thrown => {
  failed(current ?? file, new Error(`${what}: ${asError(thrown).message}`, { cause: asError(thrown) }))
}
process.on('unhandledRejection', stray('a promise was rejected and nobody was listening'))
process.on('uncaughtException', stray('an exception was thrown outside every test'))

globalThis.UVU_DEFER = 1
globalThis.UVU_QUEUE = [[]]
globalThis.UVU_INDEX = 0

const suites = []
const bind = Function.prototype.bind
const isContext = value =>
  typeof value === 'object' && value !== null && Array.isArray(value.tests) && Array.isArray(value.bEach)
Function.prototype.bind = function (self, ...args) {
  if (isContext(args[0])) suites.push({ context: args[0], name: args[1] ?? '' })
  return bind.call(this, self, ...args)
}

let imported
journal({ event: 'start', name: 'import', timeoutMs: defaultTimeoutMs })
try {
  await within(defaultTimeoutMs, async () => {
    imported = await import(pathToFileURL(file).href)
  })
} catch (thrown) {
  failed('import', thrown)
} finally {
  Function.prototype.bind = bind
}

if (imported !== undefined) {
  const timeoutMs = imported.timeoutMs ?? defaultTimeoutMs
  if (suites.length === 0) {
    failed('import', new Error('the file registered nothing: does every suite end with run()?'))
  } else {
    for (const name of unrunSuites())
      failed('import', new Error(`the suite ${name} is never run: ${name}.run() is missing`))
  }
  for (const { context, name } of suites) await runSuite(context, name, timeoutMs)
  // A rejection of the last test surfaces a turn later.
  await new Promise(resolve => setTimeout(resolve, 10))
}
current = undefined
journal({ event: 'end' })
