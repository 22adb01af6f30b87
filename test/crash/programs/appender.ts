/**
 * Appends to an embedded log until it is killed, and puts the number of records that had their offsets into a file
 * after each: argv is the log's folder and that file.
 */
import { openSync, writeSync } from 'node:fs'
import { openLog } from '../../../src/index.ts'
import { settings, valueAt } from '../../support/appended.ts'

const [dir, file] = process.argv.slice(2) as [string, string]
const log = await openLog({ dir, config: settings })
const told = openSync(file, 'w')
const count = new Float64Array(1)
const tell = (end: number): void => {
  count[0] = end
  writeSync(told, new Uint8Array(count.buffer), 0, 8, 0)
}
tell(log.endOffset)
process.stdout.write('appending\n')
for (let turn = 0; ; turn++) {
  for (let index = 0; index < 200; index++) {
    const next = log.endOffset
    if (index % 50 === 49) {
      const values = [valueAt(next), valueAt(next + 1), valueAt(next + 2)]
      log.appendMany(values)
    } else log.append(valueAt(next))
    tell(log.endOffset)
  }
  // Now and then the disk is asked for, so that both writers take turns.
  if (turn % 40 === 39) await log.flush()
}
