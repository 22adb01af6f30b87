/**
 * Appending to an embedded log from JavaScript, beside `fs.writeSync` of the same bytes without framing, checksum or index:
 * `npm run bench -- micro/append [--out FILE]`. Nanoseconds for each record (page cache), and microseconds for each of 64
 * durable appends in flight and for one alone (fsync).
 */
import { closeSync, fdatasyncSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { Bench } from 'tinybench'
import { openLog } from '../../src/index.ts'
import { machine } from '../support/machine.ts'

/** Records in one measured call, so that reading the clock does not count. */
const BATCH = 100
const IN_FLIGHT = 64

const { values } = parseArgs({ options: { out: { type: 'string' } } })
const folder = mkdtempSync(join(process.env['ODRADEK_BENCH_DIR'] ?? tmpdir(), 'odradek-append-'))
const log = await openLog({ dir: join(folder, 'append-0') })
const file = openSync(join(folder, 'plain'), 'w')
const bench = new Bench({ time: 1500, warmupTime: 500 })
for (const size of [100, 1024]) {
  const value = new Uint8Array(size).fill(7)
  bench.add(`openLog append ${size} B, page cache`, () => {
    for (let index = 0; index < BATCH; index++) log.append(value)
  })
  bench.add(`fs.writeSync ${size} B, page cache`, () => {
    for (let index = 0; index < BATCH; index++) writeSync(file, value)
  })
  bench.add(`openLog appendDurable ${size} B, ${IN_FLIGHT} in flight, fsync`, async () => {
    await Promise.all(Array.from({ length: IN_FLIGHT }, () => log.appendDurable(value)))
  })
  bench.add(`openLog appendDurable ${size} B, one by one, fsync`, async () => {
    await log.appendDurable(value)
  })
  bench.add(`fs.writeSync + fdatasyncSync ${size} B, fsync`, () => {
    writeSync(file, value)
    fdatasyncSync(file)
  })
}
await bench.run()
const rows = bench.tasks.map(task => {
  if (task.result.state !== 'completed') throw new Error(`${task.name} did not complete: ${task.result.state}`)
  const perCall = task.name.includes('page cache') ? BATCH : task.name.includes('in flight') ? IN_FLIGHT : 1
  const { p50, p99 } = task.result.latency
  return { name: task.name, p50Us: (p50 * 1000) / perCall, p99Us: (p99 * 1000) / perCall }
})
for (const row of rows) process.stdout.write(`${row.name.padEnd(58)} ${row.p50Us.toFixed(2).padStart(9)} us\n`)
await log.close()
closeSync(file)
rmSync(folder, { recursive: true, force: true })
if (values.out !== undefined) {
  mkdirSync(dirname(values.out), { recursive: true })
  writeFileSync(values.out, `${JSON.stringify({ benchmark: 'append', machine: machine(), rows }, undefined, 2)}\n`)
}
