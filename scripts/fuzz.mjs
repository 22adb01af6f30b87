/**
 * `npm run fuzz`: one target of native/fuzz under libFuzzer, which changes inputs by the code that they reach. The same
 * targets run for a moment each in `npm test`.
 *
 *   npm run fuzz                                       lists the targets
 *   npm run fuzz -- skim --seconds 600 --seed 7        one of them; "all" takes each in turn, for so long each
 *   npm run fuzz -- skim --input FILE                  one input alone, as a failure has kept it
 *
 * What was found worth keeping stays in target/fuzz/corpus and is where the next run begins; an input that fails is
 * kept in target/fuzz/failures.
 */
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Failure, inRoot, main, must, run, say } from './lib.mjs'

const folder = join(process.env.CARGO_TARGET_DIR ?? inRoot('target'), 'fuzz')

/** Coverage of our Rust code, in the form that libFuzzer reads. Only for the target: build scripts must not have it. */
const instrumented = [
  '-Cpasses=sancov-module',
  '-Cllvm-args=-sanitizer-coverage-level=4',
  '-Cllvm-args=-sanitizer-coverage-inline-8bit-counters',
  '-Cllvm-args=-sanitizer-coverage-pc-table',
  '-Cllvm-args=-sanitizer-coverage-trace-compares',
  '-Ccodegen-units=1',
].join(' ')

const listTargets = async () => {
  const options = { capture: true, env: { RUSTFLAGS: '' } }
  const { output } = await must('cargo', ['run', '--quiet', '-p', 'odradek-fuzz', '--bin', 'targets'], options)
  return output
    .split('\n')
    .filter(line => line.includes('\t'))
    .map(line => line.split('\t'))
}

const build = async () => {
  const { output } = await must('rustc', ['-vV'], { capture: true })
  const host = /^host: (.+)$/m.exec(output)?.[1]
  if (host === undefined) throw new Failure('rustc does not name its host')
  const program = ['-p', 'odradek-fuzz', '--bin', 'fuzz', '--features', 'libfuzzer']
  await must('cargo', ['build', '--quiet', '--profile', 'proof', '--target', host, ...program], {
    env: { RUSTFLAGS: instrumented, CARGO_TARGET_DIR: folder },
  })
  return join(folder, host, 'proof', 'fuzz')
}

const wholeNumber = (name, text) => {
  if (!/^\d+$/.test(text ?? '')) throw new Failure(`${name} takes a whole number`)
  return Number(text)
}

const fuzz = async (binary, name, { seconds, seed, input }) => {
  const corpus = join(folder, 'corpus', name)
  const failures = join(folder, 'failures')
  mkdirSync(corpus, { recursive: true })
  mkdirSync(failures, { recursive: true })
  const limits = ['-timeout=10', '-rss_limit_mb=1024', '-malloc_limit_mb=256', '-max_len=8192', '-print_final_stats=1']
  const chosen =
    input === undefined
      ? [`-max_total_time=${seconds}`, ...(seed === undefined ? [] : [`-seed=${seed}`]), corpus]
      : [resolve(input)]
  const { code } = await run(binary, [...limits, `-artifact_prefix=${join(failures, name)}-`, ...chosen], {
    env: { ODRADEK_FUZZ_TARGET: name, ...(input === undefined && { ODRADEK_FUZZ_CORPUS: corpus }) },
  })
  return code
}

await main(async args => {
  const options = { seconds: 60 }
  const names = []
  for (let at = 0; at < args.length; at += 1) {
    if (args[at] === '--seconds') options.seconds = wholeNumber('--seconds', args[++at])
    else if (args[at] === '--seed') options.seed = wholeNumber('--seed', args[++at])
    else if (args[at] === '--input') options.input = args[++at]
    else names.push(args[at])
  }
  const targets = await listTargets()
  if (names.length === 0) {
    for (const [name, what] of targets) say(`${name.padEnd(16)}${what}`)
    return 0
  }
  const known = targets.map(([name]) => name)
  const unknown = names.find(name => name !== 'all' && !known.includes(name))
  if (unknown !== undefined) throw new Failure(`no target ${unknown}: ${known.join(', ')}`)
  const binary = await build()
  for (const name of names.includes('all') ? known : names) {
    say(`fuzz ${name}`)
    const code = await fuzz(binary, name, options)
    if (code !== 0) throw new Failure(`${name} failed; its input is in ${join(folder, 'failures')}`)
  }
  return 0
})
