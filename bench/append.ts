/**
 * The embedded log beside what else could keep the same bytes: plain files, LMDB, SQLite, fio.
 *
 *   npm run bench -- append [--only a,b] [--rounds 3] [--scale 1] [--out FILE]
 *
 * `--only`: parts of the cases' names. Page cache and fsync are never in one case. `node:sqlite` needs a runtime that
 * has it, as Node 24 does.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { appendCases, folderFor } from './support/append-cases.ts'
import { Report, resultPath } from './support/report.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
    scale: { type: 'string', default: '1' },
    out: { type: 'string', default: resultPath('append') },
  },
})

const parent = mkdtempSync(join(process.env['ODRADEK_BENCH_DIR'] ?? tmpdir(), 'odradek-append-'))
process.on('exit', () => rmSync(parent, { recursive: true, force: true }))
const report = new Report('append', Number(values.scale))
const wanted = values.only.split(',')
const missing = new Set<string>()
for (let round = 1; round <= Number(values.rounds); round++) {
  for (const { name, mode, turns, peers } of appendCases.filter(({ name }) =>
    wanted.some(part => name.includes(part)),
  )) {
    for (let turn = 1; turn <= turns; turn++) {
      for (const [peer, measure] of Object.entries(peers)) {
        const folder = folderFor(parent, name, peer, round, turn)
        const figures = await measure(folder, Number(values.scale))
        rmSync(folder, { recursive: true, force: true })
        if (figures === undefined) missing.add(peer)
        else report.add({ case: name, peer, mode, round: (round - 1) * turns + turn, figures })
      }
    }
  }
}
report.print('openLog', 'fs.writeSync')
for (const peer of missing) process.stdout.write(`not to be had here: ${peer}\n`)
report.write(values.out)
process.stdout.write(`\nwritten to ${values.out}\n`)
