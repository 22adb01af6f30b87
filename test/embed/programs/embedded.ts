/**
 * A Worker that owns a log or a broker. Started by test/embed/workers.test.ts, told what by its workerData.
 *
 * A log is appended to without an end, `{ appended }` telling now and then how far it has come, until a
 * message comes; then it is closed. A broker tells its address and serves, until a message comes. Who can't
 * open says why: `{ failed }`.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { openLog, startBroker } from '../../../src/index.ts'
import { unlocked } from '../../support/unlocked.ts'

const { what, dir } = workerData as { what: 'log' | 'broker'; dir: string }
const tell = (message: object) => parentPort?.postMessage(message)
const told = new Promise<void>(resolve => parentPort?.once('message', () => resolve()))

async function log(): Promise<void> {
  const log = await unlocked(() => openLog({ dir, config: { 'internal.segment.bytes': 100_000 } }))
  let closing = false
  void told.then(() => {
    closing = true
  })
  for (let turn = 1; !closing; turn++) {
    for (let count = 0; count < 100; count++) log.append(`${log.endOffset}`)
    if (turn % 10 === 0) tell({ appended: await log.appendDurable(`${log.endOffset}`) })
    await new Promise(resolve => setTimeout(resolve, 2))
  }
  await log.close()
  tell({ closed: log.endOffset })
}

async function broker(): Promise<void> {
  const broker = await unlocked(() => startBroker({ dir, logger: false }))
  tell({ port: broker.port })
  await told
  await broker.close()
  tell({ closed: 0 })
}

try {
  await (what === 'log' ? log() : broker())
} catch (error) {
  tell({ failed: `${(error as { code?: string }).code} ${(error as Error).message}` })
}
