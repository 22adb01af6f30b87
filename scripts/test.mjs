/**
 * `npm test`: sets up by itself, runs every test of the repository in both languages, and closes with one line,
 * `N passed, N failed, N skipped`.
 *
 *   npm test                            everything
 *   npm test -- test/broker native      only what begins with these; `native` is the Rust part
 *   npm test -- --runtime deno test/net in one of node20, node24, bun, deno instead of the Node that runs us
 *
 * The boundary part (what touches the addon) runs in each of the four runtimes, and once more with the addon that loses
 * wake-ups. All results are left in dist/test-results.json.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { build, typeCheck } from './build.mjs'
import { buildNative } from './build-native.mjs'
import { Failure, inRoot, main, run, say } from './lib.mjs'
import { notesPath, unproven } from './readme.mjs'
import { matchFiles, runJobs, summary, total } from './runner.mjs'
import { hostRuntime, runtimeNamed, runtimes } from './runtimes.mjs'
import { setup } from './setup.mjs'

const boundary = ['test/native/', 'test/net/', 'test/log/', 'test/embed/', 'test/runtimes/']
const lossyBoundary = ['test/native/', 'test/net/']

const write = line => process.stdout.write(`${line}\n`)

/** One step that is not a test file, counted as one test: it returns what is wrong, or an empty text. */
const step = async (name, body) => {
  const beganMs = Date.now()
  let text
  try {
    text = await body()
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    text = error.message
  }
  const result = { file: name, runtime: 'host', passed: [], failed: [], skipped: [], ms: Date.now() - beganMs }
  if (text === '') result.passed.push({ name })
  else result.failed.push({ name, text })
  write(`${text === '' ? ' ok ' : 'FAIL'} ${name}  ${(result.ms / 1000).toFixed(1)} s${text === '' ? '' : `\n${text}`}`)
  return result
}

/** Cargo's own lines, counted: `test NAME ... ok`, `FAILED`, `ignored, REASON`. */
const readCargo = (output, code) => {
  const result = { file: 'native', runtime: 'rust', passed: [], failed: [], skipped: [] }
  for (const [, name, verdict, reason] of output.matchAll(/^test (.+?) \.\.\. (ok|FAILED|ignored)(?:, (.*))?$/gm)) {
    if (verdict === 'ok') result.passed.push({ name })
    else if (verdict === 'FAILED') result.failed.push({ name, text: 'see the output of cargo above' })
    else if (process.env.ODRADEK_REQUIRE === 'all') {
      result.failed.push({ name, text: `ignored under ODRADEK_REQUIRE=all: ${reason ?? 'no reason'}` })
    } else result.skipped.push({ name, reason: reason ?? 'ignored' })
  }
  // The sums are cargo's; a test that prints while it runs may hide its own line.
  let passed = 0
  for (const [, count] of output.matchAll(/^test result: \w+\. (\d+) passed;/gm)) passed += Number(count)
  while (result.passed.length < passed) result.passed.push({ name: 'a test that printed into its own line' })
  if (code !== 0 && result.failed.length === 0) result.failed.push({ name: 'cargo test', text: `exit code ${code}` })
  return result
}

const testRust = async () => {
  const beganMs = Date.now()
  const { code, output } = await run('cargo', ['test', '--workspace', '--no-fail-fast', '--color', 'never'], {
    capture: true,
  })
  const result = { ...readCargo(output, code), ms: Date.now() - beganMs }
  if (code !== 0) write(output)
  const { passed, failed, skipped } = total([result])
  const verdict = failed > 0 ? 'FAIL' : ' ok '
  write(`${verdict} native  ${summary({ passed, failed, skipped })}  ${(result.ms / 1000).toFixed(1)} s`)
  return result
}

const isIn = (file, folders) => folders.some(folder => file.startsWith(folder))

await main(async args => {
  const at = args.indexOf('--runtime')
  const runtimeName = at < 0 ? undefined : args.splice(at, 2)[1]
  const everything = args.length === 0
  const patterns = args.filter(pattern => pattern !== 'native')
  const chosen = runtimeName === undefined ? hostRuntime() : runtimeNamed(runtimeName)
  if (chosen === undefined) throw new Failure(`no runtime ${runtimeName}: node20, node24, bun or deno`)

  const results = []
  const { files, unmatched } = matchFiles(everything ? ['test/'] : patterns)
  for (const pattern of unmatched) {
    write(`FAIL ${pattern}: no test file`)
    results.push({ file: pattern, runtime: 'host', passed: [], failed: [{ name: 'no test file' }], skipped: [] })
  }
  if (everything || files.length > 0) {
    await setup()
    for (const folder of ['test/runtimes', 'test/clients']) {
      if (existsSync(inRoot(folder, 'package-lock.json'))) await setup(folder)
    }
    results.push(await step('the addon builds', async () => (await buildNative()) && ''))
    if (everything) results.push(await step('types', typeCheck))
    await build({ all: true, lenient: true })
  }
  if (everything || args.includes('native')) results.push(await testRust())

  if (!everything) {
    const jobs = files.map(file => ({ file, runtime: chosen }))
    results.push(...(await runJobs(jobs, { write })))
  } else {
    mkdirSync(inRoot('dist'), { recursive: true })
    writeFileSync(notesPath, '')
    process.env.ODRADEK_WORKS_WITH = notesPath
    const own = files.filter(file => !isIn(file, boundary)).map(file => ({ file, runtime: chosen }))
    results.push(...(await runJobs(own, { write })))
    const everywhere = runtimes().flatMap(runtime =>
      files.filter(file => isIn(file, boundary)).map(file => ({ file, runtime })),
    )
    results.push(...(await runJobs(everywhere, { write })))

    let lossy
    results.push(
      await step('the addon that loses wake-ups builds', async () => {
        lossy = await buildNative({ lossy: true })
        return ''
      }),
    )
    if (lossy !== undefined) {
      const env = { ODRADEK_NATIVE_PATH: inRoot(lossy) }
      const jobs = runtimes().flatMap(runtime =>
        files
          .filter(file => isIn(file, lossyBoundary))
          .map(file => ({ file, runtime, env, label: `${runtime.name}, losing wake-ups` })),
      )
      results.push(...(await runJobs(jobs, { write })))
    }
  }

  if (everything && process.env.ODRADEK_REQUIRE === 'all') {
    results.push(await step('what the README says of clients was shown again', async () => unproven().join('\n')))
  }

  const counts = total(results)
  if (counts.passed + counts.failed + counts.skipped === 0) {
    say('nothing was tested')
    counts.failed = 1
  }
  mkdirSync(inRoot('dist'), { recursive: true })
  writeFileSync(
    inRoot('dist/test-results.json'),
    `${JSON.stringify(
      results.map(({ output, ...result }) => result),
      null,
      1,
    )}\n`,
  )
  const broken = results.filter(({ failed }) => failed.length > 0)
  if (broken.length > 0) write('\nfailed:')
  for (const { file, runtime, failed } of broken) {
    for (const { name } of failed) write(`  ${file} [${runtime}] ${name}`)
  }
  write(`\n${summary(counts)}`)
  return counts.failed > 0 ? 1 : 0
})
