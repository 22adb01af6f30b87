/**
 * Where the broker's JavaScript thread was, from the profiles that `ODRADEK_BENCH_PROFILE=FOLDER` makes Node write when
 * a measured broker ends: functions by their own time.
 *
 *   npm run bench -- profile FILE.cpuprofile [COUNT]
 */
import { readFileSync } from 'node:fs'

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[]
  samples: number[]
  timeDeltas: number[]
}

const [file, count = '25'] = process.argv.slice(2)
if (file === undefined) {
  process.stderr.write('name a .cpuprofile\n')
  process.exit(2)
}
const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8')) as Profile
const names = new Map(
  nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
    const place = url.replace(/^.*\/(dist|node_modules)\//, '')
    return [id, `${functionName === '' ? '(anonymous)' : functionName}  ${place}:${lineNumber + 1}`]
  }),
)
const selfUs = new Map<string, number>()
for (const [index, sample] of samples.entries()) {
  const name = names.get(sample) ?? 'unknown'
  selfUs.set(name, (selfUs.get(name) ?? 0) + (timeDeltas[index] ?? 0))
}
const idle = [...selfUs].filter(([name]) => /^\((idle|program)\)/.test(name)).reduce((sum, [, us]) => sum + us, 0)
const all = timeDeltas.reduce((sum, us) => sum + us, 0)
process.stdout.write(`${((all - idle) / 1e6).toFixed(2)} s of work in ${(all / 1e6).toFixed(2)} s\n`)
const busiest = [...selfUs].filter(([name]) => !name.startsWith('(idle)')).sort(([, a], [, b]) => b - a)
for (const [name, us] of busiest.slice(0, Number(count))) {
  process.stdout.write(
    `${(us / 1000).toFixed(1).padStart(10)} ms ${((us / all) * 100).toFixed(1).padStart(6)} %  ${name}\n`,
  )
}
