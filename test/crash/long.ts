/**
 * The crashes of this folder for as long as they are wanted: `npm run crash -- power --count 2000 --seed 7 --fs ext4`.
 * Each twenty crashes are a series with a seed and a directory of their own, so that a failure is repeated by its seed
 * alone; `--at-once 2` runs two series beside each other.
 */
import { parseArgs } from 'node:util'
import { kills, powerCuts } from '../support/crash/campaigns.ts'
import { faultRounds } from '../support/crash/fault-rounds.ts'
import { type FileSystem, fileSystems } from '../support/crash/loop-disk.ts'
import type { Fault } from '../support/crash/preload.ts'
import type { CrashReport } from '../support/crash/rounds.ts'

const A_SERIES = 20

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1' },
    fs: { type: 'string' },
    flush: { type: 'string', default: 'group' },
    moves: { type: 'boolean', default: false },
    'at-once': { type: 'string', default: '1' },
  },
})
const count = Number(values.count)
const firstSeed = Number(values.seed)
const atOnce = Number(values['at-once'])
const flush = values.flush === 'os' ? 'os' : 'group'
const [what] = positionals

// What was mounted is unmounted when the process exits, and a signal alone would not let it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))

const say = (text: string): void => void process.stdout.write(`${text}\n`)

const inSeries = async (name: string, run: (seed: number, crashes: number) => Promise<CrashReport>): Promise<void> => {
  let [begun, done, acknowledged, next] = [0, 0, 0, firstSeed]
  const work = async (): Promise<void> => {
    while (begun < count) {
      const seed = next++
      const length = Math.min(A_SERIES, count - begun)
      begun += length
      const report = await run(seed, length)
      done += report.crashes
      acknowledged += report.acknowledged
      say(`${name}: ${done} of ${count}, ${acknowledged} acknowledged, seed ${seed}, flush=${flush}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}

const power = async (): Promise<void> => {
  const chosen = values.fs === undefined ? fileSystems : [values.fs as FileSystem]
  await inSeries(`power cuts on ${chosen.join(' and ')}`, (seed, crashes) => {
    const fs = chosen[seed % chosen.length] as FileSystem
    return powerCuts({ fs, crashes, seed, flush })
  })
}

/** Every n up to `count`, a series of faults on one pair of directories after another. */
const faults = async (): Promise<void> => {
  const plans: readonly [Fault['kind'], Fault['error']][] = [
    ['sync', 'EIO'],
    ['sync', 'ENOSPC'],
    ['write', 'EIO'],
    ['write', 'ENOSPC'],
    ['write', 'short'],
    ['create', 'EIO'],
    ['create', 'ENOSPC'],
    ['rename', 'EIO'],
    ['truncate', 'EIO'],
    ['allocate', 'ENOSPC'],
    ['unlink', 'EIO'],
  ]
  for (const [kind, error] of plans) {
    let [struck, offlineAfterMs] = [0, 0]
    for (let from = 1; from <= count; from += A_SERIES) {
      const length = Math.min(A_SERIES, count - from + 1)
      const series = Array.from({ length }, (_, index): Fault => ({ kind, error, nth: from + index }))
      const report = await faultRounds({ faults: series })
      struck += report.struck
      offlineAfterMs = Math.max(offlineAfterMs, report.offlineAfterMs)
    }
    say(
      `${kind} ${error}: ${struck} of ${count} struck; on a failed directory the last answer came after ${offlineAfterMs} ms`,
    )
  }
}

const programs: Readonly<Record<string, () => Promise<void>>> = {
  power,
  kill: () => inSeries('kill -9', (seed, crashes) => kills({ crashes, seed, flush, moves: values.moves })),
  faults,
}

const program = programs[what ?? '']
if (program === undefined || !(count > 0) || !(atOnce > 0)) {
  say(`power | kill | faults, --count N --seed N --at-once N --flush group|os --moves --fs ${fileSystems.join('|')}`)
  process.exitCode = 2
} else await program()
